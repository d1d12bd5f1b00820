//! Story: the answer to a refresh is lost, so the client sends its old refresh token again, and stays signed in.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;

use crate::steps::{
    PROOF_BOUND, access_token, age_sessions, expect_refused, let_pass, refresh, refresh_token, renew, restart_with,
};
use crate::support::{Actor, Server};

const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

fn server_and_bob(grace_seconds: &str) -> (Server, Actor) {
    let server = Server::with(&[("token.refresh_grace_seconds", grace_seconds)]);
    let bob = server.sign_up("bob@example.com");
    (server, bob)
}

#[track_caller]
fn expect_the_same_live_token(server: &Server, old: &str, live: &Value) {
    assert_eq!(refresh_token(&renew(server, old)), refresh_token(live));
}

#[test]
fn the_old_token_gets_the_same_live_token_again_and_again_long_after_the_grace_time() {
    let (server, bob) = server_and_bob("0");
    let old = refresh_token(&bob.grant);
    let live = renew(&server, old);
    assert_ne!(refresh_token(&live), old);
    let_pass(Duration::from_millis(1500), "the grace time must be over");
    for _ in 0..10 {
        expect_the_same_live_token(&server, old, &live);
    }
    let next = renew(&server, refresh_token(&live));
    assert_ne!(refresh_token(&next), refresh_token(&live));
    server.with_token(access_token(&next)).get("/me").expect_json(200);
}

#[test]
fn a_client_that_repeats_the_old_token_an_hour_later_is_still_signed_in() {
    let (server, bob) = server_and_bob("10");
    let old = refresh_token(&bob.grant);
    let live = renew(&server, old);
    age_sessions(&server, HOUR);
    let again = renew(&server, old);
    assert_eq!(refresh_token(&again), refresh_token(&live));
    server.with_token(access_token(&again)).get("/me").expect_json(200);
}

#[test]
fn a_phone_that_was_offline_for_weeks_is_still_signed_in_until_the_refresh_token_expires() {
    let (server, bob) = server_and_bob("10");
    let old = refresh_token(&bob.grant);
    let live = renew(&server, old);
    age_sessions(&server, DAY * 29);
    expect_the_same_live_token(&server, old, &live);
    age_sessions(&server, DAY);
    expect_refused(&server, old);
    expect_refused(&server, refresh_token(&live));
}

#[test]
fn answers_that_are_lost_one_after_the_other_do_no_harm() {
    let (server, bob) = server_and_bob("0");
    let mut token = refresh_token(&bob.grant).to_owned();
    let mut seen = BTreeSet::from([token.clone()]);
    for _ in 0..5 {
        let lost = renew(&server, &token);
        let lost_again = renew(&server, &token);
        let arrived = renew(&server, &token);
        assert_eq!(refresh_token(&lost), refresh_token(&arrived));
        assert_eq!(refresh_token(&lost_again), refresh_token(&arrived));
        token = refresh_token(&arrived).to_owned();
        assert!(seen.insert(token.clone()), "a refresh token came a second time");
        server.with_token(access_token(&arrived)).get("/me").expect_json(200);
    }
}

#[test]
fn every_answer_to_the_old_token_has_a_good_access_token_of_its_own() {
    let (server, bob) = server_and_bob("10");
    let old = refresh_token(&bob.grant);
    let answers: Vec<Value> = (0..4).map(|_| renew(&server, old)).collect();
    let tokens: BTreeSet<&str> = answers.iter().map(access_token).collect();
    assert_eq!(tokens.len(), answers.len());
    for answer in &answers {
        assert_eq!(answer["scope"], bob.grant["scope"]);
        server.with_token(access_token(answer)).get("/me").expect_json(200);
    }
}

#[test]
fn the_old_token_is_answered_by_another_process_and_after_a_crash() {
    let (mut server, bob) = server_and_bob("0");
    let second = server.second();
    let old = refresh_token(&bob.grant);
    let live = renew(&server, old);
    expect_the_same_live_token(&second, old, &live);
    server.kill();
    expect_the_same_live_token(&second, old, &live);
    let third = second.second();
    expect_the_same_live_token(&third, old, &live);
    renew(&third, refresh_token(&live));
}

#[test]
fn the_old_token_is_answered_after_a_restart() {
    let (server, bob) = server_and_bob("0");
    let old = refresh_token(&bob.grant).to_owned();
    let live = renew(&server, &old);
    let server = restart_with(server, &[]);
    expect_the_same_live_token(&server, &old, &live);
}

#[test]
fn using_the_old_access_token_does_not_prove_the_new_refresh_token() {
    let (server, bob) = server_and_bob("0");
    let old = refresh_token(&bob.grant);
    let live = renew(&server, old);
    bob.get("/me").expect_json(200);
    let_pass(PROOF_BOUND, "a proof would have arrived by then");
    bob.get("/me").expect_json(200);
    expect_the_same_live_token(&server, old, &live);
}

#[test]
fn within_the_grace_time_the_old_token_is_answered_although_the_new_one_is_proven() {
    let (server, bob) = server_and_bob("300");
    let second = server.second();
    let old = refresh_token(&bob.grant);
    let live = renew(&server, old);
    server.with_token(access_token(&live)).get("/me").expect_json(200);
    let_pass(PROOF_BOUND, "the proof must have arrived, which cannot be seen from outside within the grace time");
    expect_the_same_live_token(&server, old, &live);
    expect_the_same_live_token(&second, old, &live);
    renew(&second, refresh_token(&live));
}

#[test]
fn refreshing_early_is_never_punished() {
    let (server, bob) = server_and_bob("0");
    let mut grant = bob.grant.clone();
    let mut seen = BTreeSet::from([refresh_token(&grant).to_owned()]);
    for _ in 0..30 {
        grant = renew(&server, refresh_token(&grant));
        assert!(seen.insert(refresh_token(&grant).to_owned()), "a refresh token came a second time");
    }
    server.with_token(access_token(&grant)).get("/me").expect_json(200);
    bob.get("/me").expect_json(200);
}

#[test]
fn a_refused_refresh_does_not_use_the_token_up() {
    let (server, bob) = server_and_bob("0");
    let token = refresh_token(&bob.grant);
    let fields = [("grant_type", "refresh_token"), ("refresh_token", token), ("scope", "profile admin")];
    server.login(&fields).expect_oauth_error(400, "invalid_scope");
    let fields = [("grant_type", "refresh_token"), ("refresh_token", token), ("client_id", "ghost")];
    server.login(&fields).expect_oauth_error(401, "invalid_client");
    let live = renew(&server, token);
    assert_eq!(refresh(&server, refresh_token(&live)).status, 200);
}
