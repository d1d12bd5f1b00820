//! A read replica: a standby that answers what may lag, while it answers well.
//!
//! It is only ever asked once a read, and for a short time; then the primary is asked. A replica that has failed is left
//! alone for a while, after which one read tries it again and the others still go to the primary.

use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use diesel::ConnectionError;

use super::call::Call;
use super::threads::Threads;
use crate::config::{DatabaseSettings, DatabaseUrl};
use crate::db::connection::{Conn, Manager, REPLICA_SECONDS};
use crate::db::error::{OpenError, StoreError};
use crate::db::pool::Connections;

/// How long a replica that failed is left alone.
const DISTRUST: Duration = Duration::from_secs(5);

/// How new the state must be that a read sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// Everything that was acknowledged: for those who may have just written, and for what must go on from a read before.
    Newest,
    /// Some moments ago: what a replica has.
    MayLag,
}

pub(in crate::db) struct Replica {
    connections: Connections,
    threads: Arc<Threads>,
    /// While it is not trusted: when to try it again.
    try_again_at: Mutex<Option<Instant>>,
}

impl Replica {
    /// It may be away, now or later.
    ///
    /// # Errors
    /// [`OpenError`] for one that is there and can never be used.
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

    /// What the replica answers; `None`: ask the primary.
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
            // PostgreSQL has stopped the read for the sake of what it was about to replay ("conflict with recovery"): that
            // says nothing about the next one.
            Err(StoreError::Serialization) => None,
            Err(error) => {
                self.distrust(&error);
                None
            }
        }
    }

    /// Whether it is trusted, or it is this read's turn to try it again.
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
            tracing::info!("the read replica answers again");
        }
    }

    fn distrust(&self, error: &StoreError) {
        let until = Instant::now() + DISTRUST;
        if self.try_again_at.lock().unwrap_or_else(PoisonError::into_inner).replace(until).is_none() {
            tracing::warn!(cause = %error, "the read replica failed; the primary is read");
        }
    }
}

/// Looks for as long as a read may take: one that is away does not hold up the start.
fn require_usable(manager: &Manager) -> Result<(), OpenError> {
    let (found, finding) = channel();
    let own_manager = manager.clone();
    let look = move || {
        // Nobody waits any more where it took too long.
        let _late = found.send(own_manager.open().err());
    };
    let thread = std::thread::Builder::new().name("keyfob-replica".into()).spawn(look);
    thread.map_err(|error| OpenError::new(&manager.url, error))?;
    match finding.recv_timeout(Duration::from_secs(REPLICA_SECONDS)) {
        Ok(Some(error @ ConnectionError::InvalidConnectionUrl(_))) => Err(OpenError::new(&manager.url, error)),
        _ => Ok(()),
    }
}
