//! Contract, "Tokens": what an access token looks like (RFC 9068), and who accepts it.

use std::collections::BTreeSet;

use crate::support::{Actor, Server, USER_SCOPES, decode, now_seconds, words};

#[test]
fn an_access_token_has_the_header_of_rfc_9068() {
    let server = Server::start();
    let bob = server.sign_up("bob@example.com");
    let (header, _) = decode(&bob.token);
    assert_eq!(header["typ"], "at+jwt");
    assert_eq!(header["alg"], "EdDSA");
    assert!(header["kid"].as_str().is_some_and(|kid| !kid.is_empty()), "{header}");
}

#[test]
fn an_access_token_has_the_nine_claims() {
    let server = Server::start();
    let before = now_seconds();
    let bob = server.sign_up("bob@example.com");
    let after = now_seconds();
    let (_, claims) = decode(&bob.token);
    assert_eq!(claims["iss"], "http://127.0.0.1:8000");
    assert_eq!(claims["aud"], "keyfob");
    assert_eq!(claims["client_id"], "keyfob");
    let issued = claims["iat"].as_i64().unwrap();
    assert!((before..=after).contains(&issued), "{claims}");
    assert_eq!(claims["exp"].as_i64().unwrap() - issued, 900);
    assert_eq!(claims["scope"], bob.grant["scope"]);
    assert_eq!(words(claims["scope"].as_str().unwrap()), USER_SCOPES);
    let user = bob.get("/me").expect_json(200);
    assert_eq!(claims["sub"].as_str().unwrap(), user["id"].to_string());
    for claim in ["jti", "sid"] {
        let text = claims[claim].as_str().unwrap_or_else(|| panic!("{claim} is a string: {claims}"));
        assert!(!text.is_empty(), "{claims}");
    }
}

#[test]
fn an_access_token_tells_nothing_about_the_person() {
    let server = Server::start();
    let bob = server.sign_up("bob.particular@example.com");
    let (header, claims) = decode(&bob.token);
    assert!(!format!("{header}{claims}").contains("particular"), "{claims}");
}

#[test]
fn each_login_is_a_session_of_its_own_with_tokens_of_its_own() {
    let server = Server::start();
    let first = server.sign_up("bob@example.com");
    let actors: Vec<Actor> = (0..4).map(|_| server.log_in("bob@example.com")).chain([first]).collect();
    for claim in ["jti", "sid"] {
        let values: BTreeSet<_> = actors.iter().map(|actor| decode(&actor.token).1[claim].to_string()).collect();
        assert_eq!(values.len(), actors.len(), "{claim}: {values:?}");
    }
    let refresh_tokens: BTreeSet<_> = actors.iter().map(|actor| actor.grant["refresh_token"].to_string()).collect();
    assert_eq!(refresh_tokens.len(), actors.len());
}

#[test]
fn a_refresh_token_is_opaque_and_holds_at_least_256_bits() {
    let server = Server::start();
    let bob = server.sign_up("bob@example.com");
    let token = bob.grant["refresh_token"].as_str().unwrap();
    assert!(token.len() >= 43, "256 bits take 43 characters of base64: {token}");
    assert!(token.split('.').count() != 3, "it looks like a JWT: {token}");
}

#[test]
fn issuer_audience_and_lifetime_are_settings() {
    let server = Server::with(&[
        ("token.issuer", "http://auth.example.com"),
        ("token.audience", "shop"),
        ("token.access_ttl_seconds", "60"),
    ]);
    let bob = server.sign_up("bob@example.com");
    let (_, claims) = decode(&bob.token);
    assert_eq!((claims["iss"].as_str(), claims["aud"].as_str()), (Some("http://auth.example.com"), Some("shop")));
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 60);
    assert_eq!(bob.grant["expires_in"], 60);
    bob.get("/me").expect_json(200);
}

#[test]
fn hs256_is_used_when_configured() {
    let server = Server::with_hs256();
    let bob = server.sign_up("bob@example.com");
    assert_eq!(decode(&bob.token).0["alg"], "HS256");
    bob.get("/me").expect_json(200);
}

#[test]
fn a_second_start_on_the_same_database_accepts_the_tokens_of_the_first() {
    let mut first = Server::start();
    let bob = first.sign_up("bob@example.com");
    first.kill();
    let second = first.second();
    second.with_token(&bob.token).get("/me").expect_json(200);
    let again = second.log_in("bob@example.com");
    assert_eq!(decode(&again.token).0["kid"], decode(&bob.token).0["kid"]);
}

#[test]
fn two_processes_on_one_database_accept_each_other_s_tokens() {
    let first = Server::start();
    let second = first.second();
    let bob = first.sign_up("bob@example.com");
    let eve = second.sign_up("eve@example.com");
    second.with_token(&bob.token).get("/me").expect_json(200);
    first.with_token(&eve.token).get("/me").expect_json(200);
}

#[test]
fn the_tokens_of_one_installation_are_worth_nothing_at_another() {
    let here = Server::start();
    let there = Server::start();
    let bob = here.sign_up("bob@example.com");
    there.sign_up("bob@example.com");
    there.with_token(&bob.token).get("/me").expect_invalid_token();
}
