//! What other services find out by themselves: RFC 8414 metadata and the public keys (RFC 7517).

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::keychain::thumbprint;
use crate::steps::{kid, published_keys};
use crate::support::{Answer, SCOPES, Server, Wire, decode};

const METADATA: &str = "/.well-known/oauth-authorization-server";
const JWKS: &str = "/.well-known/jwks.json";

/// The seconds in `Cache-Control: max-age`.
#[track_caller]
fn max_age(answer: &Answer) -> u64 {
    let value = answer.need("cache-control");
    let seconds = value.split(',').find_map(|part| part.trim().strip_prefix("max-age="));
    seconds.and_then(|seconds| seconds.parse().ok()).unwrap_or_else(|| panic!("no max-age: {answer}"))
}

fn texts(document: &Value, member: &str) -> BTreeSet<String> {
    let items = document[member].as_array().unwrap_or_else(|| panic!("no {member}: {document}"));
    items.iter().map(|item| item.as_str().expect("text").to_owned()).collect()
}

fn set(items: &[&str]) -> BTreeSet<String> {
    items.iter().map(|&item| item.to_owned()).collect()
}

#[test]
fn every_url_stands_under_the_issuer() {
    let server = Server::with(&[("token.issuer", "https://auth.example.com/keyfob")]);
    let document = server.get(METADATA).expect_json(200);
    let base = "https://auth.example.com/keyfob";
    assert_eq!(document["issuer"], base);
    for (member, path) in [
        ("token_endpoint", "/login"),
        ("revocation_endpoint", "/revoke"),
        ("introspection_endpoint", "/introspect"),
        ("jwks_uri", "/.well-known/jwks.json"),
    ] {
        assert_eq!(document[member], format!("{base}{path}"), "{member}");
    }
    for (member, value) in document.as_object().unwrap() {
        let url = value.as_str().filter(|text| text.contains("://"));
        assert!(url.is_none_or(|url| url.starts_with(base)), "{member}: {value}");
    }
}

#[test]
fn no_url_comes_from_the_host_header() {
    let server = Server::start();
    let plain = server.get(METADATA).expect_json(200);
    for lines in [
        "host: evil.example",
        "host: evil.example:8000\r\nx-forwarded-host: evil.example\r\nx-forwarded-proto: https",
        "host: evil.example\r\nforwarded: host=evil.example;proto=https",
    ] {
        let request = format!("GET {METADATA} HTTP/1.1\r\n{lines}\r\nconnection: close\r\n\r\n");
        assert_eq!(Wire::exchange(&server.address, request.as_bytes()).expect_json(200), plain);
    }
}

#[test]
fn the_lists_in_the_metadata_match_the_service() {
    let document = Server::start().get(METADATA).expect_json(200);
    let methods = set(&["none", "client_secret_basic", "client_secret_post"]);
    assert_eq!(texts(&document, "grant_types_supported"), set(&["password", "refresh_token"]));
    assert_eq!(texts(&document, "scopes_supported"), set(&SCOPES));
    assert_eq!(texts(&document, "token_endpoint_auth_methods_supported"), methods);
    assert_eq!(texts(&document, "response_types_supported"), set(&["none"]));
    let confidential = texts(&document, "introspection_endpoint_auth_methods_supported");
    assert_eq!(confidential, set(&["client_secret_basic", "client_secret_post"]));
    assert_eq!(texts(&document, "revocation_endpoint_auth_methods_supported"), methods);
    assert!(document.get("authorization_endpoint").is_none(), "{document}");
}

#[test]
fn a_grant_that_is_switched_off_is_not_listed() {
    let server = Server::with(&[("token.password_grant", "false")]);
    let document = server.get(METADATA).expect_json(200);
    assert_eq!(texts(&document, "grant_types_supported"), set(&["refresh_token"]));
}

#[test]
fn the_issuer_equals_the_iss_claim_of_the_tokens() {
    let server = Server::with(&[("token.issuer", "http://auth.example.com")]);
    let bob = server.sign_up("bob@example.com");
    assert_eq!(server.get(METADATA).expect_json(200)["issuer"], decode(&bob.token).1["iss"]);
}

#[test]
fn both_documents_may_be_cached_and_head_works() {
    let server = Server::start();
    for path in [METADATA, JWKS] {
        let answer = server.get(path).expect(200);
        assert!((1..=86400).contains(&max_age(&answer)), "{answer}");
        let head = server.head(path).expect_empty(200);
        assert_eq!(head.need("content-type"), answer.need("content-type"));
        assert_eq!(server.request("POST", path).send().status, 405);
    }
}

#[test]
fn the_keys_are_cached_for_less_than_two_of_them_overlap() {
    for (access_ttl, overlap) in [("900", 960), ("5", 65), ("1", 61)] {
        let server = Server::with(&[("token.access_ttl_seconds", access_ttl)]);
        let age = max_age(&server.get(JWKS).expect(200));
        assert!(age < overlap, "cached for {age} s, while the overlap is {overlap} s");
    }
}

#[test]
fn a_key_is_published_with_exactly_its_public_members() {
    for (algorithm, members) in [
        ("EdDSA", &["alg", "crv", "kid", "kty", "use", "x"][..]),
        ("ES256", &["alg", "crv", "kid", "kty", "use", "x", "y"]),
        ("RS256", &["alg", "e", "kid", "kty", "n", "use"]),
    ] {
        let server = Server::with(&[("token.algorithm", algorithm)]);
        let answer = server.get(JWKS).expect(200);
        let kind = answer.need("content-type");
        assert!(["application/jwk-set+json", "application/json"].contains(&kind), "{answer}");
        let document = answer.json();
        assert_eq!(document.as_object().unwrap().keys().collect::<Vec<_>>(), ["keys"]);
        let keys = published_keys(&server);
        assert_eq!(keys.len(), 1);
        let names: Vec<_> = keys[0].as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(names, members, "{algorithm}");
        assert_eq!((&keys[0]["alg"], &keys[0]["use"]), (&json!(algorithm), &json!("sig")));
    }
}

#[test]
fn a_key_is_named_by_its_thumbprint() {
    for algorithm in ["EdDSA", "ES256", "RS256"] {
        let server = Server::with(&[("token.algorithm", algorithm)]);
        let bob = server.sign_up("bob@example.com");
        let keys = published_keys(&server);
        assert_eq!(keys[0]["kid"], thumbprint(&keys[0]), "{algorithm}");
        assert_eq!(keys[0]["kid"], kid(&bob.token), "{algorithm}");
    }
}

#[test]
fn under_hs256_the_set_is_empty_and_nothing_betrays_the_secret() {
    let server = Server::with(&[("token.algorithm", "HS256")]);
    let bob = server.sign_up("bob@example.com");
    assert_eq!(server.get(JWKS).expect(200).json(), json!({"keys": []}));
    assert_eq!(decode(&bob.token).0["alg"], "HS256");
    let configured = Server::with_hs256();
    configured.sign_up("bob@example.com");
    assert_eq!(configured.get(JWKS).expect(200).json(), json!({"keys": []}));
}

#[test]
fn every_process_of_a_database_publishes_the_same_keys() {
    let server = Server::start();
    assert_eq!(published_keys(&server), published_keys(&server.second()));
}

#[test]
fn there_is_no_openid_configuration() {
    Server::start().get("/.well-known/openid-configuration").expect_error(404);
}
