//! HTTPS by the service itself, and certificates that change while it runs.
//!
//! The certificates are self-signed for `localhost` until 2126; a client here trusts one of them and no other.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::support::{Home, Server, Wire, until};

const FIRST: Pair = Pair(include_str!("certificates/first.crt"), include_str!("certificates/first.key"));
const SECOND: Pair = Pair(include_str!("certificates/second.crt"), include_str!("certificates/second.key"));
const PATIENCE: Duration = Duration::from_secs(30);

/// A certificate and a key, both PEM.
#[derive(Clone, Copy)]
struct Pair(&'static str, &'static str);

/// A connection over TLS.
struct Secure(StreamOwned<ClientConnection, TcpStream>);

impl Secure {
    /// `None` where the server shows another certificate than this one.
    fn open(address: &str, trusted: Pair) -> Option<Self> {
        Self::over(TcpStream::connect(address).expect("the server listens"), trusted, &[])
    }

    /// On a connection that is there, for the first of these protocols that the server knows.
    fn over(stream: TcpStream, trusted: Pair, protocols: &[&str]) -> Option<Self> {
        match Self::try_over(stream, trusted, protocols) {
            Ok(secure) => Some(secure),
            Err(fault) => {
                assert!(fault.to_string().contains("certificate"), "{fault}");
                None
            }
        }
    }

    fn try_over(mut stream: TcpStream, trusted: Pair, protocols: &[&str]) -> std::io::Result<Self> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(trusted.0.as_bytes()).unwrap()).unwrap();
        let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        let mut connection =
            ClientConnection::new(Arc::new(config), ServerName::try_from("localhost").unwrap()).unwrap();
        stream.set_read_timeout(Some(Duration::from_mins(1))).expect("a read timeout");
        while connection.is_handshaking() {
            connection.complete_io(&mut stream)?;
        }
        Ok(Self(StreamOwned::new(connection, stream)))
    }

    /// The status line of an answer whose body is not empty.
    fn status_of_health(&mut self) -> String {
        self.0.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("the server reads");
        let mut received = Vec::new();
        while !received.ends_with(b"}") {
            let mut buffer = [0; 4096];
            let count = self.0.read(&mut buffer).expect("an answer");
            assert!(count > 0, "closed: {}", String::from_utf8_lossy(&received));
            received.extend_from_slice(&buffer[..count]);
        }
        String::from_utf8_lossy(&received).lines().next().unwrap_or_default().to_owned()
    }
}

fn write(home: &Home, certificate: &str, key: &str) {
    home.write("cert.pem", certificate);
    home.write("key.pem", key);
}

fn home() -> Home {
    let home = Home::with(&[
        ("server.tls_cert", "cert.pem"),
        ("server.tls_key", "key.pem"),
        ("server.keep_alive_seconds", "600"),
    ]);
    write(&home, FIRST.0, FIRST.1);
    home
}

#[track_caller]
fn expect_shown(server: &Server, pair: Pair) {
    until("the certificate is shown", PATIENCE, || Secure::open(&server.address, pair).is_some());
}

fn failures(server: &Server) -> usize {
    server.log().iter().filter(|line| line.contains("could not reload the certificate")).count()
}

#[test]
fn sighup_brings_a_new_certificate_to_new_connections_and_leaves_the_others() {
    let server = Server::at(Arc::new(home()));
    let mut early = Secure::open(&server.address, FIRST).expect("the first certificate");
    assert_eq!(early.status_of_health(), "HTTP/1.1 200 OK");
    assert!(Secure::open(&server.address, SECOND).is_none());

    write(&server.home, SECOND.0, SECOND.1);
    assert!(Secure::open(&server.address, SECOND).is_none(), "nothing was said yet");
    server.signal("HUP");
    expect_shown(&server, SECOND);
    assert!(Secure::open(&server.address, FIRST).is_none());
    assert_eq!(early.status_of_health(), "HTTP/1.1 200 OK");
    assert_eq!(failures(&server), 0);
}

#[test]
fn a_byte_order_mark_before_the_certificate_and_the_key_is_no_fault() {
    let home = home();
    write(&home, &format!("\u{feff}{}", FIRST.0), &format!("\u{feff}{}", FIRST.1));
    let server = Server::at(Arc::new(home));
    assert!(Secure::open(&server.address, FIRST).is_some());
}

