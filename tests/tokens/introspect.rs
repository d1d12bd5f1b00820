//! `POST /introspect` (RFC 7662): what a confidential client is told about a token.

use std::time::Duration;

use serde_json::{Value, json};

use crate::steps::{App, PATIENCE, access_token, age_sessions, basic, refresh_token, renew, revoke, session_id};
use crate::support::{Actor, Answer, Forge, SECRET, Server, decode, until};

const BOB: &str = "bob@example.com";

fn server_and_api() -> (Server, App) {
    let server = Server::start();
    let api = App::add(&server.home, "api", &[]);
    (server, api)
}

fn ask(server: &Server, fields: &[(&str, &str)], authorization: Option<&str>) -> Answer {
    let request = server.request("POST", "/introspect").form(fields);
    match authorization {
        Some(value) => request.header("authorization", value).send(),
        None => request.send(),
    }
}

#[track_caller]
fn expect_inactive(server: &Server, api: &App, token: &str) {
    assert_eq!(api.introspect(server, token), json!({"active": false}), "{token}");
}

#[test]
fn an_access_token_is_described_by_its_claims() {
    let (server, api) = server_and_api();
    let bob = server.sign_up(BOB);
    let told = api.introspect(&server, &bob.token);
    let (_, claims) = decode(&bob.token);
    assert_eq!(told["active"], true);
    assert_eq!(told["username"], BOB);
    for claim in ["iss", "sub", "aud", "exp", "iat", "jti", "client_id", "scope", "sid"] {
        assert_eq!(told[claim], claims[claim], "{claim}: {told}");
    }
}

#[test]
fn the_token_type_of_an_access_token_is_that_of_rfc_6749() {
    let (server, api) = server_and_api();
    let bob = server.sign_up(BOB);
    let told = api.introspect(&server, &bob.token);
    // RFC 7662 §2.2: "Type of the token as defined in Section 5.1 of OAuth 2.0"; the member is optional.
    let kind = told.get("token_type").map(|kind| kind.as_str().unwrap_or("?").to_lowercase());
    assert!(kind.as_deref().is_none_or(|kind| kind == "bearer"), "{told}");
}

#[test]
fn a_refresh_token_is_described_by_its_session() {
    let (server, api) = server_and_api();
    let bob = server.sign_up(BOB);
    let told = api.introspect(&server, refresh_token(&bob.grant));
    assert_eq!(told["active"], true);
    assert_eq!(told["client_id"], "keyfob");
    assert_eq!(told["scope"], bob.grant["scope"]);
    assert_eq!(told["sub"].as_str().unwrap(), bob.id().to_string());
    let life = told["exp"].as_i64().unwrap() - told["iat"].as_i64().unwrap();
    assert!((2_592_000 - 1..=2_592_000 + 1).contains(&life), "{told}");
}

#[test]
fn the_end_of_a_refresh_token_is_that_of_its_client_s_own_lifetime() {
    let (server, _) = server_and_api();
    server.sign_up(BOB);
    let kiosk = App::add(&server.home, "kiosk", &["--refresh-ttl-seconds", "600"]);
    let grant = kiosk.log_in(&server, BOB);
    let told = kiosk.introspect(&server, refresh_token(&grant));
    let life = told["exp"].as_i64().unwrap() - told["iat"].as_i64().unwrap();
    assert!((599..=601).contains(&life), "{told}");
}

#[test]
fn the_scope_is_the_token_s_own() {
    let (server, api) = server_and_api();
    server.sign_up(BOB);
    let reader = server.log_in_for(BOB, "profile");
    assert_eq!(api.introspect(&server, &reader.token)["scope"], "profile");
}

