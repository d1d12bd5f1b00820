//! One database call: its time limits, and the hop to a blocking thread.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout_at;

use super::open::STATEMENT_SECONDS;
use super::threads::Threads;
use super::watch::Watch;
use crate::db::error::StoreError;

/// Time limits of calls.
#[derive(Clone, Copy)]
pub(in crate::db) struct Limits {
    /// For a connection, and for a permit.
    wait: Duration,
    /// For the whole call. `None` for long work that a person waits for.
    in_all: Option<Duration>,
}

impl Limits {
    /// The limits of a request: the wait for a connection, and the longest that PostgreSQL lets a statement run.
    pub(in crate::db) fn of_requests(wait: Duration) -> Self {
        Self { wait, in_all: Some(wait + Duration::from_secs(STATEMENT_SECONDS)) }
    }

    pub(in crate::db) fn without_end(self) -> Self {
        Self { in_all: None, ..self }
    }

    /// Begins a call now.
    pub(in crate::db) fn begin(self) -> Call {
        let now = Instant::now();
        Call { wait_until: now + self.wait, end: self.in_all.map(|in_all| now + in_all), watch: None }
    }
}

/// A call in progress.
pub(in crate::db) struct Call {
    /// When to stop waiting for a connection. All attempts share this one wait, and so does the time in the queue for a
    /// thread; otherwise callers would wait several times as long during an outage under load.
    pub(in crate::db) wait_until: Instant,
    /// When the caller gets a result in any case.
    pub(in crate::db) end: Option<Instant>,
    /// Frees the connection if its commit hangs.
    pub(in crate::db) watch: Option<Arc<Watch>>,
}

impl Call {
    /// A call that may wait and work for this long in all.
    pub(in crate::db) fn within(patience: Duration) -> Self {
        Limits { wait: patience, in_all: Some(patience) }.begin()
    }

    /// Whether the caller already has its result.
    pub(in crate::db) fn is_over(&self) -> bool {
        self.end.is_some_and(|end| Instant::now() >= end)
    }

    /// Waits for a permit.
    pub(in crate::db) async fn turn(&self, turns: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, StoreError> {
        let turn = timeout_at(self.wait_until.into(), Arc::clone(turns).acquire_owned()).await;
        turn.ok()
            .and_then(Result::ok)
            .ok_or_else(|| StoreError::Unavailable("too many calls are waiting for the database".into()))
    }

    /// Runs the work on a blocking thread, and returns at the call's end, whether or not the work is done by then.
    ///
    /// A write that is cut off in this way may or may not take effect: its caller cannot know. The thread and the
    /// connection are free again when PostgreSQL responds or the connection ends, so there are never more such threads
    /// than connections.
    pub(in crate::db) async fn blocking<T: Send + 'static>(
        self,
        threads: &Threads,
        work: impl FnOnce(&Self) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let end = self.end;
        let ended = || StoreError::Unavailable("the service is stopping".into());
        let task = threads.run(move || work(&self)).ok_or_else(ended)?;
        let done = match end {
            Some(end) => timeout_at(end.into(), task).await.map_err(|_| late())?,
            None => task.await,
        };
        done.unwrap_or_else(|error| match error.is_cancelled() {
            true => Err(ended()),
            false => Err(StoreError::Internal(error.to_string())),
        })
    }
}

pub(in crate::db) fn late() -> StoreError {
    StoreError::Unavailable("it did not answer in time; a write may have been stored nevertheless".into())
}
