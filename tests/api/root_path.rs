//! `server.root_path`: behind a proxy that shows the service under a prefix. `tests/nginx` does so with a real one.

use serde_json::json;

use crate::support::{Home, PASSWORD, Server};

fn under_auth() -> Server {
    Server::with(&[("server.root_path", "/auth"), ("token.issuer", "https://id.test/auth")])
}

#[test]
fn requests_are_the_same_with_the_prefix_and_without() {
    let server = under_auth();
    let bob = server.sign_up("bob@example.com");
    for prefix in ["", "/auth"] {
        assert_eq!(bob.get(&format!("{prefix}/me")).expect_json(200)["email"], "bob@example.com");
        assert_eq!(bob.get(&format!("{prefix}/posts?limit=1")).expect_json(200)["items"], json!([]));
        server.get(&format!("{prefix}/posts/x")).expect_faults(&[&["path", "id"]]);
        server.get(&format!("{prefix}/nothing")).expect_error(404);
        let wrong_method = server.get(&format!("{prefix}/login"));
        assert_eq!(wrong_method.need("allow"), "POST");
        assert_eq!(wrong_method.expect(405).json()["error"], "invalid_request");
    }
    for path in ["/author/me", "/auth/auth/me", "/x/auth/me", "//auth/me"] {
        bob.get(path).expect_error(404);
    }
}

#[test]
fn urls_in_responses_have_the_prefix() {
    let server = under_auth();
    for path in ["/", "/auth", "/auth/"] {
        assert_eq!(server.get(path).expect(307).need("location"), "/auth/docs");
    }
    let signed_up = server.post("/auth/signup", json!({"email": "bob@example.com", "password": PASSWORD})).expect(201);
    let bob = server.log_in("bob@example.com");
    assert_eq!(signed_up.need("location"), format!("/auth/profile/{}", bob.id()));
    let written = bob.post("/posts", json!({"title": "a", "content": "b"})).expect(201);
    let location = written.need("location").to_owned();
    assert_eq!(location, format!("/auth/posts/{}", written.json()["id"]));
    server.get(&location).expect_json(200);
}

#[test]
fn the_document_names_server_and_token_endpoint_under_the_prefix() {
    let server = under_auth();
    let document = server.get("/auth/openapi.json").expect_json(200);
    assert_eq!(document["servers"], json!([{"url": "/auth"}]));
    let scheme = &document["components"]["securitySchemes"]["OAuth2PasswordBearer"];
    assert_eq!(scheme["flows"]["password"]["tokenUrl"], "/auth/login");
    assert!(scheme["flows"]["password"]["scopes"]["posts"].is_string());

    let plain = Server::start().get("/openapi.json").expect_json(200);
    assert_eq!(plain["paths"], document["paths"], "the paths are those after the server's");
    assert_eq!(plain["servers"][0]["url"], "/");
}

/// RFC 8414 §3.1: the well-known path is put before the issuer's own.
#[test]
fn the_metadata_is_found_from_the_issuer() {
    let server = under_auth();
    let metadata = server.get("/.well-known/oauth-authorization-server/auth").expect_json(200);
    assert_eq!(metadata["issuer"], "https://id.test/auth");
    assert_eq!(metadata["token_endpoint"], "https://id.test/auth/login");
    assert_eq!(metadata, server.get("/auth/.well-known/oauth-authorization-server").expect_json(200));
    server.get("/.well-known/oauth-authorization-server/other").expect_error(404);
    Server::start().get("/.well-known/oauth-authorization-server/auth").expect_error(404);
}

#[test]
fn a_prefix_that_is_a_path_of_the_service_stops_the_start() {
    for root_path in ["/posts", "/docs/keyfob", "/me"] {
        let line = Home::with(&[("server.root_path", root_path)]).run(&["serve"], "").expect_failure();
        assert!(line.starts_with(&format!("keyfob: server.root_path {root_path}: ")), "{line}");
    }
}
