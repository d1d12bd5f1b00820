//! Clients that send too much, too slowly or what may be read in two ways (RFC 9112 §11), on bare sockets.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::support::{Server, Wire};

const HEALTH: &str = "GET /healthz HTTP/1.1\r\nHost: keyfob.test\r\n";
const SIGN_UP: &str = "POST /signup HTTP/1.1\r\nHost: keyfob.test\r\nContent-Type: application/json\r\n";
const LOG_IN: &str = "POST /login HTTP/1.1\r\nHost: keyfob.test\r\nContent-Type: application/x-www-form-urlencoded\r\n";
const CHUNKED: &str = "Transfer-Encoding: chunked\r\n";
/// How many clients sit there and say nothing.
const IDLE: usize = 1000;

fn header_of(bytes: usize) -> String {
    format!("X-Filler: {}\r\n", "a".repeat(bytes))
}

#[test]
fn a_head_over_64_kib_is_answered_431_and_the_connection_is_closed() {
    let server = Server::start();
    let long = header_of(64 * 1024);
    let many = header_of(1024).repeat(64);
    let (query, filler) = ("a".repeat(40 * 1024), header_of(30 * 1024));
    let both = format!("GET /healthz?{query} HTTP/1.1\r\nHost: keyfob.test\r\n{filler}");
    for head in [format!("{HEALTH}{long}\r\n"), format!("{HEALTH}{many}\r\n"), format!("{both}\r\n")] {
        let mut wire = Wire::open(&server.address);
        wire.send(head.as_bytes());
        let answer = wire.answer(false);
        assert_eq!(answer.header("connection"), Some("close"), "{answer}");
        let problem = answer.expect_error(431);
        assert_eq!(problem["detail"], "The headers are too large: at most 65536 bytes are allowed.");
        assert_eq!(wire.until_closed(), b"");
    }
    for path in ["/login", "/revoke", "/introspect"] {
        let mut wire = Wire::open(&server.address);
        wire.send(format!("POST {path} HTTP/1.1\r\nHost: keyfob.test\r\nContent-Length: 0\r\n{long}\r\n").as_bytes());
        let error = wire.answer(false).expect_oauth_error(431, "invalid_request");
        assert_eq!(error["detail"], "The headers are too large: at most 65536 bytes are allowed");
        assert_eq!(wire.until_closed(), b"");
    }
    let request = format!("{HEALTH}{}\r\n", header_of(63 * 1024));
    Wire::exchange(&server.address, request.as_bytes()).expect(200);
}

#[test]
fn a_head_that_does_not_end_within_128_kib_or_96_headers_is_answered_431_and_the_connection_is_closed() {
    let server = Server::start();
    let endless = format!("{HEALTH}X-Filler: ");
    let endless = format!("{endless}{}", "a".repeat(128 * 1024 - endless.len()));
    for head in [endless, format!("{HEALTH}{}\r\n", header_of(1).repeat(97))] {
        let mut wire = Wire::open(&server.address);
        wire.send(head.as_bytes());
        assert_eq!(wire.answer(false).status, 431);
        assert_eq!(wire.until_closed(), b"");
    }
}

#[test]
fn a_request_head_that_arrives_too_slowly_gets_408_and_the_connection_is_closed() {
    let server = Server::with(&[("server.request_seconds", "5")]);
    let mut wire = Wire::open(&server.address);
    wire.send(format!("{HEALTH}X-Filler: ").as_bytes());
    wire.drip(b'a');
    let mut silent = Wire::open(&server.address);
    for wire in [&mut wire, &mut silent] {
        assert_eq!(wire.answer(false).status, 408);
        assert_eq!(wire.until_closed(), b"");
    }
}

#[test]
fn a_body_that_arrives_too_slowly_gets_408_and_the_connection_is_closed() {
    let server = Server::with(&[("server.request_seconds", "5")]);
    // All at once: each waits for as long as the limit says.
    let drip = |head: &str, framing: &str, byte: u8| {
        let mut wire = Wire::open(&server.address);
        // The size of the chunk, or the first bytes of the body.
        wire.send(format!("{head}{framing}\r\nfffff\r\n").as_bytes());
        wire.drip(byte);
        wire
    };
    let framings = ["Content-Length: 100000\r\n", CHUNKED];
    let sign_ups = framings.map(|framing| drip(SIGN_UP, framing, b' '));
    let log_ins = framings.map(|framing| drip(LOG_IN, framing, b'a'));
    for mut wire in sign_ups {
        let answer = wire.answer(false);
        assert_eq!(answer.header("connection"), Some("close"), "{answer}");
        let problem = answer.expect_error(408);
        assert_eq!(problem["detail"], "The body took too long: it must arrive within 5 seconds.");
        assert_eq!(wire.until_closed(), b"");
    }
    for mut wire in log_ins {
        let answer = wire.answer(false);
        assert_eq!(answer.header("connection"), Some("close"), "{answer}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{answer}");
        assert_eq!(answer.expect_json(408)["error"], "invalid_request");
        assert_eq!(wire.until_closed(), b"");
    }
}

/// Sends a request that hides another behind it, and gives all that comes back until the server closes.
#[track_caller]
fn smuggle(server: &Server, request: &str) -> String {
    let mut wire = Wire::open(&server.address);
    wire.send(format!("{request}{HEALTH}\r\n").as_bytes());
    String::from_utf8_lossy(&wire.until_closed()).into_owned()
}

