//! RFC 7009: token revocation.

use serde_json::json;

use super::{BOB, me, post, server_and_app, server_and_bob};
use crate::steps::{access_token, expect_refused, refresh_token, renew, revoke};

#[test]
fn rfc7009_section_2_implementations_must_support_the_revocation_of_refresh_tokens() {
    let (server, bob) = server_and_bob();
    revoke(&server, refresh_token(&bob.grant));
    expect_refused(&server, refresh_token(&bob.grant));
}

#[test]
fn rfc7009_section_2_implementations_should_support_the_revocation_of_access_tokens() {
    let (server, bob) = server_and_bob();
    revoke(&server, &bob.token);
    me(&server, &bob.token).expect_invalid_token();
}

#[test]
fn rfc7009_section_2_1_the_token_is_required() {
    let (server, _) = server_and_bob();
    post(&server, "/revoke", &[]).expect_oauth_error(400, "invalid_request");
}

#[test]
fn rfc7009_section_2_1_if_the_hint_does_not_help_the_server_must_extend_its_search_to_all_token_types() {
    let (server, bob) = server_and_bob();
    let wrong = [("token", refresh_token(&bob.grant)), ("token_type_hint", "access_token")];
    post(&server, "/revoke", &wrong).expect_json(200);
    expect_refused(&server, refresh_token(&bob.grant));
}

#[test]
fn rfc7009_section_2_1_an_unknown_hint_is_ignored() {
    let (server, bob) = server_and_bob();
    post(&server, "/revoke", &[("token", &bob.token), ("token_type_hint", "saml2")]).expect_json(200);
    me(&server, &bob.token).expect_invalid_token();
}

#[test]
fn rfc7009_section_2_1_the_server_first_validates_the_client_credentials() {
    let (server, app) = server_and_app();
    let grant = app.log_in(&server, BOB);
    let fields = [("token", refresh_token(&grant)), ("client_id", "app"), ("client_secret", "wrong")];
    post(&server, "/revoke", &fields).expect_oauth_error(401, "invalid_client");
    post(&server, "/revoke", &fields[1..]).expect_oauth_error(401, "invalid_client");
    app.refresh(&server, refresh_token(&grant)).expect_json(200);
}

#[test]
fn rfc7009_section_2_1_the_server_verifies_that_the_token_was_issued_to_the_client() {
    let (server, app) = server_and_app();
    let bob = server.log_in(BOB);
    app.post(&server, "/revoke", &[("token", refresh_token(&bob.grant))]);
    me(&server, &bob.token).expect_json(200);
    renew(&server, refresh_token(&bob.grant));
}

#[test]
fn rfc7009_section_2_1_the_server_should_also_invalidate_all_access_tokens_of_the_same_grant() {
    let (server, bob) = server_and_bob();
    let grant = renew(&server, refresh_token(&bob.grant));
    revoke(&server, refresh_token(&grant));
    for token in [&bob.token, access_token(&grant)] {
        me(&server, token).expect_invalid_token();
    }
}

#[test]
fn rfc7009_section_2_1_the_server_may_revoke_the_refresh_token_of_an_access_token_as_well() {
    let (server, bob) = server_and_bob();
    revoke(&server, &bob.token);
    expect_refused(&server, refresh_token(&bob.grant));
}

#[test]
fn rfc7009_section_2_2_an_invalid_token_is_answered_with_200() {
    let (server, bob) = server_and_bob();
    revoke(&server, "unknown");
    revoke(&server, &bob.token);
    revoke(&server, &bob.token);
}

#[test]
fn rfc7009_section_2_2_1_errors_are_those_of_rfc_6749_section_5_2() {
    let (server, _) = server_and_bob();
    server.post("/revoke", json!({"token": "x"})).expect_oauth_error(400, "invalid_request");
    post(&server, "/revoke", &[("token", "x"), ("client_id", "ghost")]).expect_oauth_error(401, "invalid_client");
}
