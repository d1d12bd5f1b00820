//! RFC 6750: bearer token usage.

use serde_json::json;

use super::{BOB, hs256_and_bob, me, post, server_and_bob};
use crate::steps::revoke;
use crate::support::{Forge, now_seconds};

#[test]
fn rfc6750_section_2_1_resource_servers_must_support_the_authorization_header() {
    let (server, bob) = server_and_bob();
    me(&server, &bob.token).expect_json(200);
}

#[test]
fn rfc6750_section_2_2_a_token_in_the_form_body_is_not_taken() {
    let (server, bob) = server_and_bob();
    post(&server, "/me/password", &[("access_token", &bob.token)]).expect_no_credentials();
}

#[test]
fn rfc6750_section_2_3_a_token_in_the_uri_should_not_be_used() {
    let (server, bob) = server_and_bob();
    server.get(&format!("/me?access_token={}", bob.token)).expect_no_credentials();
}

#[test]
fn rfc6750_section_3_the_server_must_include_www_authenticate_with_the_scheme_bearer() {
    let (server, _) = server_and_bob();
    for answer in [server.get("/me"), me(&server, "x")] {
        assert!(answer.need("www-authenticate").starts_with("Bearer "), "{answer}");
    }
}

#[test]
fn rfc6750_section_3_no_attribute_of_the_challenge_must_appear_more_than_once() {
    let (server, _) = server_and_bob();
    me(&server, "x").expect_invalid_token();
    let writer = server.log_in_for(BOB, "posts");
    writer.get("/me").expect_insufficient_scope("profile");
}

#[test]
fn rfc6750_section_3_1_a_request_without_authentication_should_get_no_error_code() {
    let (server, _) = server_and_bob();
    server.get("/me").expect_no_credentials();
}

#[test]
fn rfc6750_section_3_1_an_expired_revoked_or_malformed_token_should_get_401_invalid_token() {
    let (server, bob) = hs256_and_bob();
    me(&server, &Forge::of(&bob.token).claim("exp", now_seconds() - 1).sign()).expect_invalid_token();
    me(&server, "malformed").expect_invalid_token();
    revoke(&server, &bob.token);
    me(&server, &bob.token).expect_invalid_token();
}

#[test]
fn rfc6750_section_3_1_a_token_that_lacks_the_scope_should_get_403_and_may_be_told_the_scope() {
    let (server, _) = server_and_bob();
    let reader = server.log_in_for(BOB, "profile");
    reader.post("/posts", json!({"title": "t", "content": "c"})).expect_insufficient_scope("posts");
}
