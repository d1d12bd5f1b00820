//! What tests of tokens do again and again.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection, SqliteConnection};
use serde_json::{Value, json};

use crate::support::{Answer, Client, Home, Server, decode, until};

/// Within which a use of an access token counts as proof at every replica (contract, "Tokens").
pub const PROOF_BOUND: Duration = Duration::from_secs(2);
/// Where a good access token gets 403, and nothing is read from the database that could refuse it in another way.
pub const OF_NOBODY: &str = "/profile/9007199254740991";
/// For what is bound to happen, but on a machine that may be busy with other tests.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// The refresh token of an answer of `/login`.
#[track_caller]
pub fn refresh_token(grant: &Value) -> &str {
    grant["refresh_token"].as_str().unwrap_or_else(|| panic!("no refresh token: {grant}"))
}

/// The access token of an answer of `/login`.
#[track_caller]
pub fn access_token(grant: &Value) -> &str {
    grant["access_token"].as_str().unwrap_or_else(|| panic!("no access token: {grant}"))
}

/// Asks for new tokens.
pub fn refresh(client: &Client, refresh_token: &str) -> Answer {
    client.anonymous().login(&[("grant_type", "refresh_token"), ("refresh_token", refresh_token)])
}

/// Asks for new tokens and gets them.
#[track_caller]
pub fn renew(client: &Client, refresh_token: &str) -> Value {
    refresh(client, refresh_token).expect_json(200)
}

/// Asks for new tokens and is refused.
#[track_caller]
pub fn expect_refused(client: &Client, refresh_token: &str) {
    refresh(client, refresh_token).expect_oauth_error(400, "invalid_grant");
}

/// Signs out with a token of the built-in client.
#[track_caller]
pub fn revoke(client: &Client, token: &str) {
    let answer = client.anonymous().request("POST", "/revoke").form(&[("token", token)]).send();
    assert_eq!(answer.expect_json(200), json!({}));
}

/// The id of the session that an access token belongs to.
#[track_caller]
pub fn session_id(access_token: &str) -> i64 {
    decode(access_token).1["sid"].as_str().expect("sid is a string").parse().expect("sid is an id")
}

/// The name of the key that an access token is signed with.
#[track_caller]
pub fn kid(access_token: &str) -> String {
    decode(access_token).0["kid"].as_str().expect("kid is a string").to_owned()
}

/// The keys that a server publishes.
#[track_caller]
pub fn published_keys(client: &Client) -> Vec<Value> {
    let set = client.anonymous().get("/.well-known/jwks.json").expect(200).json();
    set["keys"].as_array().unwrap_or_else(|| panic!("no keys: {set}")).clone()
}

/// The names of the keys that a server publishes.
#[track_caller]
pub fn published_kids(client: &Client) -> Vec<String> {
    published_keys(client).iter().map(|key| key["kid"].as_str().expect("a kid").to_owned()).collect()
}

/// A registered client.
pub struct App {
    pub id: String,
    pub secret: Option<String>,
}

impl App {
    /// Registers it with the command line.
    #[track_caller]
    pub fn add(home: &Home, id: &str, options: &[&str]) -> Self {
        let output = home.run(&[&["client", "add", "--id", id], options].concat(), "").expect_success();
        let printed: Value = serde_json::from_str(&output).unwrap_or_else(|_| panic!("no JSON: {output}"));
        assert_eq!(printed["client_id"], id, "{printed}");
        Self { id: id.to_owned(), secret: printed["client_secret"].as_str().map(str::to_owned) }
    }

    #[track_caller]
    pub fn secret(&self) -> &str {
        self.secret.as_deref().expect("a confidential client")
    }

    /// Sends a form as this client, which says who it is in the way that RFC 6749 prefers.
    pub fn post(&self, server: &Client, path: &str, fields: &[(&str, &str)]) -> Answer {
        let anonymous = server.anonymous();
        match &self.secret {
            Some(secret) => {
                anonymous.request("POST", path).form(fields).header("authorization", &basic(&self.id, secret)).send()
            }
            None => {
                let named = [fields, &[("client_id", self.id.as_str())]].concat();
                anonymous.request("POST", path).form(&named).send()
            }
        }
    }

    /// Logs in somebody who has the usual password.
    #[track_caller]
    pub fn log_in(&self, server: &Client, email: &str) -> Value {
        let fields = [("grant_type", "password"), ("username", email), ("password", crate::support::PASSWORD)];
        self.post(server, "/login", &fields).expect_json(200)
    }

