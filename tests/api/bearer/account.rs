//! The account whose token it is.

use serde_json::json;

use super::REVOCATION_DEADLINE;
use crate::support::{Server, until};

#[test]
fn the_token_of_a_disabled_user_is_invalid() {
    let server = Server::start();
    let bob = server.sign_up("bob@example.com");
    let eve = server.sign_up("eve@example.com");
    server.home.database.execute(&format!("UPDATE users SET is_active = FALSE WHERE id = {}", bob.id()));
    until("the token is refused", REVOCATION_DEADLINE, || bob.get("/me").status == 401);
    bob.get("/me").expect_invalid_token();
    bob.get(&bob.profile_url()).expect_invalid_token();
    bob.patch("/me", json!({"full_name": "Bob"})).expect_invalid_token();
    eve.get("/me").expect_json(200);
}

#[test]
fn a_disabled_user_can_write_no_post() {
    let server = Server::start();
    let bob = server.sign_up("bob@example.com");
    let own = bob.write_post("mine");
    server.home.database.execute(&format!("UPDATE users SET is_active = FALSE WHERE id = {}", bob.id()));
    until("the token is refused", REVOCATION_DEADLINE, || bob.patch(&own, json!({})).status == 401);
    bob.post("/posts", json!({"title": "t", "content": "c"})).expect_invalid_token();
    bob.delete(&own).expect_invalid_token();
}

#[test]
fn the_token_of_a_deleted_user_is_invalid() {
    let server = Server::start();
    let bob = server.sign_up("bob@example.com");
    server.home.database.execute(&format!("DELETE FROM users WHERE id = {}", bob.id()));
    until("the token is refused", REVOCATION_DEADLINE, || bob.get("/me").status == 401);
    bob.get("/me").expect_invalid_token();
    bob.get(&bob.profile_url()).expect_invalid_token();
    bob.post("/posts", json!({"title": "t", "content": "c"})).expect_invalid_token();
}

#[test]
fn the_id_of_a_deleted_user_is_never_given_out_again() {
    let server = Server::start();
    let bob = server.sign_up("bob@example.com");
    server.home.database.execute(&format!("DELETE FROM users WHERE id = {}", bob.id()));
    let eve = server.sign_up("eve@example.com");
    assert!(eve.id() > bob.id());
    until("the token is refused", REVOCATION_DEADLINE, || bob.get("/me").status == 401);
}

#[test]
fn public_routes_ignore_a_stale_token() {
    let server = Server::start();
    let stale = server.with_token("stale");
    for path in ["/posts", "/healthz", "/readyz", "/openapi.json", "/docs"] {
        stale.get(path).expect(200);
    }
    stale.post("/signup", json!({"email": "bob@example.com", "password": "violet-Kettle 88"})).expect_json(201);
}
