//! `POST /revoke` (RFC 7009): signing out.

use serde_json::json;

use crate::steps::{
    App, access_token, expect_refused, expect_refused_in_time, refresh_token, renew, restart_with, revoke,
    time_until_refused,
};
use crate::support::{Answer, Server};

const BOB: &str = "bob@example.com";

fn server_with_bob() -> Server {
    let server = Server::start();
    server.sign_up(BOB);
    server
}

fn ask(server: &Server, fields: &[(&str, &str)]) -> Answer {
    server.request("POST", "/revoke").form(fields).send()
}

#[track_caller]
fn expect_done(answer: Answer) {
    answer.expect_uncached();
    assert_eq!(answer.expect_json(200), json!({}));
}

#[test]
fn the_refresh_token_ends_the_whole_session() {
    let server = server_with_bob();
    let bob = server.log_in(BOB);
    let grant = renew(&server, refresh_token(&bob.grant));
    expect_done(ask(&server, &[("token", refresh_token(&grant))]));
    expect_refused(&server, refresh_token(&grant));
    expect_refused(&server, refresh_token(&bob.grant));
    for token in [access_token(&grant), &bob.token] {
        server.with_token(token).get("/me").expect_invalid_token();
    }
}

#[test]
fn the_access_token_ends_the_whole_session() {
    let server = server_with_bob();
    let bob = server.log_in(BOB);
    let grant = renew(&server, refresh_token(&bob.grant));
    expect_done(ask(&server, &[("token", &bob.token)]));
    expect_refused(&server, refresh_token(&grant));
    for token in [access_token(&grant), &bob.token] {
        server.with_token(token).get("/me").expect_invalid_token();
    }
}

#[test]
fn a_refresh_token_that_was_replaced_ends_the_session_too() {
    let server = server_with_bob();
    let bob = server.log_in(BOB);
    let grant = renew(&server, refresh_token(&bob.grant));
    let grant = renew(&server, refresh_token(&grant));
    expect_done(ask(&server, &[("token", refresh_token(&bob.grant))]));
    expect_refused(&server, refresh_token(&grant));
    server.with_token(access_token(&grant)).get("/me").expect_invalid_token();
}

#[test]
fn the_other_sessions_live_on() {
    let server = server_with_bob();
    let (bob, other) = (server.log_in(BOB), server.log_in(BOB));
    revoke(&server, refresh_token(&bob.grant));
    other.get("/me").expect_json(200);
    renew(&server, refresh_token(&other.grant));
}

#[test]
fn a_token_that_is_unknown_or_was_revoked_is_200_with_an_empty_object() {
    let server = server_with_bob();
    let bob = server.log_in(BOB);
    let stranger = Server::start().sign_up(BOB);
    for _ in 0..2 {
        for token in [refresh_token(&bob.grant), &bob.token] {
            expect_done(ask(&server, &[("token", token)]));
        }
    }
    let cut = &bob.token[..bob.token.len() - 4];
    for token in ["x", "kfr_", "a.b.c", "é", " ", cut, &stranger.token, refresh_token(&stranger.grant)] {
        expect_done(ask(&server, &[("token", token)]));
    }
}

#[test]
fn the_hint_is_ignored() {
    let server = server_with_bob();
    for hint in ["access_token", "refresh_token", "", "id_token", "nonsense"] {
        let bob = server.log_in(BOB);
        expect_done(ask(&server, &[("token", refresh_token(&bob.grant)), ("token_type_hint", hint)]));
        expect_refused(&server, refresh_token(&bob.grant));
        let bob = server.log_in(BOB);
        expect_done(ask(&server, &[("token", &bob.token), ("token_type_hint", hint)]));
        expect_refused(&server, refresh_token(&bob.grant));
    }
}

#[test]
fn another_client_s_token_is_left_alone() {
    let server = server_with_bob();
    let shop = App::add(&server.home, "shop", &[]);
    let phone = App::add(&server.home, "phone", &["--public"]);
    let (bob, there) = (server.log_in(BOB), shop.log_in(&server, BOB));
    for token in [access_token(&there), refresh_token(&there)] {
        expect_done(ask(&server, &[("token", token)]));
        expect_done(phone.post(&server, "/revoke", &[("token", token)]));
    }
    for token in [refresh_token(&bob.grant), &bob.token] {
        expect_done(shop.post(&server, "/revoke", &[("token", token)]));
    }
    bob.get("/me").expect_json(200);
    renew(&server, refresh_token(&bob.grant));
    server.with_token(access_token(&there)).get("/me").expect_json(200);
    let there = shop.refresh(&server, refresh_token(&there)).expect_json(200);
    expect_done(shop.post(&server, "/revoke", &[("token", refresh_token(&there))]));
    shop.refresh(&server, refresh_token(&there)).expect_oauth_error(400, "invalid_grant");
    server.with_token(access_token(&there)).get("/me").expect_invalid_token();
}

