//! The refresh tokens of one session, renewed again and again at all replicas.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use serde_json::Value;

use crate::ledger::Ask;
use crate::load::Load;
use crate::support::{Client, Server};

/// A session whose owner keeps every refresh token that was ever answered, the live one last.
pub struct Family {
    number: usize,
    tokens: Mutex<Vec<String>>,
}

impl Family {
    pub fn begin(number: usize, server: &Server) -> Self {
        let actor = server.sign_up(&format!("owner-{number}@example.com"));
        Self { number, tokens: Mutex::new(vec![refresh_token(&actor.grant)]) }
    }

    /// How often it was renewed.
    pub fn renewals(&self) -> usize {
        self.tokens().len() - 1
    }

    /// Renews the session until the end of the load. An answer that was lost is asked for again, with the same token.
    pub fn live(&self, load: &Load) {
        for round in self.number.. {
            if load.is_over() {
                return;
            }
            let token = self.last();
            let grants: Vec<Value> = if round % 3 == 0 {
                // Two tabs at two replicas.
                thread::scope(|scope| {
                    let tabs = [0, 1].map(|at| {
                        let token = &token;
                        scope.spawn(move || renew(load, at, token))
                    });
                    tabs.into_iter().filter_map(|tab| tab.join().expect("no fault")).collect()
                })
            } else {
                renew(load, round % 2, &token).into_iter().collect()
            };
            let Some(grant) = grants.first() else { continue };
            let next = refresh_token(grant);
            assert_ne!(next, token, "renewed");
            assert!(grants.iter().all(|grant| refresh_token(grant) == next), "forked: {grants:?}");
            self.tokens().push(next);
            if round % 4 == 0 {
                // At the other replica; from now on the token before is of no use.
                let access_token = grant["access_token"].as_str().expect("an access token");
                let at = (round + 1) % 2;
                let owner = load.client(at).with_token(access_token);
                load.ask(at, Ask::Me, || owner.request("GET", "/me").attempt());
            }
        }
    }

    /// The last token that was answered is good, both replicas renew it with the same one, and no other one is good.
    #[track_caller]
    pub fn expect_one_live_token(&self, first: &Client, second: &Client) {
        let oldest = self.tokens()[0].clone();
        let last = self.last();
        assert_ne!(oldest, last, "session {} was never renewed", self.number);
        let next = expect_renewed(first, &last);
        assert_eq!(refresh_token(&next), refresh_token(&expect_renewed(second, &last)), "the same for the one before");
        let live = expect_renewed(second, &refresh_token(&next));
        let sessions = first.with_token(live["access_token"].as_str().expect("an access token")).get("/me/sessions");
        assert_eq!(sessions.expect_json(200)["items"].as_array().map(Vec::len), Some(1));
        // Any other one ends the session: of all tokens only one was live.
        expect_refused(first, &oldest);
        expect_refused(second, &refresh_token(&live));
        expect_refused(first, &last);
    }

    fn last(&self) -> String {
        self.tokens().last().expect("one at least").clone()
    }

    fn tokens(&self) -> MutexGuard<'_, Vec<String>> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn renew(load: &Load, at: usize, token: &str) -> Option<Value> {
    let form = [("grant_type", "refresh_token"), ("refresh_token", token)];
    let answer = load.ask(at, Ask::Refresh, || load.client(at).request("POST", "/login").form(&form).attempt())?;
    Some(answer.json())
}

#[track_caller]
fn expect_renewed(client: &Client, token: &str) -> Value {
    client.anonymous().login(&[("grant_type", "refresh_token"), ("refresh_token", token)]).expect_json(200)
}

#[track_caller]
fn expect_refused(client: &Client, token: &str) {
    let answer = client.anonymous().login(&[("grant_type", "refresh_token"), ("refresh_token", token)]);
    answer.expect_oauth_error(400, "invalid_grant");
}

#[track_caller]
fn refresh_token(grant: &Value) -> String {
    grant["refresh_token"].as_str().unwrap_or_else(|| panic!("no refresh token: {grant}")).to_owned()
}
