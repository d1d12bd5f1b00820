//! Story: somebody else has a copy of a refresh token. Its second use ends the session, at every process.

use std::time::Duration;

use serde_json::Value;

use crate::steps::{
    App, PROOF_BOUND, access_token, expect_refused, expect_refused_in_time, let_pass, refresh, refresh_token, renew,
    restart_with, time_until_refused,
};
use crate::support::{Actor, Server, until};

/// The bound on proof, and slack for a busy machine.
const PROOF_DEADLINE: Duration = Duration::from_secs(PROOF_BOUND.as_secs() * 4);

fn two_servers_and_bob(grace_seconds: &str) -> (Server, Server, Actor) {
    let first = Server::with(&[("token.refresh_grace_seconds", grace_seconds)]);
    let second = first.second();
    let bob = first.sign_up("bob@example.com");
    (first, second, bob)
}

/// Everything of a session is worth nothing at these processes.
#[track_caller]
fn expect_dead(servers: &[&Server], grants: &[&Value]) {
    for server in servers {
        for grant in grants {
            expect_refused(server, refresh_token(grant));
            time_until_refused(server, access_token(grant));
        }
    }
}

/// Repeats the old token until the use of the new one has become known; before that it gets the live one.
#[track_caller]
fn repeat_until_refused(server: &Server, old: &str, live: &Value) {
    until("the old refresh token is taken for stolen", PROOF_DEADLINE, || {
        let answer = refresh(server, old);
        if answer.status == 200 {
            assert_eq!(refresh_token(&answer.json()), refresh_token(live));
            return false;
        }
        answer.expect_oauth_error(400, "invalid_grant");
        true
    });
}

#[test]
fn an_old_token_after_the_new_one_was_refreshed_ends_the_session_at_both_processes() {
    let (first, second, bob) = two_servers_and_bob("0");
    let next = renew(&first, refresh_token(&bob.grant));
    let live = renew(&second, refresh_token(&next));
    expect_refused(&second, refresh_token(&bob.grant));
    expect_dead(&[&first, &second], &[&live, &next, &bob.grant]);
}

#[test]
fn an_old_token_after_the_new_one_was_refreshed_is_theft_even_within_the_grace_time() {
    let (first, second, bob) = two_servers_and_bob("300");
    let next = renew(&first, refresh_token(&bob.grant));
    let live = renew(&first, refresh_token(&next));
    expect_refused(&first, refresh_token(&bob.grant));
    expect_dead(&[&first, &second], &[&live, &next, &bob.grant]);
}

#[test]
fn an_old_token_after_the_new_access_token_was_used_ends_the_session() {
    let (first, second, bob) = two_servers_and_bob("0");
    let live = renew(&first, refresh_token(&bob.grant));
    first.with_token(access_token(&live)).get("/me").expect_json(200);
    repeat_until_refused(&first, refresh_token(&bob.grant), &live);
    expect_dead(&[&first, &second], &[&live, &bob.grant]);
}

#[test]
fn an_old_token_after_the_new_access_token_was_used_at_another_process_ends_the_session() {
    let (first, second, bob) = two_servers_and_bob("1");
    let live = renew(&first, refresh_token(&bob.grant));
    second.with_token(access_token(&live)).get("/posts").expect(200);
    second.with_token(access_token(&live)).get("/me").expect_json(200);
    repeat_until_refused(&first, refresh_token(&bob.grant), &live);
    expect_dead(&[&first, &second], &[&live, &bob.grant]);
}

#[test]
fn an_access_token_that_came_with_a_repeated_answer_proves_the_live_refresh_token_too() {
    let (first, _second, bob) = two_servers_and_bob("0");
    let old = refresh_token(&bob.grant);
    let live = renew(&first, old);
    let again = renew(&first, old);
    first.with_token(access_token(&again)).get("/me").expect_json(200);
    repeat_until_refused(&first, old, &live);
    expect_dead(&[&first], &[&live, &again]);
}

