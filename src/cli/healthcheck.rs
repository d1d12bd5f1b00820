//! `keyfob healthcheck`: for images that contain only this program.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::CommandError;
use super::http::Service;
use crate::config::Settings;

/// Requests `/healthz` from the service that these settings describe.
pub(super) fn check(settings: &Settings) -> Result<(), CommandError> {
    let address = reachable(settings.server.bind);
    let service = Service::on_this_machine(address, settings.server.tls_cert.is_some())?;
    match service.get("/healthz")?.status {
        200 => Ok(()),
        status => Err(CommandError::Refused(format!("{address} answered {status}, not 200"))),
    }
}

/// The local address of a service: loopback if it listens on every address.
fn reachable(bind: SocketAddr) -> SocketAddr {
    let ip = match bind.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    SocketAddr::new(ip, bind.port())
}