#[test]
fn a_confidential_client_proves_itself_with_basic_or_in_the_body() {
    let (server, api) = server_and_api();
    let bob = server.sign_up(BOB);
    let token = ("token", bob.token.as_str());
    let secret = api.secret();
    let told = ask(&server, &[token], Some(&basic("api", secret))).expect_json(200);
    assert_eq!(told["active"], true);
    let fields = [token, ("client_id", "api"), ("client_secret", secret)];
    assert_eq!(ask(&server, &fields, None).expect_json(200), told);
    assert_eq!(ask(&server, &[token, ("client_id", "api")], Some(&basic("api", secret))).expect_json(200), told);
    let hinted = [token, ("token_type_hint", "refresh_token")];
    assert_eq!(ask(&server, &hinted, Some(&basic("api", secret))).expect_json(200), told);
}

#[test]
fn only_confidential_clients_may_introspect() {
    let (server, api) = server_and_api();
    let bob = server.sign_up(BOB);
    App::add(&server.home, "phone", &["--public"]);
    let token = ("token", bob.token.as_str());
    let (wrong, ghost) = (basic("api", "wrong"), basic("ghost", api.secret()));
    let bearer = format!("Bearer {}", bob.token);
    for (fields, authorization) in [
        (&[token][..], None),
        (&[token, ("client_id", "keyfob")], None),
        (&[token, ("client_id", "phone")], None),
        (&[token, ("client_id", "api")], None),
        (&[token, ("client_id", "api"), ("client_secret", "wrong")], None),
        (&[token], Some("Basic Og==")),
        (&[token], Some(basic("phone", "").as_str())),
        (&[token], Some(wrong.as_str())),
        (&[token], Some(ghost.as_str())),
        (&[token], Some(bearer.as_str())),
    ] {
        let error = ask(&server, fields, authorization).expect_oauth_error(401, "invalid_client");
        assert!(error.get("active").is_none(), "{error}");
    }
}

#[test]
fn the_client_is_authenticated_before_the_request_is_checked() {
    let (server, _) = server_and_api();
    ask(&server, &[], None).expect_oauth_error(401, "invalid_client");
    ask(&server, &[("client_id", "ghost")], None).expect_oauth_error(401, "invalid_client");
}

#[test]
fn a_missing_token_is_invalid_request() {
    let (server, api) = server_and_api();
    let authorization = basic("api", api.secret());
    for fields in [&[][..], &[("token", "")], &[("token_type_hint", "access_token")], &[("token", "a"), ("token", "a")]]
    {
        ask(&server, fields, Some(&authorization)).expect_oauth_error(400, "invalid_request");
    }
    let json = server.request("POST", "/introspect").json(&json!({"token": "a"}));
    json.header("authorization", &authorization).send().expect_oauth_error(400, "invalid_request");
    let path = "/introspect?token=a";
    let query = server.request("POST", path).form(&[]).header("authorization", &authorization);
    query.send().expect_oauth_error(400, "invalid_request");
}

#[test]
fn a_string_that_is_no_token_is_inactive() {
    let (server, api) = server_and_api();
    let stranger = Server::start().sign_up(BOB);
    for token in ["x", "kfr_", "a.b.c", "é", "null", &stranger.token, refresh_token(&stranger.grant)] {
        expect_inactive(&server, &api, token);
    }
}

#[test]
fn a_token_that_was_changed_is_inactive() {
    let server = Server::with_hs256();
    let api = App::add(&server.home, "api", &[]);
    let bob = server.sign_up(BOB);
    assert_eq!(api.introspect(&server, &Forge::of(&bob.token).sign())["active"], true);
    for forged in [
        Forge::of(&bob.token).claim("exp", 1),
        Forge::of(&bob.token).claim("nbf", 4_000_000_000_u32),
        Forge::of(&bob.token).claim("iss", "http://127.0.0.1:8001"),
        Forge::of(&bob.token).claim("aud", "other"),
        Forge::of(&bob.token).header("typ", "JWT"),
    ] {
        expect_inactive(&server, &api, &forged.sign());
    }
    let unsigned = Forge::of(&bob.token).header("alg", "none").unsigned("");
    expect_inactive(&server, &api, &unsigned);
    let wrong = Forge::of(&bob.token).sign_with(aws_lc_rs::hmac::HMAC_SHA256, &SECRET.as_bytes()[1..]);
    expect_inactive(&server, &api, &wrong);
}

