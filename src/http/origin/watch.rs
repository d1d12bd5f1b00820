//! Detects a proxy that is not trusted: all its users would share one address and its limits.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use crate::db::Timestamp;

/// After this many requests in a row, all forwarded by one peer, assume that all traffic comes through it.
const ENOUGH: u32 = 20;
/// Least time between two warnings, in seconds.
const SAY_EVERY_SECONDS: u64 = 600;

/// What the watch has seen since the last request from another peer.
#[derive(Debug, Default)]
pub(super) struct ProxyWatch(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    peer: Option<IpAddr>,
    count: u32,
    said_at: Option<Timestamp>,
}

impl ProxyWatch {
    /// Records a request, and warns in the log when all requests come from one private peer that forwards them
    /// untrusted.
    pub(super) fn see(&self, peer: IpAddr, is_unbelieved: bool, now: Timestamp) {
        if self.is_to_be_said(peer, is_unbelieved, now) {
            tracing::warn!(
                %peer,
                "every request comes from one private address with X-Forwarded-For or Forwarded: probably a proxy. All \
                 users share its rate limits, and any of them can lock the others out; add it to server.trusted_proxies"
            );
        }
    }

    fn is_to_be_said(&self, peer: IpAddr, is_unbelieved: bool, now: Timestamp) -> bool {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !is_unbelieved || !is_private(peer) {
            (seen.peer, seen.count) = (None, 0);
            return false;
        }
        if seen.peer != Some(peer) {
            (seen.peer, seen.count) = (Some(peer), 0);
        }
        seen.count = seen.count.saturating_add(1);
        let is_due = seen.said_at.is_none_or(|at| at.plus_seconds(SAY_EVERY_SECONDS) <= now);
        let is_to_be_said = seen.count >= ENOUGH && is_due;
        if is_to_be_said {
            seen.said_at = Some(now);
        }
        is_to_be_said
    }
}

fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_private() || address.is_loopback() || address.is_link_local(),
        IpAddr::V6(address) => address.is_unique_local() || address.is_loopback() || address.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROXY: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(172, 17, 0, 1));

    fn said(watch: &ProxyWatch, peer: IpAddr, times: u32, now: Timestamp) -> usize {
        (0..times).filter(|_| watch.is_to_be_said(peer, true, now)).count()
    }

    #[test]
    fn a_private_peer_that_forwards_all_requests_is_named_once_in_a_while() {
        let (watch, now) = (ProxyWatch::default(), Timestamp::now());
        assert_eq!(said(&watch, PROXY, ENOUGH - 1, now), 0);
        assert_eq!(said(&watch, PROXY, 100, now), 1);
        assert_eq!(said(&watch, PROXY, 100, now.plus_seconds(SAY_EVERY_SECONDS)), 1);
    }

    #[test]
    fn nobody_is_named_while_others_come_too() {
        let (watch, now) = (ProxyWatch::default(), Timestamp::now());
        for _ in 0..10 {
            assert_eq!(said(&watch, PROXY, ENOUGH - 1, now), 0);
            assert!(!watch.is_to_be_said(PROXY, false, now), "one that is not forwarded");
            assert_eq!(said(&watch, IpAddr::from([8, 8, 8, 8]), ENOUGH, now), 0, "one from outside");
        }
    }
}
