//! The one writer of a SQLite database.
//!
//! Writes that wait together are committed together, so that one `fsync` serves many; each is answered after that
//! commit. Each runs in a savepoint: one that fails takes nothing of its neighbours with it.

use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use diesel::Connection;
use diesel::connection::{AnsiTransactionManager, SimpleConnection, TransactionManager};
use tokio::sync::oneshot;

use super::journal::Journal;
use super::snapshot::Commits;
use crate::db::connection::{Conn, Manager};
use crate::db::error::{OpenError, StoreError};
use crate::metrics::Queue;

/// How many writes share one commit at the most.
const MAX_BATCH: usize = 128;

/// A write that was asked for: runs inside the open transaction, where there is one, and leaves what to do after it.
type Job = Box<dyn FnOnce(Option<&mut Conn>) -> Answer + Send>;
/// Tells the caller how it ended; given the result of the commit.
type Answer = Box<dyn FnOnce(Result<(), &StoreError>) + Send>;

pub(in crate::db) struct Writer {
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
    pub(in crate::db) watched: OnceLock<Queue>,
    pub(in crate::db) commits: Commits,
}

/// Waits until the last write is done and the connection closed.
impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Writer {
    pub(in crate::db) fn start(manager: &Manager) -> Result<Self, OpenError> {
        let fail = |error: String| OpenError::new(&manager.url, error);
        let mut conn = Some(open(manager).map_err(|error| fail(error.to_string()))?);
        let (manager, commits) = (manager.clone(), Commits::default());
        let (jobs, waiting) = channel();
        let writes = commits.clone();
        let mut journal = Journal::of(&manager.url);
        let thread = std::thread::Builder::new()
            .name("keyfob-writer".into())
            .spawn(move || {
                while let Ok(first) = waiting.recv() {
                    // A connection that failed is closed, which rolls back what it left open, and opened anew.
                    conn = match conn.map_or_else(|| open(&manager), Ok) {
                        Ok(conn) => run_batch(conn, first, &waiting, &writes),
                        Err(error) => refuse(first, &waiting, &error),
                    };
                    if let (Some(conn), Some(journal)) = (&mut conn, &mut journal) {
                        journal.keep_small(conn);
                    }
                }
            })
            .map_err(|error| fail(error.to_string()))?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread), watched: OnceLock::new(), commits })
    }

    pub(in crate::db) async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Fn(&mut Conn) -> Result<T, StoreError> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let waiting = self.watched.get().map(Queue::enter);
        let job: Job = Box::new(move |conn| {
            if let Some(waiting) = waiting {
                waiting.served();
            }
            let result = conn.map(|conn| conn.transaction(|conn| work(conn)));
            Box::new(move |committed| {
                let result = match (committed, result) {
                    (Ok(()), Some(result)) => result,
                    (Ok(()), None) => Err(not_begun()),
                    (Err(error), _) => Err(error.of_neighbour()),
                };
                // A caller that went away does not want to know.
                let _ = answer.send(result);
            })
        });
        self.jobs.as_ref().ok_or_else(not_begun)?.send(job).map_err(|_| not_begun())?;
        answered.await.unwrap_or_else(|_| Err(not_begun()))
    }
}

fn not_begun() -> StoreError {
    StoreError::Unavailable("the write was not begun".into())
}

/// Opens a connection that can write. Where the disk is read-only SQLite opens the file to read it, without a word, and
/// would keep it so when the disk is writable again: the statement changes nothing, but SQLite refuses it then.
fn open(manager: &Manager) -> Result<Conn, StoreError> {
    let mut conn = manager.open().map_err(|error| StoreError::Unavailable(error.to_string()))?;
    conn.batch_execute("UPDATE __diesel_schema_migrations SET version = version WHERE FALSE")?;
    Ok(conn)
}

/// Answers those that wait: they have waited as long as this one.
fn refuse(first: Job, waiting: &Receiver<Job>, error: &StoreError) -> Option<Conn> {
    tracing::warn!(cause = %error, "no write lock");
    for job in std::iter::once(first).chain(waiting.try_iter()) {
        job(None)(Err(error));
    }
    None
}

/// Runs the waiting writes in one transaction; gives the connection back if it may be used again.
fn run_batch(mut conn: Conn, first: Job, waiting: &Receiver<Job>, commits: &Commits) -> Option<Conn> {
    if let Err(error) = begin(&mut conn) {
        // Nothing may be written without the lock.
        return refuse(first, waiting, &error);
    }
    let mut answers = vec![first(Some(&mut conn))];
    while answers.len() < MAX_BATCH
        && let Ok(job) = waiting.try_recv()
    {
        answers.push(job(Some(&mut conn)));
    }
    let committed = <Conn as Connection>::TransactionManager::commit_transaction(&mut conn).map_err(StoreError::from);
    if let Err(error) = &committed {
        tracing::error!(cause = %error, writes = answers.len(), "commit failed");
    }
    commits.add();
    for answer in answers {
        answer(committed.as_ref().copied());
    }
    committed.is_ok().then_some(conn)
}

fn begin(conn: &mut Conn) -> Result<(), StoreError> {
    match conn {
        // Takes the write lock at once; a deferred transaction could lose the race for it half way.
        Conn::Sqlite(conn) => AnsiTransactionManager::begin_transaction_sql(conn, "BEGIN IMMEDIATE")?,
        Conn::Postgres(conn) => AnsiTransactionManager::begin_transaction(conn)?,
    }
    Ok(())
}
