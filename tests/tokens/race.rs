//! Story: many threads at two processes refresh one token at the same time.

use std::collections::BTreeSet;
use std::sync::{Barrier, Mutex};
use std::thread;

use serde_json::Value;

use crate::steps::{access_token, expect_refused, refresh, refresh_token, renew, revoke, time_until_refused};
use crate::support::{Answer, Server};

const THREADS: usize = 50;

/// All at once, half of them at each process.
fn refresh_at_once(servers: [&Server; 2], token: &str) -> Vec<Answer> {
    let (start, answers) = (Barrier::new(THREADS), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for number in 0..THREADS {
            let (start, answers, server) = (&start, &answers, servers[number % 2]);
            scope.spawn(move || {
                start.wait();
                let answer = refresh(server, token);
                answers.lock().unwrap().push(answer);
            });
        }
    });
    answers.into_inner().unwrap()
}

/// The answers that are successes; all others are `invalid_grant`.
#[track_caller]
fn successes(answers: Vec<Answer>) -> Vec<Value> {
    let mut grants = Vec::new();
    for answer in answers {
        if answer.status == 200 {
            grants.push(answer.expect_json(200));
        } else {
            answer.expect_oauth_error(400, "invalid_grant");
        }
    }
    grants
}

#[track_caller]
fn race_in_five_rounds(grace_seconds: &str) {
    let first = Server::with(&[("token.refresh_grace_seconds", grace_seconds)]);
    let second = first.second();
    let mut grant = first.sign_up("bob@example.com").grant;
    for round in 0..5 {
        let grants = successes(refresh_at_once([&first, &second], refresh_token(&grant)));
        let live: BTreeSet<&str> = grants.iter().map(refresh_token).collect();
        assert_eq!(live.len(), 1, "round {round}: {} answers with {} refresh tokens", grants.len(), live.len());
        let sessions = first.with_token(access_token(&grants[0])).get("/me/sessions").expect_json(200);
        assert_eq!(sessions["items"].as_array().unwrap().len(), 1, "round {round}: {sessions}");
        grant = renew(&second, live.first().unwrap());
    }
    for server in [&first, &second] {
        server.with_token(access_token(&grant)).get("/me").expect_json(200);
    }
}

#[test]
fn fifty_threads_at_two_processes_that_refresh_one_token_get_one_and_the_same_live_token() {
    race_in_five_rounds("10");
}

#[test]
fn fifty_threads_at_two_processes_get_one_live_token_without_any_grace_time_too() {
    race_in_five_rounds("0");
}

#[test]
fn fifty_threads_that_repeat_an_old_token_get_the_live_one() {
    let first = Server::with(&[("token.refresh_grace_seconds", "0")]);
    let second = first.second();
    let bob = first.sign_up("bob@example.com");
    let live = renew(&first, refresh_token(&bob.grant));
    let grants = successes(refresh_at_once([&first, &second], refresh_token(&bob.grant)));
    assert_eq!(grants.len(), THREADS);
    assert!(grants.iter().all(|grant| refresh_token(grant) == refresh_token(&live)));
    renew(&second, refresh_token(&live));
}

#[test]
fn fifty_threads_that_use_a_stolen_token_end_the_session_once_and_see_no_5xx() {
    let first = Server::with(&[("token.refresh_grace_seconds", "0")]);
    let second = first.second();
    let bob = first.sign_up("bob@example.com");
    let live = renew(&first, refresh_token(&renew(&first, refresh_token(&bob.grant))));
    assert!(successes(refresh_at_once([&first, &second], refresh_token(&bob.grant))).is_empty());
    expect_refused(&second, refresh_token(&live));
    for server in [&first, &second] {
        time_until_refused(server, access_token(&live));
    }
}

#[test]
fn a_sign_out_wins_over_concurrent_refreshes() {
    let first = Server::start();
    let second = first.second();
    first.sign_up("bob@example.com");
    for _ in 0..3 {
        let bob = first.log_in("bob@example.com");
        let token = refresh_token(&bob.grant);
        let grants = thread::scope(|scope| {
            scope.spawn(|| revoke(&second, token));
            successes(refresh_at_once([&first, &second], token))
        });
        expect_refused(&first, token);
        for grant in grants.iter().chain([&bob.grant]) {
            expect_refused(&second, refresh_token(grant));
            time_until_refused(&first, access_token(grant));
        }
    }
}

#[test]
fn sign_ins_and_refreshes_of_many_sessions_at_once_do_not_mix_them_up() {
    let first = Server::start();
    let second = first.second();
    for name in ["ada", "bob"] {
        first.sign_up(&format!("{name}@example.com"));
    }
    thread::scope(|scope| {
        for number in 0..16 {
            let (here, there) = if number % 2 == 0 { (&first, &second) } else { (&second, &first) };
            scope.spawn(move || {
                let email = if number % 4 < 2 { "ada@example.com" } else { "bob@example.com" };
                let actor = here.log_in(email);
                let mut grant = actor.grant.clone();
                for _ in 0..5 {
                    grant = renew(there, refresh_token(&grant));
                    let me = here.with_token(access_token(&grant)).get("/me").expect_json(200);
                    assert_eq!(me["email"], email);
                }
            });
        }
    });
}
