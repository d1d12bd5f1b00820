//! Request ids, and the headers of every response.

use serde_json::json;

use super::author;
use crate::support::{Server, is_request_id};

#[test]
fn a_request_id_that_fits_is_echoed() {
    let server = Server::start();
    let longest = "x".repeat(128);
    for id in ["a", "req-1.2_3", "0b1f6d0e-7d0c-4b0a-9d54-5f5d0d6c1c1a", longest.as_str()] {
        for path in ["/healthz", "/nothing", "/me", "/posts/abc", "/docs"] {
            let answer = server.request("GET", path).header("x-request-id", id).send();
            assert_eq!(answer.need("x-request-id"), id, "{answer}");
        }
        let answer = server.request("GET", "/login").header("x-request-id", id).send();
        assert_eq!(answer.need("x-request-id"), id, "{answer}");
    }
}

#[test]
fn a_request_id_that_does_not_fit_is_replaced() {
    let server = Server::start();
    let too_long = "x".repeat(129);
    for id in ["", "a b", "a,b", "a/b", "a\"b", "é", "<script>", "a\tb", "a:b", too_long.as_str()] {
        let answer = server.request("GET", "/healthz").header("x-request-id", id).send();
        let given = answer.need("x-request-id");
        assert!(given != id && is_request_id(given), "{id:?}: {answer}");
    }
}

#[test]
fn each_request_without_an_id_gets_one_of_its_own() {
    let server = Server::start();
    let first = server.get("/healthz").expect(200).need("x-request-id").to_owned();
    let second = server.get("/healthz").expect(200).need("x-request-id").to_owned();
    assert_ne!(first, second);
}

#[test]
fn every_response_whatever_its_status_has_a_request_id_and_forbids_sniffing() {
    let server = Server::start();
    let (bob, own) = author(&server);
    let tag = server.get(&own).need("etag").to_owned();
    server.get("/").expect(307);
    server.get("/posts").expect(200);
    server.request("GET", &own).header("if-none-match", &tag).send().expect(304);
    bob.post("/posts", json!({})).expect(422);
    bob.request("POST", "/posts").body("text/plain", "x").send().expect(415);
    bob.request("PUT", &own)
        .header("if-match", "\"x\"")
        .json(&json!({"title": "t", "content": "c"}))
        .send()
        .expect(412);
    server.get("/me").expect(401);
    server.get("/nothing").expect(404);
    server.delete("/posts").expect(405);
    server.login(&[]).expect(400);
    bob.delete(&own).expect(204);
}
