//! What one client can make the service keep in memory.
//!
//! The client comes from 127.0.0.2, which is this machine on Linux. The memory is that of the server's process at the most.
//! Its bounds are far from what the same requests took before they were there, and from the noise.
#![cfg(target_os = "linux")]

use std::fs;
use std::io::{ErrorKind, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{Server, Wire, connect_from, until};

const CLIENT: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const OTHER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);
const PATIENCE: Duration = Duration::from_secs(60);
const BODY_BYTES: usize = 262_143;
const FORM: &str = "application/x-www-form-urlencoded";

fn megabytes(server: &Server, name: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", server.id())).expect("the status of the process");
    let line = status.lines().find(|line| line.starts_with(name)).expect("a line");
    line.split_whitespace().nth(1).and_then(|kilobytes| kilobytes.parse::<u64>().ok()).expect("a number") / 1024
}

/// How much more than now the server has had at the most, once this is done.
fn growth_during(server: &Server, attack: impl FnOnce()) -> u64 {
    let before = megabytes(server, "VmRSS:");
    attack();
    megabytes(server, "VmHWM:").saturating_sub(before)
}

fn post(path: &str, kind: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: keyfob.test\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

fn filled(start: &str, filler: &str, end: &str) -> Vec<u8> {
    let room = BODY_BYTES - start.len() - end.len();
    let filler = filler.repeat(room / filler.len() + 1);
    [start.as_bytes(), &filler.as_bytes()[..room], end.as_bytes()].concat()
}

#[test]
fn a_form_of_many_parameters_is_refused_and_none_of_them_kept() {
    // Each log-in would take its time, and 40 of them wait for one another.
    let server = Server::with(&[("password.bcrypt_cost", "12"), ("rate_limit.enabled", "false")]);
    let user = "username=a%40example.com&password=wrong-password-1";
    let part = "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n\r\n";
    let parts = "--b\r\nContent-Disposition: form-data; name=\"username\"\r\n\r\na@example.com\r\n\
                 --b\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\nwrong-password-1\r\n";
    let forms = [
        post("/login", FORM, &filled(user, "&a", "")),
        post("/login", "multipart/form-data; boundary=b", &filled(parts, part, "\r\n--b--\r\n")),
    ];
    let growth = growth_during(&server, || {
        for form in &forms {
            let mut wires: Vec<Wire> = (0..40).map(|_| Wire::on(connect_from(CLIENT, &server.address))).collect();
            wires.iter_mut().for_each(|wire| _ = wire.try_send(form));
            for wire in &mut wires {
                let error = wire.answer(false).expect_oauth_error(400, "invalid_request");
                let detail = error["detail"].as_str().expect("a text");
                assert!(detail.contains("at most 64"), "{detail}");
            }
        }
    });
    assert!(growth < 60, "{growth} MB");
}

#[test]
fn a_value_that_is_too_long_is_wrong_and_not_kept_while_it_waits() {
    let server = Server::with(&[("password.bcrypt_cost", "10"), ("rate_limit.enabled", "false")]);
    let form = post("/login", FORM, &filled("username=a%40example.com&password=", "x", ""));
    let growth = growth_during(&server, || {
        let mut wires: Vec<Wire> = (0..40).map(|_| Wire::on(connect_from(CLIENT, &server.address))).collect();
        wires.iter_mut().for_each(|wire| wire.send(&form));
        for wire in &mut wires {
            wire.answer(false).expect_oauth_error(400, "invalid_grant");
        }
    });
    assert!(growth < 60, "{growth} MB");
}

#[test]
fn a_form_with_one_long_unknown_value_is_read_and_the_value_not_kept() {
    let server = Server::with(&[("rate_limit.enabled", "false")]);
    let form = post("/login", FORM, &filled("username=a%40example.com&password=wrong-password-1&filler=", "x", ""));
    let mut wires: Vec<Wire> = (0..40).map(|_| Wire::on(connect_from(CLIENT, &server.address))).collect();
    wires.iter_mut().for_each(|wire| wire.send(&form));
    for wire in &mut wires {
        wire.answer(false).expect_oauth_error(400, "invalid_grant");
    }
}

#[test]
fn a_body_in_chunks_of_one_byte_costs_no_multiple_of_its_size() {
    let server = Server::start();
    let head = format!("POST /login HTTP/1.1\r\nHost: x\r\nContent-Type: {FORM}\r\nTransfer-Encoding: chunked\r\n\r\n");
    let body: String = "u".repeat(30_000).chars().map(|byte| format!("1\r\n{byte}\r\n")).collect();
    let growth = growth_during(&server, || {
        let mut wires: Vec<Wire> = (0..100).map(|_| Wire::on(connect_from(CLIENT, &server.address))).collect();
        wires.iter_mut().for_each(|wire| wire.send(format!("{head}{body}").as_bytes()));
        // All of it has been read, and the end is still to come.
        for wire in &mut wires {
            wire.send(b"0\r\n\r\n");
            wire.answer(false).expect_oauth_error(400, "invalid_request");
        }
    });
    assert!(growth < 40, "{growth} MB");
}

#[test]
fn bodies_that_do_not_end_take_no_more_than_the_share_of_their_address() {
    /// 64 such bodies are a share.
    const MORE: usize = 80;
    let server = Server::start();
    let body = filled("{\"email\":\"a@example.com\",\"a\":[0", ",0", "]}");
    let request = post("/signup", "application/json", &body);
    let mut wires: Vec<Wire> = (0..MORE).map(|_| Wire::on(connect_from(CLIENT, &server.address))).collect();
    wires.iter_mut().for_each(|wire| _ = wire.try_send(&request[..request.len() - 1]));
    until("the share is used up", PATIENCE, || wires.iter().filter(|wire| !wire.is_silent()).count() >= MORE - 64);

    // Another address is not concerned, and what ends makes room.
    let whole = json!({"email": "b@example.com", "password": "violet-Kettle 88", "a": "x".repeat(200_000)}).to_string();
    let whole = post("/signup", "application/json", whole.as_bytes());
    let mut other = Wire::on(connect_from(OTHER, &server.address));
    other.send(&whole);
    other.answer(false).expect(201);
    let mut refused = wires.extract_if(.., |wire| !wire.is_silent()).collect::<Vec<Wire>>();
    let error = refused.first_mut().expect("one").answer(false);
    assert!(error.header("retry-after").is_some(), "{error}");
    error.expect_error(503);
    drop((wires, refused));
    until("there is room again", PATIENCE, || {
        let mut wire = Wire::on(connect_from(CLIENT, &server.address));
        wire.try_send(&whole) && wire.answer(false).status == 409
    });
}

/// Sends as much as the server takes while nobody reads what it answers.
fn send_all_that_is_taken(stream: &mut TcpStream, mut bytes: &[u8]) {
    stream.set_nonblocking(true).expect("a mode");
    let mut taken_at = Instant::now();
    while !bytes.is_empty() && taken_at.elapsed() < Duration::from_secs(2) {
        match stream.write(bytes) {
            Ok(count) => {
                bytes = &bytes[count..];
                taken_at = Instant::now();
            }
            Err(fault) if fault.kind() == ErrorKind::WouldBlock => std::thread::yield_now(),
            Err(_) => return,
        }
    }
}

#[test]
fn a_client_that_reads_no_responses_gets_no_more_of_them() {
    // On PostgreSQL as many pages are made at a time as there are connections.
    let server = Server::with(&[("database.pool_size", "2")]);
    let bob = server.sign_up("bob@example.com");
    for _ in 0..100 {
        bob.post("/posts", json!({"title": "large", "content": "x".repeat(20_000)})).expect(201);
    }
    let pages = b"GET /posts?limit=100 HTTP/1.1\r\nHost: keyfob.test\r\n\r\n".repeat(20);
    let empty = b"HEAD /posts/0 HTTP/1.1\r\nHost: keyfob.test\r\n\r\n".repeat(100_000);
    let mut held = Vec::new();
    let growth = growth_during(&server, || {
        for _ in 0..60 {
            let mut stream = connect_from(CLIENT, &server.address);
            send_all_that_is_taken(&mut stream, &pages);
            held.push(stream);
        }
        for _ in 0..4 {
            let mut stream = connect_from(CLIENT, &server.address);
            send_all_that_is_taken(&mut stream, &empty);
            held.push(stream);
        }
        // Another client is answered meanwhile.
        let mut other = Wire::on(connect_from(OTHER, &server.address));
        other.send(&pages[..pages.len() / 20]);
        assert!(other.answer(false).expect(200).body.len() > 2_000_000);
    });
    assert!(growth < 80, "{growth} MB");
}
