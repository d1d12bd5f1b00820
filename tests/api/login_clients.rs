//! Contract, "`POST /login`": who the client is, in the body or as HTTP Basic (RFC 6749 §2.3.1).

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::support::{Answer, PASSWORD, Server};

const BOB: &str = "bob@example.com";

fn server_with_bob() -> Server {
    let server = Server::start();
    server.post("/signup", json!({"email": BOB, "password": PASSWORD})).expect(201);
    server
}

/// Bob's login with further fields, and with Basic credentials in clear.
fn login(server: &Server, fields: &[(&str, &str)], basic: Option<&str>) -> Answer {
    let header = basic.map(|credentials| format!("Basic {}", STANDARD.encode(credentials)));
    login_with_header(server, fields, header.as_deref())
}

fn login_with_header(server: &Server, fields: &[(&str, &str)], authorization: Option<&str>) -> Answer {
    let all: Vec<_> = [("username", BOB), ("password", PASSWORD)].into_iter().chain(fields.iter().copied()).collect();
    let request = server.request("POST", "/login").form(&all);
    match authorization {
        Some(value) => request.header("authorization", value).send(),
        None => request.send(),
    }
}

#[test]
fn no_client_at_all_is_the_built_in_public_client() {
    let server = server_with_bob();
    login(&server, &[], None).expect_json(200);
    login(&server, &[("client_id", ""), ("client_secret", "")], None).expect_json(200);
    login(&server, &[], Some(":")).expect_json(200);
    login_with_header(&server, &[], Some("Basic Og==")).expect_json(200);
    login_with_header(&server, &[], Some("basic Og==")).expect_json(200);
    login(&server, &[("client_id", ""), ("client_secret", "")], Some(":")).expect_json(200);
}

#[test]
fn the_public_client_may_be_named_in_the_body_or_as_basic_or_in_both() {
    let server = server_with_bob();
    login(&server, &[("client_id", "keyfob")], None).expect_json(200);
    login(&server, &[("client_id", "keyfob"), ("client_secret", "")], None).expect_json(200);
    login(&server, &[], Some("keyfob:")).expect_json(200);
    login(&server, &[("client_id", "keyfob")], Some("keyfob:")).expect_json(200);
    login(&server, &[("client_id", "keyfob"), ("client_secret", "")], Some("keyfob:")).expect_json(200);
    login(&server, &[("client_id", "keyfob")], Some(":")).expect_json(200);
    login(&server, &[("client_id", "")], Some("keyfob:")).expect_json(200);
}

#[test]
fn basic_values_are_taken_form_decoded_too() {
    let server = server_with_bob();
    login(&server, &[], Some("%6beyfob:")).expect_json(200);
    login(&server, &[("client_id", "keyfob")], Some("key%66ob:")).expect_json(200);
}

#[test]
fn another_client_in_the_body_than_as_basic_is_invalid_request() {
    let server = server_with_bob();
    login(&server, &[("client_id", "other")], Some("keyfob:")).expect_oauth_error(400, "invalid_request");
    login(&server, &[("client_id", "keyfob")], Some("other:")).expect_oauth_error(400, "invalid_request");
}

#[test]
fn two_different_clients_in_the_body_are_invalid_request() {
    let server = server_with_bob();
    let error = login(&server, &[("client_id", "keyfob"), ("client_id", "other")], None)
        .expect_oauth_error(400, "invalid_request");
    assert!(error["detail"].as_str().unwrap().contains("client_id"), "{error}");
}

#[test]
fn two_client_secrets_in_the_body_are_invalid_request() {
    let server = server_with_bob();
    let error = login(&server, &[("client_secret", "a"), ("client_secret", "a")], None)
        .expect_oauth_error(400, "invalid_request");
    assert!(error["detail"].as_str().unwrap().contains("client_secret"), "{error}");
}

#[test]
fn an_unknown_client_is_invalid_client() {
    let server = server_with_bob();
    login(&server, &[("client_id", "ghost")], None).expect_oauth_error(401, "invalid_client");
    login(&server, &[("client_id", "ghost"), ("client_secret", "x")], None).expect_oauth_error(401, "invalid_client");
    login(&server, &[("client_id", "Keyfob")], None).expect_oauth_error(401, "invalid_client");
    login(&server, &[], Some("ghost:")).expect_oauth_error(401, "invalid_client");
    login(&server, &[], Some("ghost:secret")).expect_oauth_error(401, "invalid_client");
}

