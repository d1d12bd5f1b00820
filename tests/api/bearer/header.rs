//! The `Authorization` header, and scopes.

use serde_json::json;

use super::{me, me_with_header, server_and_bob};
use crate::support::{Forge, Server, Wire};

#[test]
fn no_credentials_give_a_challenge_without_an_error_code() {
    let server = Server::start();
    server.get("/me").expect_no_credentials();
}

#[test]
fn another_scheme_gives_a_challenge_without_an_error_code() {
    let (server, bob) = server_and_bob();
    let glued = format!("Bearer{}", bob.token);
    let colon = format!("Bearer:{}", bob.token);
    for authorization in [
        "Basic Og==",
        "Basic Ym9iOng=",
        "Digest a=b",
        "Token x",
        "Bearers x",
        "",
        bob.token.as_str(),
        glued.as_str(),
        colon.as_str(),
    ] {
        me_with_header(&server, authorization).expect_no_credentials();
    }
}

#[test]
fn the_scheme_is_case_insensitive() {
    let (server, bob) = server_and_bob();
    for scheme in ["Bearer", "bearer", "BEARER", "bEaReR"] {
        me_with_header(&server, &format!("{scheme} {}", bob.token)).expect_json(200);
        me_with_header(&server, &format!("{scheme} bad")).expect_invalid_token();
        me_with_header(&server, scheme).expect_invalid_token();
    }
}

#[test]
fn several_blanks_between_scheme_and_token_separate_as_one() {
    let (server, bob) = server_and_bob();
    me_with_header(&server, &format!("Bearer   {}", bob.token)).expect_json(200);
}

#[test]
fn bearer_without_exactly_one_token_is_invalid() {
    let (server, bob) = server_and_bob();
    let token = &bob.token;
    for authorization in [
        "Bearer".to_owned(),
        format!("Bearer {token} {token}"),
        format!("Bearer a {token}"),
        format!("Bearer {token}, x"),
        format!("Bearer {token},Bearer {token}"),
    ] {
        me_with_header(&server, &authorization).expect_invalid_token();
    }
    let request = format!("GET /me HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer \r\n\r\n", server.address);
    Wire::exchange(&server.address, request.as_bytes()).expect_invalid_token();
}

#[test]
fn bytes_that_are_no_text_are_an_invalid_token() {
    let server = Server::start();
    let request = format!("GET /me HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer ", server.address).into_bytes();
    for bytes in [&b"\xff\xfe"[..], "é".as_bytes()] {
        let whole = [&request, bytes, b"\r\n\r\n"].concat();
        Wire::exchange(&server.address, &whole).expect_invalid_token();
    }
}

#[test]
fn a_valid_token_without_the_scope_is_403_and_names_it() {
    let server = Server::start();
    server.sign_up("bob@example.com");
    let writer = server.log_in_for("bob@example.com", "posts");
    writer.get("/me").expect_insufficient_scope("profile");
    let reader = server.log_in_for("bob@example.com", "profile");
    reader.post("/posts", json!({"title": "t", "content": "c"})).expect_insufficient_scope("posts");
}

#[test]
fn a_token_without_any_scope_reaches_nothing() {
    let (server, bob) = server_and_bob();
    let token = Forge::of(&bob.token).claim("scope", "").sign();
    me(&server, &token).expect_insufficient_scope("profile");
}

#[test]
fn scopes_are_compared_as_whole_words() {
    let (server, bob) = server_and_bob();
    for scope in ["profiles", "Profile", "profile:read", "xprofile posts"] {
        me(&server, &Forge::of(&bob.token).claim("scope", scope).sign()).expect_insufficient_scope("profile");
    }
    me(&server, &Forge::of(&bob.token).claim("scope", "posts profile").sign()).expect_json(200);
}

#[test]
fn a_token_in_the_query_string_or_in_the_body_is_not_read() {
    let (server, bob) = server_and_bob();
    server.get(&format!("/me?access_token={}", bob.token)).expect_no_credentials();
    let form = [("access_token", bob.token.as_str())];
    server.request("PATCH", "/me").form(&form).send().expect_no_credentials();
    server.patch("/me", json!({"access_token": bob.token})).expect_no_credentials();
    server
        .request("GET", "/me")
        .header("cookie", &format!("access_token={}", bob.token))
        .send()
        .expect_no_credentials();
}