#[test]
fn a_client_that_cannot_prove_who_it_is_revokes_nothing() {
    let server = server_with_bob();
    let shop = App::add(&server.home, "shop", &[]);
    let there = shop.log_in(&server, BOB);
    let token = refresh_token(&there);
    for fields in [
        &[("token", token), ("client_id", "shop")][..],
        &[("token", token), ("client_id", "shop"), ("client_secret", "wrong")],
        &[("token", token), ("client_id", "ghost")],
        &[("token", token), ("client_secret", shop.secret())],
    ] {
        ask(&server, fields).expect_oauth_error(401, "invalid_client");
    }
    server.with_token(access_token(&there)).get("/me").expect_json(200);
    shop.refresh(&server, token).expect_json(200);
}

#[test]
fn a_missing_empty_or_repeated_token_is_invalid_request() {
    let server = server_with_bob();
    let bob = server.log_in(BOB);
    for fields in [
        &[][..],
        &[("token", "")],
        &[("token_type_hint", "access_token")],
        &[("token", bob.token.as_str()), ("token", bob.token.as_str())],
    ] {
        let error = ask(&server, fields).expect_oauth_error(400, "invalid_request");
        assert!(error["detail"].as_str().unwrap().contains("token"), "{error}");
    }
    bob.get("/me").expect_json(200);
}

#[test]
fn only_a_form_is_taken_and_nothing_from_the_query_string() {
    let server = server_with_bob();
    let bob = server.log_in(BOB);
    server.post("/revoke", json!({"token": bob.token})).expect_oauth_error(400, "invalid_request");
    let path = format!("/revoke?token={}", bob.token);
    server.request("POST", &path).form(&[]).send().expect_oauth_error(400, "invalid_request");
    let answer = server.get(&path);
    assert!(answer.need("allow").contains("POST"), "{answer}");
    assert_eq!((answer.status, answer.json()["error"].as_str()), (405, Some("invalid_request")), "{answer}");
    bob.get("/me").expect_json(200);
}

#[test]
fn a_stale_bearer_header_does_not_matter() {
    let server = server_with_bob();
    let bob = server.log_in(BOB);
    let token = refresh_token(&bob.grant);
    let stale = server.with_token("stale");
    expect_done(stale.request("POST", "/revoke").form(&[("token", token)]).send());
    expect_refused(&server, token);
    let bob = server.log_in(BOB);
    expect_done(bob.request("POST", "/revoke").form(&[("token", &bob.token)]).send());
    bob.get("/me").expect_invalid_token();
}

#[test]
fn a_revocation_is_known_in_time_at_both_processes() {
    let first = server_with_bob();
    let second = first.second();
    let grants: Vec<_> = (0..5).map(|_| first.log_in(BOB).grant).collect();
    let tokens: Vec<String> = grants.iter().map(|grant| access_token(grant).to_owned()).collect();
    expect_refused_in_time(&[&first, &second], &tokens, |number| {
        revoke(&first, refresh_token(&grants[number]));
        expect_refused(&second, refresh_token(&grants[number]));
    });
}

#[test]
fn a_revoked_session_stays_ended_after_a_restart_and_at_a_new_process() {
    let server = server_with_bob();
    let (bob, other) = (server.log_in(BOB), server.log_in(BOB));
    revoke(&server, &bob.token);
    let third = server.second();
    third.with_token(&bob.token).get("/me").expect_invalid_token();
    drop(third);
    let mut server = restart_with(server, &[]);
    server.with_token(&bob.token).get("/me").expect_invalid_token();
    expect_refused(&server, refresh_token(&bob.grant));
    server.kill();
    let server = server.second();
    time_until_refused(&server, &bob.token);
    expect_refused(&server, refresh_token(&bob.grant));
    server.with_token(&other.token).get("/me").expect_json(200);
}

#[test]
fn a_revocation_that_was_acknowledged_survives_a_crash() {
    let mut server = server_with_bob();
    let bob = server.log_in(BOB);
    revoke(&server, refresh_token(&bob.grant));
    server.kill();
    let server = server.second();
    server.with_token(&bob.token).get("/me").expect_invalid_token();
    expect_refused(&server, refresh_token(&bob.grant));
}