#[test]
fn files_that_cannot_be_used_keep_the_certificate_and_are_logged_without_the_key() {
    let server = Server::at(Arc::new(home()));
    let pem_of_nothing = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    let unusable =
        [(SECOND.0, FIRST.1), (FIRST.0, SECOND.1), ("", SECOND.1), (SECOND.0, ""), (FIRST.0, pem_of_nothing)];
    for (round, (certificate, key)) in unusable.into_iter().enumerate() {
        write(&server.home, certificate, key);
        server.signal("HUP");
        until("the fault is logged", PATIENCE, || failures(&server) == round + 1);
        assert!(Secure::open(&server.address, FIRST).is_some(), "round {round}");
    }
    fs::remove_file(server.home.folder().join("cert.pem")).expect("a file");
    server.signal("HUP");
    until("the fault is logged", PATIENCE, || failures(&server) == unusable.len() + 1);
    assert!(Secure::open(&server.address, FIRST).is_some());

    let log = server.log().join("\n");
    for pair in [FIRST, SECOND] {
        assert!(pair.1.lines().all(|line| !log.contains(line)), "{log}");
    }
    write(&server.home, SECOND.0, SECOND.1);
    server.signal("HUP");
    expect_shown(&server, SECOND);
}

#[test]
fn a_certificate_with_another_key_stops_the_start_with_one_line() {
    let home = home();
    write(&home, FIRST.0, SECOND.1);
    let line = home.run(&["serve"], "").expect_failure();
    assert!(line.starts_with("keyfob: server.tls_cert cert.pem: "), "{line}");
}

/// Whatever the certificate says: it is for the public name, and a health check asks by address.
#[test]
fn a_health_check_asks_a_service_under_tls_too() {
    let mut server = Server::at(Arc::new(home()));
    let mut asker = home();
    asker.set("server.bind", &server.address);
    asker.run(&["healthcheck"], "").expect_success();
    server.kill();
    asker.run(&["healthcheck"], "").expect_failure();
    // What takes connections and answers nothing is not healthy.
    let _silent = std::net::TcpListener::bind(&server.address).expect("the address is free");
    asker.run(&["healthcheck"], "").expect_failure();
}

#[test]
fn clients_that_never_do_their_handshake_keep_no_other_waiting() {
    /// More than actix-tls has handshakes under way at a time, unless it is told otherwise.
    const SILENT: usize = 300;
    let mut home = home();
    home.set("server.workers", "1");
    let server = Server::at(Arc::new(home));
    // A silent one is closed after a time, and others are served then at the latest. Now and then a machine may be so
    // busy that this takes no longer than an answer.
    until("an answer while all of them are there", PATIENCE, || {
        let silent: Vec<Wire> = (0..SILENT).map(|_| Wire::open(&server.address)).collect();
        let mut client = Secure::open(&server.address, FIRST).expect("the certificate");
        client.status_of_health() == "HTTP/1.1 200 OK" && silent.iter().all(Wire::is_silent)
    });
}

#[test]
fn over_tls_http_1_1_alone_is_spoken() {
    let server = Server::at(Arc::new(home()));
    let connect = || TcpStream::connect(&server.address).expect("the server listens");
    for offered in [&["h2", "http/1.1"][..], &["http/1.1"], &[]] {
        let mut client = Secure::over(connect(), FIRST, offered).expect("the certificate");
        let expected = offered.contains(&"http/1.1").then_some(&b"http/1.1"[..]);
        assert_eq!(client.0.conn.alpn_protocol(), expected, "of {offered:?}");
        assert_eq!(client.status_of_health(), "HTTP/1.1 200 OK");
    }
    let refused =
        Secure::try_over(connect(), FIRST, &["h2"]).err().expect("a client that speaks HTTP/2 alone is refused");
    assert!(refused.to_string().contains("NoApplicationProtocol"), "{refused}");
    // The preface of HTTP/2 is no request, whatever was agreed on.
    let mut client = Secure::open(&server.address, FIRST).expect("the certificate");
    client.0.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").expect("the server reads");
    let mut start = [0; 13];
    client.0.read_exact(&mut start).expect("an answer");
    assert_eq!(&start, b"HTTP/1.1 400 ");
}

#[test]
fn an_upgrade_header_is_ignored_over_tls_too() {
    let server = Server::at(Arc::new(home()));
    let mut client = Secure::open(&server.address, FIRST).expect("the certificate");
    for _ in 0..3 {
        let wish = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
        client.0.write_all(wish).expect("the server reads");
        assert_eq!(client.status_of_health(), "HTTP/1.1 200 OK");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn connections_over_tls_are_limited_too() {
    use crate::support::connect_from;

    let mut home = home();
    home.set("server.max_connections_per_address", "1");
    let server = Server::at(Arc::new(home));
    let hold = || {
        let stream = connect_from(std::net::Ipv4Addr::new(127, 0, 0, 2), &server.address);
        let mut wire = Secure::over(stream, FIRST, &["http/1.1"]).expect("the certificate");
        let request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
        let is_answered = wire.0.write_all(request).is_ok() && wire.0.read_exact(&mut [0; 9]).is_ok();
        is_answered.then_some(wire)
    };
    let _held = hold().expect("there is room for one");
    assert!(hold().is_none() && hold().is_none(), "beside one");
}
