//! How many connections an address may have, and what becomes of clients that read nothing or have vanished.
//!
//! All of 127.0.0.0/8 is this machine on Linux: a client may come from any address of it, and one that comes from
//! another than the server's is a client like any other.
#![cfg(target_os = "linux")]

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use crate::metrics;
use crate::support::{Client, Server, Wire, connect_from, until};

const HEALTH: &[u8] = b"GET /healthz HTTP/1.1\r\nHost: keyfob.test\r\n\r\n";
const CLIENT: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const OTHER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);
const SERVER: Ipv4Addr = Ipv4Addr::LOCALHOST;
const PATIENCE: Duration = Duration::from_secs(60);
const THREE: [(&str, &str); 2] = [("server.max_connections_per_address", "3"), ("server.keep_alive_seconds", "600")];

fn open_from(source: Ipv4Addr, server: &Server) -> Wire {
    Wire::on(connect_from(source, &server.address))
}

/// A connection that is answered and stays open.
#[track_caller]
fn open_and_use(source: Ipv4Addr, server: &Server) -> Wire {
    let mut wire = open_from(source, server);
    wire.send(HEALTH);
    wire.answer(false).expect(200);
    wire
}

/// Whether a new connection is answered, on which this much is sent at once.
fn is_answered(source: Ipv4Addr, server: &Server, request: &[u8]) -> bool {
    let mut wire = open_from(source, server);
    // One that is closed at once may be closed before it is written to.
    wire.try_send(request) && wire.until_closed().starts_with(b"HTTP/1.1 ")
}

fn warnings(server: &Server) -> usize {
    server.log().iter().filter(|line| line.contains("server.max_connections_per_address")).count()
}

#[test]
fn an_address_has_so_many_connections_and_further_ones_are_closed_at_once_and_not_read() {
    let mut settings = THREE.to_vec();
    settings.push(("server.metrics_bind", "127.0.0.1:0"));
    let server = Server::with(&settings);
    let mut held: Vec<Wire> = (0..3).map(|_| open_and_use(CLIENT, &server)).collect();
    let last = b"GET /refused HTTP/1.1\r\nHost: keyfob.test\r\nConnection: close\r\n\r\n";
    for _ in 0..5 {
        assert!(!is_answered(CLIENT, &server, last));
    }
    for wire in &mut held {
        wire.send(HEALTH);
        wire.answer(false).expect(200);
    }
    assert!(server.whole_log().iter().all(|line| !line.contains("/refused")), "a refused request was begun");
    until("it is said", PATIENCE, || warnings(&server) == 1);
    let page = Client::new(&metrics::address(&server)).get("/metrics").expect(200);
    assert!(page.text().contains("\nkeyfob_connections_refused_total 5\n"), "{page}");

    // Others are not concerned, and one that is closed makes room.
    let _others: Vec<Wire> = (0..3).map(|_| open_and_use(OTHER, &server)).collect();
    let again = b"GET /healthz HTTP/1.1\r\nHost: keyfob.test\r\nConnection: close\r\n\r\n";
    held.pop();
    until("there is room again", PATIENCE, || is_answered(CLIENT, &server, again));
    drop(held);
    until("there is room for three", PATIENCE, || {
        let three: Vec<Wire> = (0..3).map(|_| open_from(CLIENT, &server)).collect();
        three.into_iter().all(|mut wire| wire.try_send(again) && wire.until_closed().starts_with(b"HTTP/1.1 200 "))
    });
    assert_eq!(warnings(&server), 1, "once a minute");
}

#[test]
fn loopback_trusted_proxies_and_a_limit_of_zero_allow_any_number_of_connections() {
    let mut trusting = THREE.to_vec();
    trusting.push(("server.trusted_proxies", "127.0.0.2"));
    let (limited, trusting) = (Server::with(&THREE), Server::with(&trusting));
    let unlimited = Server::with(&[("server.max_connections_per_address", "0")]);
    for (source, server) in [(SERVER, &limited), (CLIENT, &trusting), (CLIENT, &unlimited)] {
        let wires: Vec<Wire> = (0..10).map(|_| open_and_use(source, server)).collect();
        assert!(wires.iter().all(Wire::is_silent));
    }
}

/// What the system knows of the server's end of a connection, in the words of `/proc/net/tcp`.
fn entry(server: &Server, client: &TcpStream) -> Option<Vec<String>> {
    let port = |address: SocketAddr| format!(":{:04X}", address.port());
    let (local, remote) = (port(client.peer_addr().expect("a peer")), port(client.local_addr().expect("an address")));
    let table = fs::read_to_string(format!("/proc/{}/net/tcp", server.id())).expect("the table of connections");
    let entries = table.lines().map(|line| line.split_whitespace().map(str::to_owned).collect::<Vec<String>>());
    entries.into_iter().find(|words| words.len() > 9 && words[1].ends_with(&local) && words[2].ends_with(&remote))
}

/// Whether the server has a file open for this connection, whatever state that is in.
fn is_held(server: &Server, inode: &str) -> bool {
    let files = fs::read_dir(format!("/proc/{}/fd", server.id())).expect("the files of the server");
    let name = format!("socket:[{inode}]");
    files.flatten().any(|file| fs::read_link(file.path()).is_ok_and(|link| link.as_os_str() == name.as_str()))
}

#[test]
fn a_connection_whose_client_reads_nothing_of_a_large_response_is_closed() {
    let server = Server::with(&[("server.request_seconds", "5"), ("server.keep_alive_seconds", "600")]);
    let stream = connect_from(CLIENT, &server.address);
    let mut wire = Wire::on(stream.try_clone().expect("a second handle"));
    // More than the system keeps for it in all.
    wire.send(b"GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: keyfob.test\r\n\r\n".repeat(64).as_slice());
    let mut inode = String::new();
    until("the server has it", PATIENCE, || {
        inode = entry(&server, &stream).expect("a connection")[9].clone();
        is_held(&server, &inode)
    });
    until("the server gives it up", PATIENCE, || !is_held(&server, &inode));
}

#[test]
fn tcp_keepalive_is_on() {
    const TIMER_OF_KEEPALIVE: &str = "02:";
    let server = Server::with(&[("server.keep_alive_seconds", "600")]);
    let stream = connect_from(CLIENT, &server.address);
    let _wire = open_and_use_on(&stream);
    until("the timer runs", PATIENCE, || {
        entry(&server, &stream).is_some_and(|words| words[5].starts_with(TIMER_OF_KEEPALIVE))
    });
}

#[track_caller]
fn open_and_use_on(stream: &TcpStream) -> Wire {
    let mut wire = Wire::on(stream.try_clone().expect("a second handle"));
    wire.send(HEALTH);
    wire.answer(false).expect(200);
    wire
}