#[test]
fn a_head_that_two_servers_could_read_differently_is_answered_400_once_and_the_connection_is_closed() {
    let server = Server::start();
    let body = "0\r\n\r\n";
    for headers in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n",
        "Content-Length: 5\r\nContent-Length: 0\r\n",
        "Content-Length: 0\r\nContent-Length: 5\r\n",
        "Content-Length: 5\r\nContent-Length: 5\r\n",
        "Content-Length: 5, 5\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: -5\r\n",
        "Content-Length: 0x5\r\n",
        "Content-Length: 5 0\r\n",
        "Content-Length:\r\n",
        "Content-Length: 18446744073709551621\r\n",
        "Content-Length : 5\r\n",
        "Content-Length\r\n : 5\r\n",
        "Content-Length:\r\n 5\r\n",
        "X-Folded: a\r\n b\r\nContent-Length: 5\r\n",
        "X-Folded: a\r\n\tTransfer-Encoding: chunked\r\n",
        "X-Bare: a\rTransfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "X-Zero: a\0b\r\nContent-Length: 5\r\n",
        "Transfer-Encoding:\r\n chunked\r\n",
        "Transfer-Encoding : chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "Transfer-Encoding: identity\r\nContent-Length: 5\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: \x0bchunked\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: \"chunked\"\r\n",
        "Host: other.test\r\nContent-Length: 5\r\n",
    ] {
        let received = smuggle(&server, &format!("{SIGN_UP}{headers}\r\n{body}"));
        assert!(
            received.starts_with("HTTP/1.1 400 ") && received.matches("HTTP/1.").count() == 1,
            "{headers:?} {received}"
        );
    }
    let old = SIGN_UP.replace("HTTP/1.1", "HTTP/1.0");
    let nameless = SIGN_UP.replace("Host: keyfob.test\r\n", "Content-Length: 5\r\n");
    for request in [format!("{old}{CHUNKED}\r\n{body}"), format!("{old}\r\n{body}"), format!("{nameless}\r\n{body}")] {
        let received = smuggle(&server, &request);
        assert!(received.contains(" 400 ") && received.matches("HTTP/1.").count() == 1, "{request:?} {received}");
    }
}

#[test]
fn chunks_that_two_servers_could_read_differently_end_the_connection() {
    let server = Server::with(&[("server.keep_alive_seconds", "1")]);
    let whole = "2\r\n{}\r\n0\r\n\r\n";
    // What is asked is whether the request behind it is reached: here it is.
    let mut wire = Wire::open(&server.address);
    wire.send(format!("{SIGN_UP}{CHUNKED}\r\n{whole}{HEALTH}\r\n").as_bytes());
    wire.answer(false).expect_error(422);
    wire.answer(false).expect(200);

    for chunks in [
        "2\n{}\r\n0\r\n\r\n",
        "2\r{}\r\n0\r\n\r\n",
        "2\r\n{}\n0\r\n\r\n",
        "2\r\n{}0\r\n\r\n",
        "2\r\n{}\r0\r\n\r\n",
        "0x2\r\n{}\r\n0\r\n\r\n",
        "+2\r\n{}\r\n0\r\n\r\n",
        " 2\r\n{}\r\n0\r\n\r\n",
        "-2\r\n{}\r\n0\r\n\r\n",
        "2 2\r\n{}\r\n0\r\n\r\n",
        "2;a\nb\r\n{}\r\n0\r\n\r\n",
        "2;a\rb\r\n{}\r\n0\r\n\r\n",
        "10000000000000002\r\n{}\r\n0\r\n\r\n",
        "\r\n2\r\n{}\r\n0\r\n\r\n",
        "2\r\n{}\r\n0\n\r\n",
    ] {
        let received = smuggle(&server, &format!("{SIGN_UP}{CHUNKED}\r\n{chunks}"));
        let is_refused = received.is_empty() || received.starts_with("HTTP/1.1 400 ");
        assert!(is_refused && received.matches("HTTP/1.").count() <= 1, "{chunks:?} {received}");
    }
    // A bare LF where the end or a trailer is due begins a trailer: the request behind it is part of that, and dropped.
    let received = smuggle(&server, &format!("{SIGN_UP}{CHUNKED}\r\n2\r\n{{}}\r\n0\r\n\n"));
    assert!(received.starts_with("HTTP/1.1 422 ") && received.matches("HTTP/1.").count() == 1, "{received}");
}

#[test]
fn a_thousand_idle_connections_keep_no_request_from_being_answered_and_are_closed_in_time() {
    let files = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: files.maximum, ..files }).expect("more files for the test");
    let server = Server::with(&[("server.request_seconds", "15"), ("server.keep_alive_seconds", "15")]);
    let mut silent: Vec<Wire> = (0..IDLE / 2).map(|_| Wire::open(&server.address)).collect();
    let mut used: Vec<Wire> = (0..IDLE / 2).map(|_| Wire::open(&server.address)).collect();
    for wire in &mut used {
        wire.send(format!("{HEALTH}\r\n").as_bytes());
        wire.answer(false).expect(200);
    }
    server.sign_up("ann@example.com").get("/me").expect(200);
    assert!(silent.iter().chain(&used).all(Wire::is_silent), "some were closed too early");

    for wire in &mut silent {
        assert_eq!(wire.answer(false).status, 408);
        assert_eq!(wire.until_closed(), b"");
    }
    for wire in &mut used {
        assert_eq!(wire.until_closed(), b"");
    }
    server.get("/healthz").expect(200);
}
