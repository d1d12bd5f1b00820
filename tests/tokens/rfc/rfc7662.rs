//! RFC 7662: token introspection.

use serde_json::json;

use super::{BOB, hs256_and_bob, post, server_and_app, server_and_bob};
use crate::steps::{App, PATIENCE, basic, refresh_token, revoke};
use crate::support::{Forge, Server, now_seconds, until};

#[test]
fn rfc7662_section_2_1_the_token_is_required_in_a_form_sent_by_post() {
    let (server, app) = server_and_app();
    app.post(&server, "/introspect", &[]).expect_oauth_error(400, "invalid_request");
    assert_eq!(server.get("/introspect?token=x").status, 405);
}

#[test]
fn rfc7662_section_2_1_to_prevent_token_scanning_the_endpoint_must_require_authorization() {
    let (server, bob) = server_and_bob();
    post(&server, "/introspect", &[("token", &bob.token)]).expect_oauth_error(401, "invalid_client");
}

#[test]
fn rfc7662_section_2_1_the_server_extends_its_search_if_the_hint_does_not_help() {
    let (server, app) = server_and_app();
    let bob = server.log_in(BOB);
    let fields = [("token", refresh_token(&bob.grant)), ("token_type_hint", "access_token")];
    assert_eq!(app.post(&server, "/introspect", &fields).expect_json(200)["active"], true);
}

#[test]
fn rfc7662_section_2_2_active_is_required_and_a_boolean() {
    let (server, app) = server_and_app();
    let bob = server.log_in(BOB);
    for token in [bob.token.as_str(), refresh_token(&bob.grant), "x"] {
        assert!(app.introspect(&server, token)["active"].is_boolean());
    }
}

#[test]
fn rfc7662_section_2_2_the_token_type_is_that_of_rfc_6749_section_5_1() {
    let (server, app) = server_and_app();
    let bob = server.log_in(BOB);
    let told = app.introspect(&server, &bob.token);
    assert!(told["token_type"].as_str().is_none_or(|kind| kind.eq_ignore_ascii_case("bearer")), "{told}");
}

#[test]
fn rfc7662_section_2_2_times_are_integers_in_seconds() {
    let (server, app) = server_and_app();
    let bob = server.log_in(BOB);
    for token in [bob.token.as_str(), refresh_token(&bob.grant)] {
        let told = app.introspect(&server, token);
        assert!(told["exp"].is_i64() && told["iat"].is_i64(), "{told}");
        assert!((now_seconds() - told["iat"].as_i64().unwrap()).abs() < 60, "{told}");
    }
}

#[test]
fn rfc7662_section_2_2_nothing_more_should_be_said_about_a_token_that_is_not_active() {
    let (server, app) = server_and_app();
    assert_eq!(app.introspect(&server, "x"), json!({"active": false}));
}

#[test]
fn rfc7662_section_2_3_wrong_credentials_are_answered_with_401() {
    let (server, _) = server_and_app();
    let request = server.request("POST", "/introspect").form(&[("token", "x")]);
    request.header("authorization", &basic("app", "wrong")).send().expect_oauth_error(401, "invalid_client");
}

#[test]
fn rfc7662_section_4_the_server_must_determine_whether_the_token_has_expired() {
    let server = Server::with(&[("token.access_ttl_seconds", "1")]);
    let app = App::add(&server.home, "app", &[]);
    let bob = server.sign_up(BOB);
    until("the token has expired", PATIENCE, || app.introspect(&server, &bob.token)["active"] == false);
}

#[test]
fn rfc7662_section_4_the_server_must_determine_whether_the_token_has_been_revoked() {
    let (server, app) = server_and_app();
    let bob = server.log_in(BOB);
    revoke(&server, &bob.token);
    for token in [bob.token.as_str(), refresh_token(&bob.grant)] {
        assert_eq!(app.introspect(&server, token), json!({"active": false}));
    }
}

#[test]
fn rfc7662_section_4_the_server_must_validate_the_signature() {
    let (server, bob) = hs256_and_bob();
    let app = App::add(&server.home, "app", &[]);
    let forged = Forge::of(&bob.token).sign_with(aws_lc_rs::hmac::HMAC_SHA256, b"another secret, as long as it gets");
    assert_eq!(app.introspect(&server, &forged), json!({"active": false}));
}
