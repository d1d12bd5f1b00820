//! Contract, "Conventions": answers with personal data are kept by no cache, whatever their status.

use serde_json::json;

use crate::docs::{concrete, document, operations};
use crate::support::{PASSWORD, Server};

/// Paths whose answers hold personal data or tokens.
const PRIVATE: [&str; 12] = [
    "login",
    "signup",
    "revoke",
    "introspect",
    "me",
    "profile",
    "users",
    "audit",
    "password-reset",
    "email-verification",
    "email-change",
    "invitation",
];

fn is_private(path: &str) -> bool {
    path.split('/').nth(1).is_some_and(|first| PRIVATE.contains(&first))
}

#[test]
fn no_cache_may_keep_an_answer_with_personal_data_nor_its_head_nor_its_errors() {
    let server = Server::start();
    let bob = server.sign_up("bob@example.com");
    let profile = bob.profile_url();
    for path in ["/me", "/me/sessions", profile.as_str(), "/profile/9", "/profile/abc", "/me/nothing", "/%6de"] {
        for answer in [bob.get(path), bob.head(path), server.get(path), server.head(path), bob.post(path, json!({}))] {
            assert_eq!(answer.need("cache-control"), "no-store", "{answer}");
        }
    }
    for (method, path, body) in [
        ("PATCH", "/me", json!({"full_name": "Bob"})),
        ("PATCH", "/me", json!({"full_name": 1})),
        ("POST", "/me/password", json!({"current_password": "a wrong one", "new_password": PASSWORD})),
        ("DELETE", "/me/sessions/99", json!({})),
        ("DELETE", "/me/sessions", json!({})),
        ("DELETE", "/me", json!({"password": PASSWORD})),
        ("GET", "/me", json!({})),
    ] {
        let answer = bob.request(method, path).json(&body).send();
        assert_eq!(answer.need("cache-control"), "no-store", "{answer}");
    }
}

#[test]
fn the_document_names_the_header_where_it_is_sent_and_nowhere_else() {
    let server = Server::start();
    let operations = operations(&document(&server));
    for (method, path, operation) in &operations {
        for (status, response) in operation["responses"].as_object().expect("responses") {
            let is_named = response["headers"].get("Cache-Control").is_some();
            assert_eq!(is_named, is_private(path), "{method} {path} {status}");
        }
        let answer = server.request(method, &concrete(path)).send();
        assert_eq!(answer.header("cache-control") == Some("no-store"), is_private(path), "{answer}");
    }
    assert!(operations.iter().filter(|(_, path, _)| is_private(path)).count() >= 11, "{operations:?}");
}

#[test]
fn public_answers_do_not_forbid_caching() {
    let server = Server::start();
    let bob = server.sign_up("bob@example.com");
    let own = bob.write_post("mine");
    for path in ["/posts", own.as_str(), "/docs", "/openapi.json", "/.well-known/jwks.json", "/nothing"] {
        let answer = bob.get(path);
        assert_ne!(answer.header("cache-control"), Some("no-store"), "{answer}");
    }
}