#[test]
fn a_secret_for_a_public_client_is_invalid_client() {
    let server = server_with_bob();
    login(&server, &[("client_id", "keyfob"), ("client_secret", "x")], None).expect_oauth_error(401, "invalid_client");
    login(&server, &[], Some("keyfob:x")).expect_oauth_error(401, "invalid_client");
}

#[test]
fn a_secret_without_an_id_is_invalid_client() {
    let server = server_with_bob();
    login(&server, &[("client_secret", "x")], None).expect_oauth_error(401, "invalid_client");
    login(&server, &[], Some(":x")).expect_oauth_error(401, "invalid_client");
}

#[test]
fn basic_credentials_that_cannot_be_read_fail() {
    let server = server_with_bob();
    for authorization in ["Basic !!!", "Basic a2V5Zm9i", "Basic //79/A=="] {
        let answer = login_with_header(&server, &[], Some(authorization));
        match answer.status {
            401 => answer.expect_oauth_error(401, "invalid_client"),
            _ => answer.expect_oauth_error(400, "invalid_request"),
        };
    }
}

#[test]
fn the_client_is_checked_before_the_user() {
    let server = server_with_bob();
    for username in [BOB, "nobody@example.com"] {
        let fields = [("username", username), ("password", "a wrong password"), ("client_id", "ghost")];
        server.login(&fields).expect_oauth_error(401, "invalid_client");
    }
}

#[test]
fn an_authorization_of_another_scheme_is_ignored() {
    let server = server_with_bob();
    let bob = server.log_in(BOB);
    let good = format!("Bearer {}", bob.token);
    for authorization in [good.as_str(), "Bearer stale", "Bearer", "bearer stale", "Digest a=b", "Token x", ""] {
        login_with_header(&server, &[], Some(authorization)).expect_json(200);
    }
}

#[test]
fn a_confidential_client_needs_its_secret() {
    let server = server_with_bob();
    add_client(&server, "web", Some("s3cret.~-_value"), "password");
    for basic in ["web:s3cret.~-_value", "web:s3cret%2E~%2D%5Fvalue", "%77eb:s3cret.~-_value"] {
        login(&server, &[], Some(basic)).expect_json(200);
    }
    login(&server, &[("client_id", "web"), ("client_secret", "s3cret.~-_value")], None).expect_json(200);
    login(&server, &[("client_id", "web")], Some("web:s3cret.~-_value")).expect_json(200);
    login(&server, &[("client_id", "web")], None).expect_oauth_error(401, "invalid_client");
    login(&server, &[("client_id", "web"), ("client_secret", "wrong")], None).expect_oauth_error(401, "invalid_client");
    login(&server, &[], Some("web:")).expect_oauth_error(401, "invalid_client");
    login(&server, &[], Some("web:wrong")).expect_oauth_error(401, "invalid_client");
}

#[test]
fn a_token_names_the_client_that_asked_for_it() {
    let server = server_with_bob();
    add_client(&server, "phone", None, "password");
    let grant = login(&server, &[("client_id", "phone")], None).expect_json(200);
    let (_, claims) = crate::support::decode(grant["access_token"].as_str().unwrap());
    assert_eq!(claims["client_id"], "phone");
}

#[test]
fn a_known_grant_that_the_client_may_not_use_is_unauthorized_client() {
    let server = server_with_bob();
    add_client(&server, "later", None, "refresh_token");
    login(&server, &[("client_id", "later"), ("grant_type", "password")], None)
        .expect_oauth_error(400, "unauthorized_client");
}

/// Adds a client beside the service; no secret: a public one.
fn add_client(server: &Server, id: &str, secret: Option<&str>, grants: &str) {
    let hash = secret.map(|secret| digest(&SHA256, secret.as_bytes()));
    let hash = hash.map_or("NULL".to_owned(), |hash| server.home.database.bytes(hash.as_ref()));
    server.home.database.execute(&format!(
        "INSERT INTO clients (id, secret_hash, grants, created_at) VALUES ('{id}', {hash}, '{grants}', 0)"
    ));
}
