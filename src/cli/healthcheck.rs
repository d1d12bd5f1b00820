//! `keyfob healthcheck`: for images that hold nothing but this program.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use super::CommandError;
use crate::config::Settings;

const WITHIN: Duration = Duration::from_secs(3);

/// Asks the service that these settings describe whether it lives; under TLS, whether it takes a connection.
pub(super) fn check(settings: &Settings) -> Result<(), CommandError> {
    let address = reachable(settings.server.bind);
    let unhealthy = |cause: &dyn std::fmt::Display| CommandError::Refused(format!("{address}: {cause}"));
    let mut stream = TcpStream::connect_timeout(&address, WITHIN).map_err(|error| unhealthy(&error))?;
    if settings.server.tls_cert.is_some() {
        return Ok(());
    }
    let status = ask(&mut stream, address).map_err(|error| unhealthy(&error))?;
    if status.split(' ').nth(1) == Some("200") { Ok(()) } else { Err(unhealthy(&status)) }
}

/// The status line of `/healthz`.
fn ask(stream: &mut TcpStream, address: SocketAddr) -> std::io::Result<String> {
    stream.set_read_timeout(Some(WITHIN))?;
    stream.set_write_timeout(Some(WITHIN))?;
    stream.write_all(format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes())?;
    let mut answer = Vec::new();
    stream.take(1024).read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).lines().next().unwrap_or("no answer").to_owned())
}

/// Where a service that listens everywhere is reached from here.
fn reachable(bind: SocketAddr) -> SocketAddr {
    let ip = match bind.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    SocketAddr::new(ip, bind.port())
}
