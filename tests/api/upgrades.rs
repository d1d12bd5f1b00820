//! Wishes for another protocol, which are ignored (RFC 9110 §7.8), and several requests on one connection.

use crate::support::{Answer, Server, Wire};

const FORM: &str = "grant_type=password&username=nobody%40example.com&password=wrong-password-1";
const H2C: &str = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n";
const WEBSOCKET: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

fn login(headers: &str) -> String {
    let length = FORM.len();
    format!(
        "POST /login HTTP/1.1\r\nHost: keyfob.test\r\n{headers}Content-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {length}\r\n\r\n{FORM}"
    )
}

fn get(path: &str, headers: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: keyfob.test\r\n{headers}\r\n")
}

/// The answer speaks of no other protocol, and its connection is kept.
#[track_caller]
fn expect_kept(answer: Answer, status: u16) -> Answer {
    let answer = answer.expect(status);
    assert_eq!(answer.header("connection"), None, "{answer}");
    assert_eq!(answer.header("upgrade"), None, "{answer}");
    answer
}

#[test]
fn an_upgrade_header_is_ignored_and_the_connection_kept() {
    let server = Server::start();
    let mut wire = Wire::open(&server.address);
    let nginx = "Connection: upgrade\r\n";
    let wishes = [nginx, H2C, WEBSOCKET, "connection: keep-alive,upgrade\r\nupgrade: TLS/1.0\r\n", "Upgrade: h2c\r\n"];
    for wish in wishes {
        wire.send(get("/healthz", wish).as_bytes());
        expect_kept(wire.answer(false), 200);
        wire.send(login(wish).as_bytes());
        expect_kept(wire.answer(false), 400).expect_oauth_error(400, "invalid_grant");
        let chunked = "Transfer-Encoding: chunked\r\n";
        let post = format!("POST /signup HTTP/1.1\r\nHost: x\r\n{wish}{chunked}Content-Type: application/json\r\n\r\n");
        wire.send(format!("{post}2\r\n{{}}\r\n0\r\n\r\n").as_bytes());
        expect_kept(wire.answer(false), 422);
    }
    assert!(wire.is_silent(), "the connection is still there");
}

#[test]
fn an_upgrade_header_that_arrives_byte_by_byte_is_ignored_too() {
    let server = Server::start();
    let mut wire = Wire::open(&server.address);
    for byte in format!("{}{}", login(WEBSOCKET), get("/healthz", H2C)).as_bytes() {
        wire.send(&[*byte]);
    }
    expect_kept(wire.answer(false), 400);
    expect_kept(wire.answer(false), 200);
    assert!(wire.is_silent());
}

#[test]
fn of_three_pipelined_requests_the_last_answer_alone_says_close() {
    let server = Server::start();
    for wish in ["", H2C, WEBSOCKET] {
        let mut wire = Wire::open(&server.address);
        let last = get("/readyz", &format!("{wish}Connection: close\r\n"));
        let beyond = get("/healthz", "");
        wire.send(format!("{}{}{last}{beyond}", login(wish), get("/posts", wish)).as_bytes());
        expect_kept(wire.answer(false), 400);
        expect_kept(wire.answer(false), 200);
        let answer = wire.answer(false).expect(200);
        assert_eq!(answer.header("connection"), Some("close"), "{answer}");
        assert_eq!(wire.until_closed(), b"", "what comes after the last request is not answered");
    }
}

#[test]
fn one_hundred_pipelined_requests_are_answered_in_their_order() {
    let server = Server::start();
    let mut wire = Wire::open(&server.address);
    let requests: String = (0..100).map(|number| get("/healthz", &format!("X-Request-Id: r{number}\r\n"))).collect();
    wire.send(requests.as_bytes());
    for number in 0..100 {
        let answer = expect_kept(wire.answer(false), 200);
        assert_eq!(answer.header("x-request-id"), Some(format!("r{number}").as_str()));
    }
    // HEAD, answers without a body and errors are followed by the next one too.
    wire.send(
        format!("{}{}{}", get("/nothing", ""), "HEAD /posts HTTP/1.1\r\nHost: x\r\n\r\n", get("/posts", "")).as_bytes(),
    );
    expect_kept(wire.answer(false), 404);
    expect_kept(wire.answer(true), 200);
    expect_kept(wire.answer(false), 200);
}

#[test]
fn expect_100_continue_is_answered_and_the_connection_is_kept() {
    let server = Server::start();
    let mut wire = Wire::open(&server.address);
    let request = login("Expect: 100-continue\r\n");
    let (head, body) = request.split_at(request.len() - FORM.len());
    for _ in 0..2 {
        wire.send(head.as_bytes());
        assert_eq!(wire.answer(true).status, 100);
        wire.send(body.as_bytes());
        expect_kept(wire.answer(false), 400);
    }
    assert!(wire.is_silent());
}

#[test]
fn connect_is_refused_and_the_connection_closed() {
    let server = Server::start();
    let mut wire = Wire::open(&server.address);
    wire.send(
        format!("CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n{}", get("/healthz", "")).as_bytes(),
    );
    let answer = wire.answer(false);
    assert!([404, 405].contains(&answer.status), "{answer}");
    assert_eq!(answer.header("connection"), Some("close"), "{answer}");
    assert_eq!(wire.until_closed(), b"", "what is in the tunnel is no request");
}

#[test]
fn http_2_is_not_spoken_without_tls_either() {
    let server = Server::start();
    let mut wire = Wire::open(&server.address);
    wire.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0");
    let answer = wire.answer(false);
    assert_eq!(answer.status, 400, "{answer}");
    assert_eq!(answer.header("connection"), Some("close"), "{answer}");
    assert_eq!(wire.until_closed(), b"");
}

#[test]
fn an_unreadable_request_is_no_error_in_the_log() {
    let server = Server::start();
    for nonsense in
        ["\0\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"]
    {
        let mut wire = Wire::open(&server.address);
        wire.send(nonsense.as_bytes());
        assert!(wire.until_closed().starts_with(b"HTTP/1.1 400 "));
    }
    let log = server.whole_log();
    assert!(log.iter().all(|line| !line.contains("\"ERROR\"")), "{}", log.join("\n"));
}
