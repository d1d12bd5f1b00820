//! A read replica: a standby that serves reads that may lag, while it works.
//!
//! Each read tries it only once, and for a short time; then the read goes to the primary. After a failure all reads go
//! to the primary for a while. Then one read tries the replica again while the others still go to the primary.

use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use diesel::ConnectionError;

use super::call::Call;
use super::open::REPLICA_SECONDS;
use super::threads::Threads;
use crate::config::{DatabaseSettings, DatabaseUrl};
use crate::db::connection::Conn;
use crate::db::error::{OpenError, StoreError};
use crate::db::manager::Manager;
use crate::db::pool::Connections;

/// How long to avoid a replica after a failure.
const DISTRUST: Duration = Duration::from_secs(5);

/// How fresh the data of a read must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// Sees every acknowledged write (read-your-writes, pagination).
    Newest,
    /// May be served by a replica, which lags by some moments.
    MayLag,
}

pub(in crate::db) struct Replica {
    connections: Connections,
    threads: Arc<Threads>,
    /// When to try the replica again, if it has failed.
    try_again_at: Mutex<Option<Instant>>,
}

impl Replica {
    /// The replica may be unreachable, now or later.
    ///
    /// # Errors
    /// [`OpenError`] for a replica that responds and can never be used.
    pub(in crate::db) fn new(
        url: &DatabaseUrl,
        settings: &DatabaseSettings,
        threads: Arc<Threads>,
    ) -> Result<Self, OpenError> {
        let manager = Manager::of_replica(url);
        require_usable(&manager)?;
        let connections = Connections::to_replica(manager, settings);
        Ok(Self { connections, threads, try_again_at: Mutex::default() })
    }

    /// The replica's result; `None`: read from the primary.
    pub(in crate::db) async fn read<T, F>(&self, work: Arc<F>) -> Option<T>
    where
        T: Send + 'static,
        F: Fn(&mut Conn) -> Result<T, StoreError> + Send + Sync + 'static,
    {
        if !self.may_be_asked(Instant::now()) {
            return None;
        }
        let connections = self.connections.clone();
        let call = Call::within(Duration::from_secs(REPLICA_SECONDS));
        match call.blocking(&self.threads, move |call| connections.run(call, &*work)).await {
            Ok(found) => {
                self.trust();
                Some(found)
            }
            // PostgreSQL stopped the read because of a change that it had to replay ("conflict with recovery"). That
            // says nothing about the next read.
            Err(StoreError::Serialization) => None,
            Err(error) => {
                self.distrust(&error);
                None
            }
        }
    }

    /// Whether the replica works, or this read should try it again.
    fn may_be_asked(&self, now: Instant) -> bool {
        let mut try_again_at = self.try_again_at.lock().unwrap_or_else(PoisonError::into_inner);
        match *try_again_at {
            None => true,
            Some(at) if now < at => false,
            Some(_) => {
                *try_again_at = Some(now + DISTRUST);
                true
            }
        }
    }

    fn trust(&self) {
        if self.try_again_at.lock().unwrap_or_else(PoisonError::into_inner).take().is_some() {
            tracing::info!("the read replica is available again");
        }
    }

    fn distrust(&self, error: &StoreError) {
        let until = Instant::now() + DISTRUST;
        if self.try_again_at.lock().unwrap_or_else(PoisonError::into_inner).replace(until).is_none() {
            tracing::warn!(cause = %error, "the read replica failed; reading from the primary");
        }
    }
}

/// Checks for as long as a read may take: a replica that is unreachable does not delay startup.
fn require_usable(manager: &Manager) -> Result<(), OpenError> {
    let (found, finding) = channel();
    let own_manager = manager.clone();
    let look = move || {
        // The receiver has gone if this took too long.
        let _late = found.send(own_manager.open().err());
    };
    let thread = std::thread::Builder::new().name("keyfob-replica".into()).spawn(look);
    thread.map_err(|error| OpenError::new(&manager.url, error))?;
    match finding.recv_timeout(Duration::from_secs(REPLICA_SECONDS)) {
        Ok(Some(error @ ConnectionError::InvalidConnectionUrl(_))) => Err(OpenError::new(&manager.url, error)),
        _ => Ok(()),
    }
}
