//! Bodies: their size, their type, and JSON that is none.

use serde_json::json;

use super::{Framing, MAX_BODY_BYTES, author, padded, upload};
use crate::support::Server;

/// Every route that takes a JSON body.
const BODY_ROUTES: [(&str, &str); 5] =
    [("POST", "/signup"), ("PATCH", "/me"), ("POST", "/posts"), ("PUT", "/posts/{own}"), ("PATCH", "/posts/{own}")];

#[test]
fn a_body_over_the_limit_is_413_whether_its_length_is_declared_or_not() {
    let server = Server::start();
    let (bob, own) = author(&server);
    for (method, path) in BODY_ROUTES {
        let path = path.replace("/posts/{own}", &own);
        for framing in [Framing::Length, Framing::Chunked] {
            let body = padded("{}", MAX_BODY_BYTES + 1);
            upload(&server, &format!("{method} {path}"), &json_with(&bob.token), &body, framing).expect_error(413);
        }
    }
}

#[test]
fn a_body_at_the_limit_is_read() {
    let server = Server::start();
    let token = server.sign_up("bob@example.com").token;
    for framing in [Framing::Length, Framing::Chunked] {
        let body = padded(r#"{"title":"padded","content":"text"}"#, MAX_BODY_BYTES);
        upload(&server, "POST /posts", &json_with(&token), &body, framing).expect_json(201);
    }
}

#[test]
fn the_body_limit_is_a_setting() {
    let server = Server::with(&[("server.max_body_bytes", "2000")]);
    let token = server.sign_up("bob@example.com").token;
    for (bytes, status) in [(2000, 201), (2001, 413)] {
        let body = padded(r#"{"title":"padded","content":"text"}"#, bytes);
        let answer = upload(&server, "POST /posts", &json_with(&token), &body, Framing::Length);
        assert_eq!(answer.status, status, "{bytes} bytes: {answer}");
    }
}

#[test]
fn a_wrong_content_type_is_415() {
    let server = Server::start();
    let (bob, own) = author(&server);
    for (method, path) in BODY_ROUTES {
        let path = path.replace("/posts/{own}", &own);
        for content_type in
            ["text/plain", "text/json", "application/x-www-form-urlencoded", "application/jsonp", "application", "*/*"]
        {
            bob.request(method, &path).body(content_type, "{}").send().expect_error(415);
        }
        bob.request(method, &path).bytes("{}").send().expect_error(415);
    }
}

#[test]
fn case_and_parameters_of_the_content_type_do_not_matter() {
    let server = Server::start();
    let bob = server.sign_up("bob@example.com");
    let body = json!({"title": "t", "content": "c"}).to_string();
    for content_type in [
        "application/json",
        "APPLICATION/JSON",
        "Application/Json;Charset=UTF-8",
        "application/json; charset=utf-8",
        "application/json;charset=\"utf-8\"",
        "application/json; charset=iso-8859-1",
        "application/json; profile=x",
        "application/json ; charset=utf-8",
    ] {
        bob.request("POST", "/posts").body(content_type, body.as_str()).send().expect_json(201);
    }
}

#[test]
fn malformed_json_is_400() {
    let server = Server::start();
    let (bob, own) = author(&server);
    let bodies: [&[u8]; 12] = [
        b"{",
        b"{\"title\":}",
        b"nul",
        b"{'title': 'x'}",
        b"{\"title\": \"x\"} x",
        b"{\"title\": \"x\",}",
        b"title=x&content=y",
        b"{\"title\": \"\xff\"}",
        b"\xff\xfe",
        b"{\"title\": \"a\nb\"}",
        b"{\"title\" \"x\"}",
        b"<title/>",
    ];
    for (method, path) in BODY_ROUTES {
        let path = path.replace("/posts/{own}", &own);
        for body in bodies {
            bob.request(method, &path).body("application/json", body).send().expect_error(400);
        }
    }
}

#[test]
fn an_empty_body_is_400() {
    let server = Server::start();
    let (bob, own) = author(&server);
    for (method, path) in BODY_ROUTES {
        let path = path.replace("/posts/{own}", &own);
        for body in ["", " ", "\r\n\t "] {
            bob.request(method, &path).body("application/json", body).send().expect_error(400);
        }
    }
}

#[test]
fn a_body_that_is_no_object_is_422() {
    let server = Server::start();
    let (bob, own) = author(&server);
    for (method, path) in BODY_ROUTES {
        let path = path.replace("/posts/{own}", &own);
        for body in ["[]", "\"text\"", "1", "null", "true", "[{\"title\":\"x\",\"content\":\"y\"}]"] {
            bob.request(method, &path).body("application/json", body).send().expect_faults(&[&["body"]]);
        }
    }
}

#[test]
fn extreme_json_is_refused_with_a_problem_document() {
    let server = Server::start();
    let bob = server.sign_up("bob@example.com");
    let deep = format!("{}{}", "[".repeat(50_000), "]".repeat(50_000));
    let deep_field = format!("{{\"title\":{deep},\"content\":\"c\"}}");
    let lone_surrogate = r#"{"title":"\ud800","content":"c"}"#.to_owned();
    let huge_number = r#"{"title":1e999,"content":"c"}"#.to_owned();
    for body in [deep, deep_field, lone_surrogate, huge_number] {
        let answer = bob.request("POST", "/posts").body("application/json", body).send();
        let status = answer.status;
        assert!(status == 400 || status == 422, "{answer}");
        answer.expect_error(status);
    }
}

/// The headers of a JSON request with this token.
fn json_with(token: &str) -> String {
    format!("content-type: application/json\r\nauthorization: Bearer {token}\r\n")
}
