//! One call of the database: how long it may take, and the hop to a thread that may block.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout_at;

use super::threads::Threads;
use super::watch::Watch;
use crate::db::connection::STATEMENT_SECONDS;
use crate::db::error::StoreError;

/// How long calls may take.
#[derive(Clone, Copy)]
pub(in crate::db) struct Limits {
    /// For a connection, and for the turn to write.
    wait: Duration,
    /// In all. `None` is for long work that somebody waits for on purpose.
    in_all: Option<Duration>,
}

impl Limits {
    /// Those of a request: the wait for a connection, and the longest that PostgreSQL lets a statement run.
    pub(in crate::db) fn of_requests(wait: Duration) -> Self {
        Self { wait, in_all: Some(wait + Duration::from_secs(STATEMENT_SECONDS)) }
    }

    pub(in crate::db) fn without_end(self) -> Self {
        Self { in_all: None, ..self }
    }

    /// A call that begins now.
    pub(in crate::db) fn begin(self) -> Call {
        let now = Instant::now();
        Call { wait_until: now + self.wait, end: self.in_all.map(|in_all| now + in_all), watch: None }
    }
}

/// A call that has begun.
pub(in crate::db) struct Call {
    /// When it gives up waiting for a connection. All tries share this one wait, and so does the time in the queue for a
    /// thread, or an outage under load would make callers wait several times as long.
    pub(in crate::db) wait_until: Instant,
    /// When the caller is answered in any case.
    pub(in crate::db) end: Option<Instant>,
    /// Frees its connection where its commit does not end.
    pub(in crate::db) watch: Option<Arc<Watch>>,
}

impl Call {
    /// One that waits and works for so long in all.
    pub(in crate::db) fn within(patience: Duration) -> Self {
        Limits { wait: patience, in_all: Some(patience) }.begin()
    }

    /// Whether the caller has been given an answer already.
    pub(in crate::db) fn is_over(&self) -> bool {
        self.end.is_some_and(|end| Instant::now() >= end)
    }

    /// Waits for the turn to write.
    pub(in crate::db) async fn turn(&self, turns: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, StoreError> {
        let turn = timeout_at(self.wait_until.into(), Arc::clone(turns).acquire_owned()).await;
        turn.ok()
            .and_then(Result::ok)
            .ok_or_else(|| StoreError::Unavailable("too many writes wait for the database".into()))
    }

    /// Runs the work on a thread that may block, and answers at the call's end, whether the work is done by then or not.
    ///
    /// A write that is cut off so may be kept or not: its caller cannot know. The thread and the connection come back when
    /// PostgreSQL answers or the connection ends, so there are never more such threads than connections.
    pub(in crate::db) async fn blocking<T: Send + 'static>(
        self,
        threads: &Threads,
        work: impl FnOnce(&Self) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let end = self.end;
        let ended = || StoreError::Unavailable("the service ends".into());
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
    StoreError::Unavailable("it did not answer in time; what was to be written may have been kept".into())
}
