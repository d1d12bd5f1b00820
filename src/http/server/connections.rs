//! The connections of clients: how many one address may have, and when to end those whose client has gone or reads
//! nothing.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use actix_web::dev::Extensions;
use actix_web::rt::net::TcpStream;
use actix_web::web::Data;
use rustix::net::{RecvFlags, Shutdown, listen, recv, shutdown, sockopt};

use crate::db::Timestamp;
use crate::http::origin::TrustedProxies;
use crate::metrics::Metrics;
use crate::network::network;

/// Connections that may wait to be accepted, as many as actix-web's default.
const BACKLOG: i32 = 1024;
/// Least time between two log lines about refused connections, in seconds.
const SAY_EVERY_SECONDS: u64 = 60;

/// Listens for connections that the system closes when a client has read none of the waiting bytes within `patience`,
/// or has silently disappeared: actix-http 3.20 has no timeout for either.
pub(crate) fn listen_on(address: SocketAddr, patience: Duration) -> std::io::Result<TcpListener> {
    let listener = TcpListener::bind(address)?;
    // Accepted connections inherit these options (tcp(7)).
    sockopt::set_socket_keepalive(&listener, true)?;
    sockopt::set_tcp_keepidle(&listener, patience)?;
    sockopt::set_tcp_keepintvl(&listener, patience)?;
    #[cfg(target_os = "linux")]
    sockopt::set_tcp_user_timeout(&listener, u32::try_from(patience.as_millis()).unwrap_or(u32::MAX))?;
    listen(&listener, BACKLOG)?;
    Ok(listener)
}

/// The open connections by client address.
pub(crate) struct Connections {
    /// Limit for one address; 0 means no limit.
    max: u32,
    proxies: Data<TrustedProxies>,
    metrics: Option<Data<Metrics>>,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    by_network: HashMap<IpAddr, u32>,
    /// Connections refused since the last log line.
    refused: u64,
    said_at: Option<Timestamp>,
}

/// An open connection. Dropped together with what actix-http keeps for the connection, and its requests in flight.
struct Held {
    connections: Arc<Connections>,
    network: IpAddr,
}

impl Connections {
    pub(crate) fn new(max: u32, proxies: Data<TrustedProxies>, metrics: Option<Data<Metrics>>) -> Arc<Self> {
        Arc::new(Self { max, proxies, metrics, open: Mutex::default() })
    }

    /// Counts a new connection, or closes it. A TLS connection is new once its handshake is done.
    pub(crate) fn admit(self: &Arc<Self>, stream: &TcpStream, extensions: &mut Extensions) {
        let (Ok(peer), Ok(local)) = (stream.peer_addr(), stream.local_addr()) else { return };
        if !self.is_limited(peer.ip(), local.ip()) {
            return;
        }
        let network = network(peer.ip());
        match self.take(network) {
            Some(held) => {
                extensions.insert(held);
            }
            None => {
                close(stream);
                self.say(network, Timestamp::now());
            }
        }
    }

    /// Not limited: trusted proxies, which carry all users, and connections from this machine itself, which may come
    /// from a proxy that is not declared.
    fn is_limited(&self, peer: IpAddr, local: IpAddr) -> bool {
        self.max > 0 && peer != local && !self.proxies.trusts(peer.to_canonical())
    }

    fn take(self: &Arc<Self>, network: IpAddr) -> Option<Held> {
        let mut open = self.lock();
        let count = open.by_network.entry(network).or_default();
        if *count >= self.max {
            return None;
        }
        *count += 1;
        Some(Held { connections: Arc::clone(self), network })
    }

    fn say(&self, network: IpAddr, now: Timestamp) {
        if let Some(metrics) = &self.metrics {
            metrics.count_refused_connection();
        }
        if let Some(refused) = self.lock().count_refused(now) {
            tracing::warn!(
                %network,
                refused,
                "connections over server.max_connections_per_address were refused; if this address is a proxy, add it to \
                 server.trusted_proxies"
            );
        }
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    /// The number of refused connections, if a log line is due.
    fn count_refused(&mut self, now: Timestamp) -> Option<u64> {
        self.refused += 1;
        if self.said_at.is_some_and(|at| at.plus_seconds(SAY_EVERY_SECONDS) > now) {
            return None;
        }
        self.said_at = Some(now);
        Some(std::mem::take(&mut self.refused))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut open = self.connections.lock();
        if let Some(count) = open.by_network.get_mut(&self.network) {
            *count -= 1;
            if *count == 0 {
                open.by_network.remove(&self.network);
            }
        }
    }
}

/// Ends a connection and drops the bytes that have arrived: a request that cannot be answered should not begin.
fn close(stream: &TcpStream) {
    // The client may have closed the connection already.
    let _gone = shutdown(stream, Shutdown::Both);
    let mut dropped = [0_u8; 4096];
    while recv(stream, &mut dropped[..], RecvFlags::DONTWAIT).is_ok_and(|(count, _)| count > 0) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connections(max: u32) -> Arc<Connections> {
        let proxies = TrustedProxies::new(vec!["10.0.0.0/8".parse().expect("a network")]);
        Connections::new(max, Data::new(proxies), None)
    }

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn each_address_has_as_many_as_the_setting_says_and_one_more_when_one_is_closed() {
        let connections = connections(2);
        let (one, other) = (address("192.0.2.1"), address("192.0.2.2"));
        let first = connections.take(one);
        let second = connections.take(one);
        assert!(first.is_some() && second.is_some() && connections.take(one).is_none());
        assert!(connections.take(other).is_some(), "another address is not concerned");
        drop(first);
        let third = connections.take(one);
        assert!(third.is_some() && connections.take(one).is_none());
        drop((second, third));
        assert!(connections.lock().by_network.is_empty(), "nothing is kept of those who have left");
    }

    #[test]
    fn trusted_proxies_and_the_machine_itself_are_not_limited_and_nobody_is_without_a_limit() {
        let (server, client, proxy) = (address("192.0.2.1"), address("192.0.2.9"), address("10.0.0.7"));
        let limited = connections(1);
        assert!(limited.is_limited(client, server));
        assert!(!limited.is_limited(proxy, server));
        assert!(!limited.is_limited(address("::ffff:10.0.0.7"), address("::ffff:192.0.2.1")));
        assert!(!limited.is_limited(server, server));
        assert!(!limited.is_limited(address("::1"), address("::1")));
        assert!(!connections(0).is_limited(client, server));
    }

    #[test]
    fn refusals_are_said_once_a_minute_with_their_number() {
        let (mut open, now) = (Open::default(), Timestamp::now());
        assert_eq!(open.count_refused(now), Some(1));
        assert_eq!(open.count_refused(now), None);
        assert_eq!(open.count_refused(now.plus_seconds(SAY_EVERY_SECONDS - 1)), None);
        assert_eq!(open.count_refused(now.plus_seconds(SAY_EVERY_SECONDS)), Some(3));
    }
}