#[test]
fn a_use_is_known_within_two_seconds() {
    let (first, second, _) = two_servers_and_bob("0");
    // Once is enough: other tests may keep the machine from running a process in time.
    let is_in_time = || {
        let bob = first.log_in("bob@example.com");
        let live = renew(&first, refresh_token(&bob.grant));
        second.with_token(access_token(&live)).get("/me").expect_json(200);
        let_pass(PROOF_BOUND, "so long may the proof take");
        refresh(&first, refresh_token(&bob.grant)).status == 400
    };
    assert!((0..3).any(|_| is_in_time()), "a use was not known after {PROOF_BOUND:?}");
}

#[test]
fn a_use_just_before_the_process_is_stopped_counts() {
    let server = Server::with(&[("token.refresh_grace_seconds", "0")]);
    let bob = server.sign_up("bob@example.com");
    let live = renew(&server, refresh_token(&bob.grant));
    server.with_token(access_token(&live)).get("/me").expect_json(200);
    let server = restart_with(server, &[]);
    expect_refused(&server, refresh_token(&bob.grant));
    expect_dead(&[&server], &[&live, &bob.grant]);
}

#[test]
fn introspection_does_not_prove_a_refresh_token() {
    let (first, second, bob) = two_servers_and_bob("0");
    let app = App::add(&first.home, "api", &[]);
    let live = renew(&first, refresh_token(&bob.grant));
    for server in [&first, &second] {
        assert_eq!(app.introspect(server, access_token(&live))["active"], true);
        assert_eq!(app.introspect(server, refresh_token(&live))["active"], true);
    }
    let_pass(PROOF_BOUND, "a proof would have arrived by then");
    assert_eq!(refresh_token(&renew(&first, refresh_token(&bob.grant))), refresh_token(&live));
}

#[test]
fn the_access_tokens_of_a_stolen_session_are_refused_in_time_at_both_processes() {
    let (first, second, _) = two_servers_and_bob("0");
    let sessions: Vec<Actor> = (0..5).map(|_| first.log_in("bob@example.com")).collect();
    let newest: Vec<Value> =
        sessions.iter().map(|bob| renew(&first, refresh_token(&renew(&first, refresh_token(&bob.grant))))).collect();
    let tokens: Vec<String> = newest.iter().map(|grant| access_token(grant).to_owned()).collect();
    expect_refused_in_time(&[&first, &second], &tokens, |number| {
        expect_refused(&first, refresh_token(&sessions[number].grant));
    });
}

#[test]
fn the_other_sessions_of_the_same_user_live_on() {
    let (first, second, bob) = two_servers_and_bob("0");
    let other = second.log_in("bob@example.com");
    let next = renew(&first, refresh_token(&bob.grant));
    let live = renew(&first, refresh_token(&next));
    expect_refused(&first, refresh_token(&bob.grant));
    expect_dead(&[&first, &second], &[&live]);
    for server in [&first, &second] {
        server.with_token(&other.token).get("/me").expect_json(200);
    }
    renew(&first, refresh_token(&other.grant));
    assert_eq!(other.get("/me/sessions").expect_json(200)["items"].as_array().unwrap().len(), 1);
}

#[test]
fn a_stolen_session_stays_dead_after_a_restart() {
    let server = Server::with(&[("token.refresh_grace_seconds", "0")]);
    let bob = server.sign_up("bob@example.com");
    let next = renew(&server, refresh_token(&bob.grant));
    let live = renew(&server, refresh_token(&next));
    expect_refused(&server, refresh_token(&bob.grant));
    let server = restart_with(server, &[]);
    server.with_token(access_token(&live)).get("/me").expect_invalid_token();
    expect_dead(&[&server], &[&live, &next, &bob.grant]);
}

#[test]
fn a_theft_is_told_in_the_log_without_any_token() {
    let server = Server::with(&[("token.refresh_grace_seconds", "0")]);
    let bob = server.sign_up("bob@example.com");
    let next = renew(&server, refresh_token(&bob.grant));
    let live = renew(&server, refresh_token(&next));
    expect_refused(&server, refresh_token(&bob.grant));
    until("the log tells of it", PROOF_DEADLINE, || server.log().iter().any(|line| line.contains("WARN")));
    let log = server.whole_log().join("\n");
    for grant in [&bob.grant, &next, &live] {
        for token in [refresh_token(grant), access_token(grant)] {
            assert!(!log.contains(token), "{log}");
        }
    }
}
