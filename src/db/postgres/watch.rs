//! Ends commits that wait for a lost standby.
//!
//! Under synchronous replication PostgreSQL ends a commit when a standby has it too, and waits for that without a
//! limit: `statement_timeout` does not apply there. Each such commit keeps its connection. So one thread, over its own
//! connection, ends the sessions whose commits are overdue. PostgreSQL then closes the connection without acknowledging
//! the commit, which it has made and may replicate later: no caller learns of a success that a failover could undo.
//! (Cancelling the statement instead would report the commit as done.)

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use diesel::sql_types::{Array, Integer};
use diesel::{RunQueryDsl, sql_query};

use crate::db::connection::Conn;
use crate::db::error::{OpenError, StoreError};
use crate::db::manager::Manager;

/// Time between two checks for overdue commits.
const ROUND: Duration = Duration::from_secs(1);

/// Ends only sessions that wait for a standby. Everything else has a time limit, and a session may have gone on to
/// another call since it was found overdue.
const END_SESSIONS: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                            WHERE pid = ANY($1) AND wait_event = 'SyncRep'";

/// The writing sessions by PostgreSQL's process id, and when each should be done.
type Sessions = Mutex<HashMap<i32, Instant>>;

pub(in crate::db) struct Watch {
    sessions: Arc<Sessions>,
    /// Never joined: PostgreSQL may keep the thread waiting.
    thread: JoinHandle<()>,
    /// Closes with the last handle to the database, which ends the thread.
    _open: Sender<()>,
}

/// A session is watched until this is dropped.
pub(in crate::db) struct Watched<'w> {
    sessions: &'w Sessions,
    session: i32,
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        lock(self.sessions).remove(&self.session);
    }
}

impl Watch {
    pub(in crate::db) fn start(manager: &Manager) -> Result<Self, OpenError> {
        let sessions = Arc::<Sessions>::default();
        let (open, closed) = channel();
        let (watched, own_manager) = (Arc::clone(&sessions), manager.clone());
        let thread = std::thread::Builder::new()
            .name("keyfob-watch".into())
            .spawn(move || run(&watched, &own_manager, &closed))
            .map_err(|error| OpenError::new(&manager.url, error))?;
        Ok(Self { sessions, thread, _open: open })
    }

    /// Whether the watching thread is running.
    pub(in crate::db) fn is_alive(&self) -> bool {
        !self.thread.is_finished()
    }

    pub(in crate::db) fn until(&self, end: Instant, session: i32) -> Watched<'_> {
        lock(&self.sessions).insert(session, end);
        Watched { sessions: &self.sessions, session }
    }
}

fn run(sessions: &Sessions, manager: &Manager, closed: &Receiver<()>) {
    while closed.recv_timeout(ROUND) == Err(RecvTimeoutError::Timeout) {
        let now = Instant::now();
        let late: Vec<i32> =
            lock(sessions).iter().filter(|(_, end)| **end <= now).map(|(session, _)| *session).collect();
        if late.is_empty() {
            continue;
        }
        let panicked = |_| Err(StoreError::Internal("a panic".into()));
        match catch_unwind(AssertUnwindSafe(|| end_sessions(manager, &late))).unwrap_or_else(panicked) {
            Ok(0) => {}
            Ok(count) => {
                tracing::warn!(count, "no standby confirms commits: ended the connections that were waiting for one")
            }
            // The next round retries; the pool logs that PostgreSQL is unreachable.
            Err(error) => tracing::debug!(cause = %error, "could not look for late commits"),
        }
    }
}

fn end_sessions(manager: &Manager, sessions: &[i32]) -> Result<usize, StoreError> {
    match manager.open().map_err(|error| StoreError::Unavailable(error.to_string()))? {
        Conn::Postgres(mut conn) => {
            Ok(sql_query(END_SESSIONS).bind::<Array<Integer>, _>(sessions).execute(&mut conn)?)
        }
        Conn::Sqlite(_) => Ok(0),
    }
}

fn lock(sessions: &Sessions) -> MutexGuard<'_, HashMap<i32, Instant>> {
    sessions.lock().unwrap_or_else(PoisonError::into_inner)
}