    /// Asks for new tokens.
    pub fn refresh(&self, server: &Client, refresh_token: &str) -> Answer {
        self.post(server, "/login", &[("grant_type", "refresh_token"), ("refresh_token", refresh_token)])
    }

    /// What the server says about a token.
    #[track_caller]
    pub fn introspect(&self, server: &Client, token: &str) -> Value {
        let answer = self.post(server, "/introspect", &[("token", token)]);
        answer.expect_uncached();
        answer.expect_json(200)
    }
}

/// HTTP Basic credentials, just as they are.
pub fn basic(id: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")))
}

/// Starts the service again, on the same database, with some settings changed.
#[track_caller]
pub fn restart_with(server: Server, settings: &[(&str, &str)]) -> Server {
    let home = stop(server);
    let mut home = Arc::try_unwrap(home).unwrap_or_else(|_| panic!("another process uses the same folder"));
    for (key, value) in settings {
        home.set(key, value);
    }
    Server::at(Arc::new(home))
}

/// Ends a process as an operator would, and gives what it leaves behind.
#[track_caller]
pub fn stop(mut server: Server) -> Arc<Home> {
    // A process that has not served anybody yet may not know the signal yet.
    server.get("/healthz").expect(200);
    server.signal("TERM");
    assert!(server.wait(Duration::from_secs(30)).success(), "{:?}", server.log());
    Arc::clone(&server.home)
}

/// One more process on the same database, with settings of its own.
#[track_caller]
pub fn second_with(server: &Server, settings: &[(&str, &str)]) -> Server {
    let url = server.home.database.url();
    let all: Vec<_> = [("database.url", url.as_str())].into_iter().chain(settings.iter().copied()).collect();
    Server::with(&all)
}

/// Makes the last refresh of every session look as if it had happened earlier.
pub fn age_sessions(server: &Server, by: Duration) {
    let earlier = by.as_millis();
    server.home.database.execute(&format!("UPDATE sessions SET refreshed_at = refreshed_at - {earlier}"));
}

/// Runs statements in one transaction beside the service, and has something else happen before it is committed.
#[track_caller]
pub fn transaction(home: &Home, statements: &str, before_commit: impl FnOnce()) {
    let url = home.database.url();
    let run = |connection: &mut dyn SimpleConnection| {
        connection.batch_execute(&format!("BEGIN; {statements}")).expect("the statements");
        before_commit();
        connection.batch_execute("COMMIT").expect("the commit");
    };
    match url.strip_prefix("sqlite://") {
        Some(path) => {
            let mut connection = SqliteConnection::establish(path).expect("the file opens");
            connection.batch_execute("PRAGMA busy_timeout = 20000").expect("a pragma");
            run(&mut connection);
        }
        None => run(&mut PgConnection::establish(&url).expect("PostgreSQL answers")),
    }
}

/// Lets time pass, where the rule under test is about time and there is nothing to ask for meanwhile.
pub fn let_pass(time: Duration, _why: &str) {
    thread::sleep(time);
}

/// Within which every process refuses a revoked access token (contract, "Tokens").
pub fn revocation_bound(server: &Server) -> Duration {
    if server.home.database.url().starts_with("postgres") { Duration::from_secs(2) } else { Duration::from_secs(1) }
}

/// How long it takes until an access token is refused.
#[track_caller]
pub fn time_until_refused(server: &Server, access_token: &str) -> Duration {
    let start = Instant::now();
    let client = server.with_token(access_token);
    until("the access token is refused", PATIENCE, || client.get(OF_NOBODY).status == 401);
    client.get(OF_NOBODY).expect_invalid_token();
    start.elapsed()
}

/// The access tokens of sessions that just ended are refused at every one of these processes within the bound.
///
/// `end` ends a session that it is given the number of. Each time counts, but the bound holds for the one in the middle,
/// since other tests may keep the machine from running a process in time.
#[track_caller]
pub fn expect_refused_in_time(servers: &[&Server], access_tokens: &[String], mut end: impl FnMut(usize)) {
    for server in servers {
        for token in access_tokens {
            server.with_token(token).get("/me").expect_json(200);
        }
    }
    let mut times: Vec<Duration> = Vec::new();
    for (number, token) in access_tokens.iter().enumerate() {
        let start = Instant::now();
        end(number);
        for server in servers {
            time_until_refused(server, token);
        }
        times.push(start.elapsed());
    }
    times.sort();
    let bound = revocation_bound(servers[0]);
    assert!(times[times.len() / 2] <= bound, "more than {bound:?}: {times:?}");
}
