//! Attempts that wait until others from the same network are decided. Networks know nothing of each other: neither do their
//! attempts wake those of another, nor does one of them grow without bound.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch::{Receiver, Sender};

/// How many attempts of one network may wait, as many as it may have connections by default.
const MAX_WAITING: usize = 256;

/// The networks that have attempts which wait.
#[derive(Default)]
pub(super) struct Waiters(Mutex<HashMap<IpAddr, Sender<()>>>);

/// The place of an attempt that waits.
pub(super) struct Place<'a> {
    waiters: &'a Waiters,
    network: IpAddr,
    /// `None` while this is dropped.
    decided: Option<Receiver<()>>,
}

impl Waiters {
    /// A place from now on: nothing is missed that is decided from here. `None` when too many wait.
    pub(super) fn join(&self, network: IpAddr) -> Option<Place<'_>> {
        let mut lines = self.lock();
        let line = lines.entry(network).or_default();
        if line.receiver_count() >= MAX_WAITING {
            return None;
        }
        Some(Place { waiters: self, network, decided: Some(line.subscribe()) })
    }

    /// An attempt from that network is decided.
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
    /// Waits until an attempt is decided that was not when this was last asked.
    pub(super) async fn decided(&mut self) {
        if let Some(decided) = &mut self.decided {
            // The sender lives as long as this does.
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
