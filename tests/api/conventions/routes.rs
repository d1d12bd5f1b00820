//! Paths, methods and ids.

use serde_json::json;

use super::author;
use crate::support::{Answer, Client, Server, header_names};

/// Every route but `/login`, with its methods as `Allow` lists them.
const ROUTES: [(&str, &str); 10] = [
    ("/", "GET, HEAD"),
    ("/docs", "GET, HEAD"),
    ("/openapi.json", "GET, HEAD"),
    ("/healthz", "GET, HEAD"),
    ("/readyz", "GET, HEAD"),
    ("/signup", "POST"),
    ("/profile/1", "GET, HEAD"),
    ("/me", "DELETE, GET, HEAD, PATCH"),
    ("/posts", "GET, HEAD, POST"),
    ("/posts/1", "DELETE, GET, HEAD, PATCH, PUT"),
];

/// Every method and path with an id in it.
const ID_ROUTES: [(&str, &str); 5] =
    [("GET", "/posts/"), ("PUT", "/posts/"), ("PATCH", "/posts/"), ("DELETE", "/posts/"), ("GET", "/profile/")];

const WRONG_IDS: [&str; 14] = [
    "0",
    "-1",
    "abc",
    "1.5",
    "1.0",
    "1e3",
    "9007199254740992",
    "9223372036854775808",
    "99999999999999999999999999",
    "1%20",
    "%00",
    "0x1",
    "null",
    "%C3%A9",
];

#[test]
fn an_unknown_path_is_404_whatever_the_method_and_the_credentials() {
    let server = Server::start();
    let bob = server.sign_up("bob@example.com");
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
        for path in ["/nothing", "/posts/1/comments", "/login/now", "/me/nothing", "/.env", "/signup/1"] {
            server.request(method, path).send().expect_error(404);
            bob.request(method, path).send().expect_error(404);
        }
    }
}

#[test]
fn a_known_path_with_a_wrong_method_is_405_and_allow_names_the_right_ones() {
    let server = Server::start();
    for (path, methods) in ROUTES {
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"] {
            if methods.split(", ").any(|known| known == method) {
                continue;
            }
            let answer = server.request(method, path).send();
            let allow = answer.need("allow").to_owned();
            assert_eq!(header_names(&allow).join(", "), methods, "{answer}");
            if method == "HEAD" {
                answer.expect_empty(405);
            } else {
                answer.expect_error(405);
            }
        }
    }
}

#[test]
fn a_method_that_nobody_knows_is_405_too() {
    let server = Server::start();
    for path in ["/posts", "/me", "/healthz"] {
        server.request("PROPFIND", path).send().expect_error(405);
    }
}

#[test]
fn head_answers_as_get_does_but_without_a_body() {
    let server = Server::start();
    let (bob, own) = author(&server);
    let profile = bob.profile_url();
    let paths = [
        "/",
        "/docs",
        "/openapi.json",
        "/healthz",
        "/readyz",
        "/posts",
        "/posts?limit=0",
        "/posts/abc",
        "/posts/999",
        "/me",
    ];
    for path in paths.into_iter().chain([own.as_str(), profile.as_str(), "/profile/999", "/nothing"]) {
        for client in [&bob as &Client, &server] {
            let (get, head) = (client.get(path), client.head(path));
            assert_eq!(head.status, get.status, "{head}");
            assert!(head.body.is_empty(), "{head}");
            assert_eq!(comparable(&head), comparable(&get), "{path}");
        }
    }
    assert_eq!(bob.head("/me").expect(200).need("content-length"), bob.get("/me").body.len().to_string());
}

#[test]
fn a_path_id_that_is_no_positive_integer_below_2_to_the_53_is_422() {
    let server = Server::start();
    let bob = server.sign_up("bob@example.com");
    for (method, path) in ID_ROUTES {
        for id in WRONG_IDS {
            bob.request(method, &format!("{path}{id}")).json(&json!({})).send().expect_error(422);
        }
    }
    server.get("/posts/abc").expect_faults(&[&["path", "id"]]);
    server.get("/posts/9007199254740991").expect_error(404);
    bob.get("/profile/9007199254740991").expect_error(403);
}

/// The headers that do not differ from one request to the next.
fn comparable(answer: &Answer) -> Vec<(String, String)> {
    let mut headers: Vec<_> =
        answer.headers.iter().filter(|(name, _)| name != "date" && name != "x-request-id").cloned().collect();
    headers.sort();
    headers
}
