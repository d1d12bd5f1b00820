//! `keyfob healthcheck`: for images that hold nothing but this program.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::CommandError;
use super::http::Service;
use crate::config::Settings;

/// Asks the service that these settings describe for `/healthz`.
pub(super) fn check(settings: &Settings) -> Result<(), CommandError> {
    let address = reachable(settings.server.bind);
    let service = Service::on_this_machine(address, settings.server.tls_cert.is_some())?;
    match service.get("/healthz")?.status {
        200 => Ok(()),
        status => Err(CommandError::Refused(format!("{address}: answered {status}"))),
    }
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
