//! Which check comes before which.

use serde_json::json;

use super::{Framing, MAX_BODY_BYTES, author, padded, upload};
use crate::support::Server;

#[test]
fn route_and_method_come_before_the_size() {
    let server = Server::start();
    let body = padded("{}", MAX_BODY_BYTES + 1);
    for (line, status) in [("POST /nothing", 404), ("PUT /posts", 405), ("POST /healthz", 405), ("DELETE /me/x", 404)] {
        upload(&server, line, "content-type: application/json\r\n", &body, Framing::Length).expect_error(status);
    }
}

#[test]
fn the_size_comes_before_the_credentials() {
    let server = Server::start();
    let body = padded("{}", MAX_BODY_BYTES + 1);
    for line in ["POST /posts", "PATCH /me", "PUT /posts/1", "PATCH /posts/abc", "POST /signup"] {
        for headers in ["content-type: text/plain\r\n", "authorization: Bearer bad\r\n", ""] {
            upload(&server, line, headers, &body, Framing::Length).expect_error(413);
        }
    }
}

#[test]
fn credentials_come_before_the_path_id_the_content_type_and_the_body() {
    let server = Server::start();
    for (method, path) in [
        ("PUT", "/posts/abc"),
        ("PATCH", "/posts/0"),
        ("DELETE", "/posts/1.5"),
        ("GET", "/profile/abc"),
        ("PUT", "/posts/1"),
    ] {
        server.request(method, path).body("text/plain", "{").send().expect_no_credentials();
        server.with_token("bad").request(method, path).body("text/plain", "{").send().expect_invalid_token();
    }
    for (method, path) in [("POST", "/posts"), ("PATCH", "/me")] {
        server.request(method, path).body("text/plain", "{").send().expect_no_credentials();
        server.request(method, path).body("application/json", "").send().expect_no_credentials();
    }
}

#[test]
fn the_scope_comes_before_the_path_id_the_content_type_and_the_body() {
    let server = Server::start();
    server.sign_up("bob@example.com");
    let reader = server.log_in_for("bob@example.com", "profile");
    for (method, path) in [("PUT", "/posts/abc"), ("PATCH", "/posts/0"), ("DELETE", "/posts/999"), ("POST", "/posts")] {
        reader.request(method, path).body("text/plain", "{").send().expect_insufficient_scope("posts");
    }
    let writer = server.log_in_for("bob@example.com", "posts");
    writer.get("/profile/abc").expect_insufficient_scope("profile");
    writer.request("PATCH", "/me").body("text/plain", "{").send().expect_insufficient_scope("profile");
}

#[test]
fn the_path_id_comes_before_the_content_type() {
    let server = Server::start();
    let bob = server.sign_up("bob@example.com");
    for method in ["PUT", "PATCH"] {
        bob.request(method, "/posts/abc").body("text/plain", "{").send().expect_faults(&[&["path", "id"]]);
        bob.request(method, "/posts/0").body("application/json", "").send().expect_faults(&[&["path", "id"]]);
    }
}

#[test]
fn the_content_type_and_the_body_come_before_existence_and_owner() {
    let server = Server::start();
    let (_bob, own) = author(&server);
    let eve = server.sign_up("eve@example.com");
    for path in [own.as_str(), "/posts/9007199254740991"] {
        for method in ["PUT", "PATCH"] {
            eve.request(method, path).body("text/plain", "{}").send().expect_error(415);
            eve.request(method, path).body("application/json", "{").send().expect_error(400);
            eve.request(method, path).body("application/json", "").send().expect_error(400);
            eve.request(method, path)
                .json(&json!({"title": 1, "content": "c"}))
                .send()
                .expect_faults(&[&["body", "title"]]);
        }
    }
}

#[test]
fn existence_and_owner_come_before_if_match() {
    let server = Server::start();
    let (_bob, own) = author(&server);
    let eve = server.sign_up("eve@example.com");
    for method in ["PUT", "PATCH", "DELETE"] {
        for tag in ["\"stale\"", "*"] {
            let send = |path: &str| {
                eve.request(method, path).header("if-match", tag).json(&json!({"title": "t", "content": "c"})).send()
            };
            send(&own).expect_error(403);
            send("/posts/9007199254740991").expect_error(404);
        }
    }
}
