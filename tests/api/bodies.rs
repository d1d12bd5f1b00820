//! Contract, "Conventions": what may stand before a body and around it.

use serde_json::{Value, json};

use crate::docs::{concrete, document, operations};
use crate::support::{PASSWORD, Server};

const BOB: &str = "bob@example.com";
const MARK: &str = "\u{feff}";

/// Every operation that takes a JSON body, as method and path.
fn json_routes(server: &Server) -> Vec<(String, String)> {
    let takes_json = |operation: &Value| operation["requestBody"]["content"]["application/json"].is_object();
    let routes = operations(&document(server)).into_iter().filter(|(_, _, operation)| takes_json(operation));
    let routes: Vec<_> = routes.map(|(method, path, _)| (method, concrete(&path))).collect();
    assert!(routes.len() >= 7, "{routes:?}");
    routes
}

#[test]
fn a_byte_order_mark_before_json_is_ignored_on_every_route() {
    let server = Server::start();
    let bob = server.sign_up(BOB);
    bob.write_post("mine");
    for (method, path) in json_routes(&server) {
        for body in ["{}", "{", "", "[]", r#"{"title":1,"password":1,"email":"x","full_name":2}"#] {
            let send = |body: String| bob.request(&method, &path).body("application/json", body).send();
            let (plain, marked) = (send(body.to_owned()), send(format!("{MARK}{body}")));
            let (told, expected) = (&marked.json()["detail"], &plain.json()["detail"]);
            assert_eq!((marked.status, told), (plain.status, expected), "{body:?}: {marked}");
        }
    }
    let post = json!({"title": "t", "content": "c"});
    bob.request("POST", "/posts").body("application/json", format!("{MARK}{post}")).send().expect_json(201);
}

#[test]
fn a_byte_order_mark_before_a_form_is_ignored_too() {
    let server = Server::start();
    server.sign_up(BOB);
    let multipart = |name: &str, value: &str| {
        format!("--limit\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let fields = [("scope", "profile"), ("username", BOB), ("password", PASSWORD)];
    let parts: String = fields.iter().map(|(name, value)| multipart(name, value)).collect();
    let pairs: Vec<_> = fields.iter().map(|(name, value)| format!("{name}={}", value.replace(' ', "+"))).collect();
    for (content_type, body) in [
        ("application/x-www-form-urlencoded", pairs.join("&")),
        ("multipart/form-data; boundary=limit", format!("{parts}--limit--\r\n")),
    ] {
        let answer = server.request("POST", "/login").body(content_type, format!("{MARK}{body}")).send();
        assert_eq!(answer.expect_json(200)["scope"], "profile", "the first parameter is read");
    }
}

#[test]
fn a_second_mark_or_one_of_another_encoding_is_400() {
    let server = Server::start();
    let bob = server.sign_up(BOB);
    let body = json!({"title": "t", "content": "c"}).to_string();
    let utf_16: Vec<u8> = std::iter::once(0xfeff).chain(body.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    for body in [format!("{MARK}{MARK}{body}").into_bytes(), format!(" {MARK}{body}").into_bytes(), utf_16] {
        bob.request("POST", "/posts").body("application/json", body).send().expect_error(400);
    }
}

/// The routes with a body that need no credentials.
const OPEN_ROUTES: [&str; 8] = [
    "/signup",
    "/signup/confirm",
    "/invitation",
    "/password-reset",
    "/password-reset/confirm",
    "/email-verification/confirm",
    "/email-change/confirm",
    "/email-change/undo",
];

/// `{}` under gzip.
const PACKED_JSON: &[u8] = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xab\xae\x05\x00\x43\xbf\xa6\xa3\x02\x00\x00\x00";
/// `token=x` under gzip.
const PACKED_FORM: &[u8] =
    b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\x2b\xc9\xcf\x4e\xcd\xb3\xad\x00\x00\x3e\x80\x8c\xe8\x07\x00\x00\x00";

#[test]
fn a_compressed_body_is_415_on_every_json_route_and_the_coding_is_named() {
    let server = Server::start();
    let root = server.admin(BOB);
    root.write_post("mine");
    for (method, path) in json_routes(&server) {
        for (value, named) in
            [("gzip", "gzip"), ("GZIP", "GZIP"), ("br", "br"), ("identity, deflate", "deflate"), ("x\"\\é", "x????")]
        {
            let request = root.request(&method, &path).header("content-encoding", value);
            let answer = request.body("application/json", PACKED_JSON).send();
            assert_eq!(answer.need("accept-encoding"), "identity", "RFC 9110 §12.5.3: {answer}");
            let problem = answer.expect_error(415);
            assert!(problem["detail"].as_str().unwrap().contains(&format!("Content-Encoding {named} ")), "{problem}");
        }
        root.request(&method, &path).header("content-encoding", "gzip").json(&json!({})).send().expect_error(415);
        let wrong_type = root.request(&method, &path).header("content-encoding", "gzip").body("text/plain", "{}");
        wrong_type.send().expect_error(415);
        let anyone = server.request(&method, &path).header("content-encoding", "gzip").json(&json!({})).send();
        let is_open = OPEN_ROUTES.contains(&path.as_str());
        assert_eq!(anyone.status, if is_open { 415 } else { 401 }, "credentials come first: {anyone}");
    }
}

#[test]
fn a_compressed_form_is_invalid_request_and_the_coding_is_named() {
    let server = Server::start();
    for path in ["/login", "/revoke", "/introspect"] {
        for content_type in ["application/x-www-form-urlencoded", "multipart/form-data; boundary=limit"] {
            for (value, named) in [("gzip", "gzip"), ("identity,br", "br"), ("x\"\\é", "x????")] {
                let request = server.request("POST", path).header("content-encoding", value);
                let error = request.body(content_type, PACKED_FORM).send().expect_oauth_error(400, "invalid_request");
                assert!(error["detail"].as_str().unwrap().contains(&format!("Content-Encoding {named} ")), "{error}");
            }
        }
    }
}

#[test]
fn a_body_with_content_encoding_identity_is_read() {
    let server = Server::start();
    let bob = server.sign_up(BOB);
    for value in ["identity", "Identity", "", " ,identity,", "identity, identity"] {
        let post = json!({"title": "t", "content": "c"});
        bob.request("POST", "/posts").header("content-encoding", value).json(&post).send().expect_json(201);
        let form = [("username", BOB), ("password", PASSWORD)];
        server.request("POST", "/login").header("content-encoding", value).form(&form).send().expect_json(200);
    }
}
