//! RFC 9068: the JWT profile for access tokens.

use std::time::Duration;

use serde_json::{Value, json};

use super::{BOB, hs256_and_bob, me, server_and_bob};
use crate::keychain::verify;
use crate::steps::{access_token, published_keys, refresh_token, renew};
use crate::support::{Forge, Server, decode, now_seconds, until};

#[test]
fn rfc9068_section_2_1_access_tokens_must_be_signed_and_must_not_use_none() {
    let (server, bob) = hs256_and_bob();
    assert_ne!(decode(&bob.token).0["alg"], "none");
    me(&server, &Forge::of(&bob.token).header("alg", "none").unsigned("")).expect_invalid_token();
}

#[test]
fn rfc9068_section_2_1_the_type_must_be_at_jwt() {
    let (server, bob) = server_and_bob();
    let grant = renew(&server, refresh_token(&bob.grant));
    for token in [&bob.token, access_token(&grant)] {
        assert_eq!(decode(token).0["typ"], "at+jwt");
    }
}

#[test]
fn rfc9068_section_2_2_the_required_claims_are_there() {
    let (server, bob) = server_and_bob();
    let grant = renew(&server, refresh_token(&bob.grant));
    for token in [&bob.token, access_token(&grant)] {
        let (_, claims) = decode(token);
        for claim in ["iss", "aud", "sub", "client_id", "jti"] {
            assert!(claims[claim].as_str().is_some_and(|text| !text.is_empty()), "{claim}: {claims}");
        }
        assert!(claims["exp"].as_i64() > claims["iat"].as_i64(), "{claims}");
    }
}

#[test]
fn rfc9068_section_2_2_the_jti_is_another_one_in_every_token() {
    let (server, bob) = server_and_bob();
    let grant = renew(&server, refresh_token(&bob.grant));
    assert_ne!(decode(&bob.token).1["jti"], decode(access_token(&grant)).1["jti"]);
}

#[test]
fn rfc9068_section_2_2_3_a_scope_that_was_requested_should_be_a_claim() {
    let (server, _) = server_and_bob();
    let reader = server.log_in_for(BOB, "profile");
    assert_eq!(decode(&reader.token).1["scope"], "profile");
}

#[test]
fn rfc9068_section_3_without_a_resource_the_audience_is_the_default_one() {
    let (_server, bob) = server_and_bob();
    assert_eq!(decode(&bob.token).1["aud"], "keyfob");
}

#[test]
fn rfc9068_section_4_the_resource_server_must_reject_any_other_type() {
    let (server, bob) = hs256_and_bob();
    for typ in ["at+jwt", "application/at+jwt"] {
        me(&server, &Forge::of(&bob.token).header("typ", typ).sign()).expect_json(200);
    }
    me(&server, &Forge::of(&bob.token).header("typ", "JWT").sign()).expect_invalid_token();
    me(&server, &Forge::of(&bob.token).without_header("typ").sign()).expect_invalid_token();
}

#[test]
fn rfc9068_section_4_the_issuer_must_match_exactly() {
    let (server, bob) = hs256_and_bob();
    me(&server, &Forge::of(&bob.token).claim("iss", "http://127.0.0.1:8000/").sign()).expect_invalid_token();
}

#[test]
fn rfc9068_section_4_a_token_without_this_audience_must_be_rejected() {
    let (server, bob) = hs256_and_bob();
    me(&server, &Forge::of(&bob.token).claim("aud", "other").sign()).expect_invalid_token();
    me(&server, &Forge::of(&bob.token).without("aud").sign()).expect_invalid_token();
    me(&server, &Forge::of(&bob.token).claim("aud", json!(["other", "keyfob"])).sign()).expect_json(200);
}

#[test]
fn rfc9068_section_4_the_signature_must_be_validated_with_the_published_keys() {
    let (server, bob) = server_and_bob();
    let claims: Value = verify(&bob.token, &published_keys(&server));
    assert_eq!(claims["client_id"], "keyfob");
    let parts: Vec<&str> = bob.token.split('.').collect();
    me(&server, &format!("{}.{}.{}", parts[0], parts[1], "A".repeat(86))).expect_invalid_token();
}

#[test]
fn rfc9068_section_4_the_current_time_must_be_before_exp() {
    let (server, bob) = hs256_and_bob();
    me(&server, &Forge::of(&bob.token).claim("exp", now_seconds()).sign()).expect_invalid_token();
    let short = Server::with(&[("token.access_ttl_seconds", "1")]);
    let bob = short.sign_up(BOB);
    until("the token expires", Duration::from_secs(10), || bob.get("/me").status == 401);
    bob.get("/me").expect_invalid_token();
}

#[test]
fn rfc9068_section_2_2_the_subject_should_be_the_identifier_of_the_resource_owner() {
    let (_server, bob) = server_and_bob();
    let (_, claims) = decode(&bob.token);
    assert!(claims["sub"].as_str().unwrap().bytes().all(|byte| byte.is_ascii_digit()), "{claims}");
    assert!(!claims.to_string().contains('@'), "{claims}");
}
