//! Faults in fields: all at once, each once.

use serde_json::{Value, json};

use super::author;
use crate::support::{PASSWORD, Server};

#[test]
fn all_faults_of_a_body_are_named_at_once_each_once() {
    let server = Server::start();
    let (bob, own) = author(&server);
    let (title, content) = (["body", "title"], ["body", "content"]);
    for (method, path) in [("POST", "/posts"), ("PUT", own.as_str())] {
        let send = |body: Value| bob.request(method, path).json(&body).send();
        send(json!({})).expect_faults(&[&title, &content]);
        send(json!({"title": 1, "content": false})).expect_faults(&[&title, &content]);
        send(json!({"title": null, "content": []})).expect_faults(&[&title, &content]);
        send(json!({"title": "", "content": "c"})).expect_faults(&[&title]);
        send(json!({"title": "t"})).expect_faults(&[&content]);
    }
    server.post("/signup", json!({"email": 1, "password": "short", "full_name": {}})).expect_faults(&[
        &["body", "email"],
        &["body", "password"],
        &["body", "full_name"],
    ]);
    server.post("/signup", json!({})).expect_faults(&[&["body", "email"], &["body", "password"]]);
}

#[test]
fn all_faults_of_a_query_are_named_at_once_each_once() {
    let server = Server::start();
    server.get("/posts?limit=0&author_id=x&cursor=!!").expect_faults(&[
        &["query", "limit"],
        &["query", "author_id"],
        &["query", "cursor"],
    ]);
}

#[test]
fn unknown_fields_are_ignored() {
    let server = Server::start();
    let body = json!({"email": "bob@example.com", "password": PASSWORD, "is_admin": true, "is_active": false, "id": 77, "email_verified": true, "x": [1]});
    let user = server.post("/signup", body).expect_json(201);
    assert_eq!(
        (&user["is_admin"], &user["is_active"], &user["email_verified"]),
        (&json!(false), &json!(true), &json!(false))
    );
    assert_ne!(user["id"], 77);
    let bob = server.log_in("bob@example.com");
    let user =
        bob.patch("/me", json!({"full_name": "Bob", "is_admin": true, "email": "x@example.com"})).expect_json(200);
    assert_eq!((&user["is_admin"], &user["email"]), (&json!(false), &json!("bob@example.com")));
    let post = bob.post("/posts", json!({"title": "t", "content": "c", "author_id": 99, "id": 5})).expect_json(201);
    assert_eq!(post["author_id"], bob.id());
    server.get("/posts?unknown=1").expect_json(200);
}

#[test]
fn a_nul_character_in_any_text_is_422() {
    let server = Server::start();
    let (bob, own) = author(&server);
    let nul = "null\0character";
    server
        .post("/signup", json!({"email": "n\0@example.com", "password": PASSWORD}))
        .expect_faults(&[&["body", "email"]]);
    server.post("/signup", json!({"email": "n@example.com", "password": nul})).expect_faults(&[&["body", "password"]]);
    server
        .post("/signup", json!({"email": "n@example.com", "password": PASSWORD, "full_name": nul}))
        .expect_faults(&[&["body", "full_name"]]);
    bob.patch("/me", json!({"full_name": nul})).expect_faults(&[&["body", "full_name"]]);
    for (method, path) in [("POST", "/posts"), ("PUT", own.as_str()), ("PATCH", own.as_str())] {
        let both = json!({"title": nul, "content": nul});
        bob.request(method, path).json(&both).send().expect_faults(&[&["body", "title"], &["body", "content"]]);
    }
    for name in ["limit", "author_id", "cursor"] {
        server.get(&format!("/posts?{name}=1%00")).expect_faults(&[&["query", name]]);
    }
}
