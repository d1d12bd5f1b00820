//! Attempts that wait until others from the same network are decided. Networks are independent: an attempt wakes only
//! its own network's, and the number that wait is bounded for each network.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch::{Receiver, Sender};

/// Maximum number of waiting attempts of one network: the default limit on its connections.
const MAX_WAITING: usize = 256;

/// The networks with waiting attempts.
#[derive(Default)]
pub(super) struct Waiters(Mutex<HashMap<IpAddr, Sender<()>>>);

/// The place of a waiting attempt.
pub(super) struct Place<'a> {
    waiters: &'a Waiters,
    network: IpAddr,
    /// `None` only while this is dropped.
    decided: Option<Receiver<()>>,
}

impl Waiters {
    /// Takes a place: no decision from now on is missed. `None` when too many wait.
    pub(super) fn join(&self, network: IpAddr) -> Option<Place<'_>> {
        let mut lines = self.lock();
        let line = lines.entry(network).or_default();
        if line.receiver_count() >= MAX_WAITING {
            return None;
        }
        Some(Place { waiters: self, network, decided: Some(line.subscribe()) })
    }

    /// Wakes that network's waiting attempts: an attempt was decided.
    pub(super) fn tell(&self, network: IpAddr) {
        if let Some(line) = self.lock().get(&network) {
            line.send_replace(());
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, Sender<()>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place<'_> {
    /// Waits for a decision made since the last call.
    pub(super) async fn decided(&mut self) {
        if let Some(decided) = &mut self.decided {
            // The sender lives as long as this place.
            let _ = decided.changed().await;
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut lines = self.waiters.lock();
        drop(self.decided.take());
        if lines.get(&self.network).is_some_and(|line| line.receiver_count() == 0) {
            lines.remove(&self.network);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use futures_util::FutureExt;

    use super::*;

    fn network(last: u8) -> IpAddr {
        Ipv4Addr::new(192, 0, 2, last).into()
    }

    #[test]
    fn nothing_is_missed_and_nobody_else_is_woken() {
        let waiters = Waiters::default();
        let (mut one, mut other) =
            (waiters.join(network(1)).expect("a place"), waiters.join(network(2)).expect("a place"));
        waiters.tell(network(1));
        assert!(one.decided().now_or_never().is_some(), "told before it was asked");
        assert!(one.decided().now_or_never().is_none(), "once");
        assert!(other.decided().now_or_never().is_none());
    }

    #[test]
    fn a_network_has_so_many_places_and_is_forgotten_without_any() {
        let waiters = Waiters::default();
        let mut places: Vec<Place<'_>> = (0..MAX_WAITING).map(|_| waiters.join(network(1)).expect("a place")).collect();
        assert!(waiters.join(network(1)).is_none());
        assert!(waiters.join(network(2)).is_some());
        places.pop();
        assert!(waiters.join(network(1)).is_some());
        places.clear();
        assert!(waiters.lock().is_empty());
    }
}