#[test]
fn an_expired_token_is_inactive() {
    let server = Server::with(&[("token.access_ttl_seconds", "1")]);
    let api = App::add(&server.home, "api", &[]);
    let bob = server.sign_up(BOB);
    until("the access token expires", PATIENCE, || api.introspect(&server, &bob.token)["active"] == false);
    expect_inactive(&server, &api, &bob.token);
    assert_eq!(api.introspect(&server, refresh_token(&bob.grant))["active"], true);
    age_sessions(&server, Duration::from_hours(24 * 31));
    expect_inactive(&server, &api, refresh_token(&bob.grant));
}

#[test]
fn the_tokens_of_an_ended_session_are_inactive_at_both_processes() {
    let (server, api) = server_and_api();
    let second = server.second();
    let bob = server.sign_up(BOB);
    revoke(&server, &bob.token);
    expect_inactive(&server, &api, &bob.token);
    expect_inactive(&server, &api, refresh_token(&bob.grant));
    expect_inactive(&second, &api, refresh_token(&bob.grant));
    until("the other process knows", PATIENCE, || api.introspect(&second, &bob.token)["active"] == false);
    expect_inactive(&second, &api, &bob.token);
}

#[test]
fn the_tokens_of_a_disabled_or_deleted_user_are_inactive() {
    let (server, api) = server_and_api();
    let (bob, eve) = (server.sign_up(BOB), server.sign_up("eve@example.com"));
    server.home.database.execute(&format!("UPDATE users SET is_active = FALSE WHERE id = {}", bob.id()));
    server.home.database.execute(&format!("DELETE FROM users WHERE id = {}", eve.id()));
    for actor in [&bob, &eve] {
        expect_inactive(&server, &api, &actor.token);
        expect_inactive(&server, &api, refresh_token(&actor.grant));
    }
}

#[test]
fn a_refresh_token_that_was_replaced_twice_is_inactive_and_introspecting_it_is_no_theft() {
    let (server, api) = server_and_api();
    let bob = server.sign_up(BOB);
    let next = renew(&server, refresh_token(&bob.grant));
    let live = renew(&server, refresh_token(&next));
    expect_inactive(&server, &api, refresh_token(&bob.grant));
    assert_eq!(api.introspect(&server, refresh_token(&live))["active"], true);
    server.with_token(access_token(&live)).get("/me").expect_json(200);
    renew(&server, refresh_token(&live));
}

#[test]
fn a_token_of_any_client_may_be_asked_about() {
    let (server, api) = server_and_api();
    server.sign_up(BOB);
    let phone = App::add(&server.home, "phone", &["--public"]);
    let grant = phone.log_in(&server, BOB);
    assert_eq!(api.introspect(&server, access_token(&grant))["client_id"], "phone");
    assert_eq!(api.introspect(&server, refresh_token(&grant))["client_id"], "phone");
}

#[test]
fn introspection_does_not_count_as_use_of_a_session() {
    let (server, api) = server_and_api();
    let bob: Actor = server.sign_up(BOB);
    let watcher = server.log_in(BOB);
    let session = || -> Value {
        let items = watcher.get("/me/sessions").expect_json(200)["items"].as_array().unwrap().clone();
        items.into_iter().find(|item| item["id"] == session_id(&bob.token)).unwrap()
    };
    for _ in 0..3 {
        assert_eq!(api.introspect(&server, &bob.token)["active"], true);
    }
    bob.get("/posts").expect(200);
    crate::steps::let_pass(crate::steps::PROOF_BOUND, "a use would have been noted by then");
    assert_eq!(session()["last_used_at"], session()["created_at"]);
}
