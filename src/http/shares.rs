//! Limits the memory that each client's bodies and responses may take at a time.
//!
//! Otherwise a client with many connections that sends its bodies slowly, or reads none of its responses, would decide
//! how much memory it takes. Small bodies and responses are not counted: connections are limited.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use actix_web::HttpRequest;
use actix_web::web::Data;

use super::origin::client_address;
use crate::network::network;

/// Limit for one address or IPv6 /64: the largest possible page (100 posts of 20,000 characters, each escaped in six
/// bytes), or eight of the usual large ones.
const MAX_BYTES: usize = 16 * 1024 * 1024;
/// Bodies and responses up to this size are not counted.
pub(crate) const SMALL_BYTES: usize = 16 * 1024;

/// The bytes held now, by client.
#[derive(Debug, Default)]
pub(crate) struct Shares(Mutex<HashMap<IpAddr, usize>>);

/// The part of its client's share that one body or response takes.
#[derive(Debug)]
pub(crate) struct Share {
    shares: Arc<Shares>,
    network: IpAddr,
    bytes: usize,
}

impl Share {
    /// The share of the request's client, with nothing taken yet; `None` where shares are not counted.
    pub(crate) fn of(req: &HttpRequest) -> Option<Self> {
        let shares = Arc::clone(&*req.app_data::<Data<Shares>>()?.clone());
        Some(Self { shares, network: network(client_address(req)), bytes: 0 })
    }

    /// Raises the part to this many bytes in all; false if the share is used up.
    pub(crate) fn grow_to(&mut self, bytes: usize) -> bool {
        if bytes <= self.bytes.max(SMALL_BYTES) {
            return true;
        }
        let has_room = self.shares.take(self.network, bytes - self.bytes);
        if has_room {
            self.bytes = bytes;
        }
        has_room
    }

    /// Raises the part even if the share is used up.
    pub(crate) fn grow_anyway(&mut self, bytes: usize) {
        if !self.grow_to(bytes) {
            self.shares.add(self.network, bytes - self.bytes);
            self.bytes = bytes;
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.shares.give_back(self.network, self.bytes);
        }
    }
}

impl Shares {
    fn take(&self, network: IpAddr, bytes: usize) -> bool {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = held.get(&network).copied().unwrap_or_default();
        let has_room = before + bytes <= MAX_BYTES;
        if has_room {
            held.insert(network, before + bytes);
        }
        has_room
    }

    fn add(&self, network: IpAddr, bytes: usize) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(network).or_default() += bytes;
    }

    fn give_back(&self, network: IpAddr, bytes: usize) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(left) = held.get_mut(&network) {
            *left = left.saturating_sub(bytes);
            if *left == 0 {
                held.remove(&network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(shares: &Arc<Shares>, address: &str) -> Share {
        Share { shares: Arc::clone(shares), network: address.parse().expect("an address"), bytes: 0 }
    }

    #[test]
    fn each_address_has_a_share_of_its_own_that_comes_back() {
        let shares = Arc::default();
        let (mut first, mut second) = (share(&shares, "192.0.2.1"), share(&shares, "192.0.2.1"));
        assert!(first.grow_to(MAX_BYTES / 2) && first.grow_to(MAX_BYTES) && !first.grow_to(MAX_BYTES + 1));
        assert!(!second.grow_to(SMALL_BYTES + 1), "nothing is left for the same address");
        assert!(second.grow_to(SMALL_BYTES), "what is small is not counted");
        assert!(share(&shares, "192.0.2.2").grow_to(MAX_BYTES), "another address is not concerned");
        drop(first);
        assert!(second.grow_to(MAX_BYTES));
        drop(second);
        assert!(shares.0.lock().expect("no panic").is_empty(), "nothing is kept of those who hold nothing");
    }
}
