//! Contract, "`POST /login`": the bodies that it reads, and those that it does not.

use serde_json::json;

use crate::support::{Answer, PASSWORD, Server, Wire};

const BOB: &str = "bob@example.com";
const FORM: &str = "application/x-www-form-urlencoded";
const BODY: &str = "grant_type=password&username=bob%40example.com&password=violet-Kettle%2088";

fn server_with_bob() -> Server {
    let server = Server::start();
    server.post("/signup", json!({"email": BOB, "password": PASSWORD})).expect(201);
    server
}

fn send(server: &Server, content_type: &str, body: impl Into<Vec<u8>>) -> Answer {
    server.request("POST", "/login").body(content_type, body).send()
}

/// Fields as JavaScript's `FormData` sends them.
fn multipart(fields: &[(&str, &str)]) -> String {
    let part = |(name, value): &(&str, &str)| {
        format!("------WebKitFormBoundaryX\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    fields.iter().map(part).collect::<String>() + "------WebKitFormBoundaryX--\r\n"
}

fn send_multipart(server: &Server, fields: &[(&str, &str)]) -> Answer {
    send(server, "multipart/form-data; boundary=----WebKitFormBoundaryX", multipart(fields))
}

#[test]
fn case_and_parameters_of_the_content_type_do_not_matter() {
    let server = server_with_bob();
    for content_type in [
        FORM,
        "application/x-www-form-urlencoded;charset=UTF-8",
        "application/x-www-form-urlencoded; charset=utf-8",
        "Application/X-WWW-Form-Urlencoded",
        "application/x-www-form-urlencoded; x=y",
        "application/x-www-form-urlencoded;",
    ] {
        send(&server, content_type, BODY).expect_json(200);
    }
}

#[test]
fn blanks_come_as_plus_or_as_percent_20() {
    let server = server_with_bob();
    for password in ["violet-Kettle+88", "violet-Kettle%2088"] {
        send(&server, FORM, format!("username=bob@example.com&password={password}&scope=profile+posts"))
            .expect_json(200);
    }
    send(&server, FORM, "username=bob@example.com&password=violet-Kettle%2B88")
        .expect_oauth_error(400, "invalid_grant");
}

#[test]
fn empty_pairs_in_the_form_are_ignored() {
    let server = server_with_bob();
    send(&server, FORM, format!("&&{BODY}&&")).expect_json(200);
    send(&server, FORM, format!("{BODY}&scope&client_id&client_secret=")).expect_json(200);
    for body in ["", "&", "username", "username&password", "=", "a=b"] {
        send(&server, FORM, body).expect_oauth_error(400, "invalid_request");
    }
}

#[test]
fn multipart_form_data_is_read_like_a_form() {
    let server = server_with_bob();
    let good = [("username", BOB), ("password", PASSWORD)];
    send_multipart(&server, &good).expect_json(200);
    let empties = [("grant_type", ""), ("scope", ""), ("client_id", ""), ("client_secret", "")];
    send_multipart(&server, &[&good[..], &empties].concat()).expect_json(200);
    let all = [("grant_type", "password"), ("scope", "posts"), ("client_id", "keyfob"), ("unknown", "x")];
    let grant = send_multipart(&server, &[&good[..], &all].concat()).expect_json(200);
    assert_eq!(grant["scope"], "posts");
}

#[test]
fn the_password_in_multipart_form_data_is_never_trimmed() {
    let server = Server::start();
    let password = " blanks %20 + & \r\n around \t";
    server.post("/signup", json!({"email": BOB, "password": password})).expect(201);
    send_multipart(&server, &[("username", BOB), ("password", password)]).expect_json(200);
    send_multipart(&server, &[("username", BOB), ("password", password.trim())])
        .expect_oauth_error(400, "invalid_grant");
}

#[test]
fn the_rules_for_parameters_hold_in_multipart_form_data_too() {
    let server = server_with_bob();
    let error = send_multipart(&server, &[("username", BOB)]).expect_oauth_error(400, "invalid_request");
    assert!(error["detail"].as_str().unwrap().contains("password"), "{error}");
    let twice = [("username", BOB), ("username", BOB), ("password", PASSWORD)];
    let error = send_multipart(&server, &twice).expect_oauth_error(400, "invalid_request");
    assert!(error["detail"].as_str().unwrap().contains("username"), "{error}");
    send_multipart(&server, &[("username", BOB), ("password", "a wrong password")])
        .expect_oauth_error(400, "invalid_grant");
    send_multipart(&server, &[("grant_type", "implicit"), ("username", BOB)])
        .expect_oauth_error(400, "unsupported_grant_type");
}

#[test]
fn broken_multipart_form_data_is_invalid_request() {
    let server = server_with_bob();
    let whole = multipart(&[("username", BOB), ("password", PASSWORD)]);
    let content_type = "multipart/form-data; boundary=----WebKitFormBoundaryX";
    send(&server, "multipart/form-data", whole.as_str()).expect_oauth_error(400, "invalid_request");
    send(&server, "multipart/form-data; boundary=other", whole.as_str()).expect_oauth_error(400, "invalid_request");
    send(&server, content_type, &whole.as_bytes()[..whole.len() / 2]).expect_oauth_error(400, "invalid_request");
    send(&server, content_type, "").expect_oauth_error(400, "invalid_request");
    send(&server, content_type, BODY).expect_oauth_error(400, "invalid_request");
    let nameless = "------WebKitFormBoundaryX\r\n\r\nbob\r\n------WebKitFormBoundaryX--\r\n";
    send(&server, content_type, nameless).expect_oauth_error(400, "invalid_request");
    let invalid = multipart(&[("username", BOB), ("password", "@@")]).into_bytes();
    let invalid: Vec<u8> = invalid.into_iter().map(|byte| if byte == b'@' { 0xff } else { byte }).collect();
    send(&server, content_type, invalid).expect_oauth_error(400, "invalid_request");
}

#[test]
fn another_content_type_is_invalid_request_and_the_right_one_is_named() {
    let server = server_with_bob();
    let body = json!({"grant_type": "password", "username": BOB, "password": PASSWORD}).to_string();
    for content_type in
        ["application/json", "application/json; charset=utf-8", "text/plain", "text/html", "application/xml", "x"]
    {
        let error = send(&server, content_type, body.as_str()).expect_oauth_error(400, "invalid_request");
        assert!(error["detail"].as_str().unwrap().contains(FORM), "{content_type}: {error}");
    }
    for body in [BODY, ""] {
        let error = server.request("POST", "/login").bytes(body).send().expect_oauth_error(400, "invalid_request");
        assert!(error["detail"].as_str().unwrap().contains(FORM), "no content type: {error}");
    }
}

#[test]
fn a_form_that_is_not_utf_8_is_invalid_request() {
    let server = server_with_bob();
    send(&server, FORM, "username=bob%ff&password=x").expect_oauth_error(400, "invalid_request");
    send(&server, FORM, "username=bob%40example.com&password=%C3%28").expect_oauth_error(400, "invalid_request");
    send(&server, FORM, &b"username=bob\xff&password=x"[..]).expect_oauth_error(400, "invalid_request");
    send(&server, FORM, &b"\xff\xfe\x00"[..]).expect_oauth_error(400, "invalid_request");
}

#[test]
fn a_body_over_the_limit_is_413_with_an_oauth_body() {
    let server = server_with_bob();
    let filler = format!("{BODY}&filler={}", "x".repeat(262_144));
    let head = format!("POST /login HTTP/1.1\r\nhost: {}\r\n", server.address);
    for content_type in [FORM, "multipart/form-data; boundary=x", "application/json"] {
        let sized = format!("{head}content-type: {content_type}\r\ncontent-length: {}\r\n\r\n{filler}", filler.len());
        Wire::exchange(&server.address, sized.as_bytes()).expect_oauth_error(413, "invalid_request");
        let size = filler.len();
        let chunked = format!(
            "{head}content-type: {content_type}\r\ntransfer-encoding: chunked\r\n\r\n{size:x}\r\n{filler}\r\n0\r\n\r\n"
        );
        Wire::exchange(&server.address, chunked.as_bytes()).expect_oauth_error(413, "invalid_request");
    }
}

#[test]
fn a_body_at_the_limit_is_read() {
    let server = server_with_bob();
    let filler = "x".repeat(262_144 - BODY.len() - "&filler=".len());
    let body = format!("{BODY}&filler={filler}");
    assert_eq!(body.len(), 262_144);
    send(&server, FORM, body).expect_json(200);
}

#[test]
fn the_request_that_swagger_ui_sends_is_answered() {
    let server = server_with_bob();
    let grant = server
        .request("POST", "/login")
        .header("accept", "application/json, text/plain, */*")
        .header("x-requested-with", "XMLHttpRequest")
        .header("authorization", "Basic Og==")
        .body(FORM, "grant_type=password&scope=profile+posts&username=bob%40example.com&password=violet-Kettle+88")
        .send()
        .expect_json(200);
    assert_eq!(grant["token_type"], "bearer");
}

#[test]
fn a_form_sent_in_chunks_is_read() {
    let server = server_with_bob();
    let (first, second) = BODY.split_at(20);
    let request = format!(
        "POST /login HTTP/1.1\r\nhost: {}\r\ncontent-type: {FORM}\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{first}\r\n{:x}\r\n{second}\r\n0\r\n\r\n",
        server.address,
        first.len(),
        second.len()
    );
    Wire::exchange(&server.address, request.as_bytes()).expect_json(200);
}
