//! The single writer of a SQLite database.
//!
//! Writes that wait together are committed together, so that one `fsync` serves many; each caller gets its result after
//! that commit. Each write runs in a savepoint, so one that fails does not affect the others.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use diesel::Connection;
use diesel::connection::{AnsiTransactionManager, SimpleConnection, TransactionManager};
use tokio::sync::oneshot;

use super::journal::Journal;
use super::snapshot::Commits;
use crate::db::connection::Conn;
use crate::db::error::{OpenError, StoreError};
use crate::db::manager::Manager;
use crate::metrics::Queue;

/// Most writes that share one commit.
const MAX_BATCH: usize = 128;

/// A requested write: runs inside the open transaction, if there is one, and returns the step to run after the commit.
type Job = Box<dyn FnOnce(Option<&mut Conn>) -> Answer + Send>;
/// Reports the outcome to the caller, given the result of the commit.
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
    /// Opens the connection now, so that startup finds a database that cannot be written.
    pub(in crate::db) fn start(manager: &Manager) -> Result<Self, OpenError> {
        let conn = open(manager).map_err(|error| OpenError::new(&manager.url, error))?;
        Self::with(Some(conn), manager)
    }

    /// Opens the connection at the first write, which may never come.
    pub(in crate::db) fn start_idle(manager: &Manager) -> Result<Self, OpenError> {
        Self::with(None, manager)
    }

    /// Whether the writing thread is running.
    pub(in crate::db) fn is_alive(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }

    /// As if the thread had died of a fatal fault.
    #[cfg(test)]
    pub(in crate::db) fn end_thread(&mut self) {
        drop(self.jobs.take());
        self.thread.take().map(JoinHandle::join);
    }

    fn with(mut conn: Option<Conn>, manager: &Manager) -> Result<Self, OpenError> {
        let fail = |error: std::io::Error| OpenError::new(&manager.url, error);
        let (manager, commits) = (manager.clone(), Commits::default());
        let (jobs, waiting) = channel();
        let writes = commits.clone();
        let mut journal = Journal::of(&manager.url);
        let thread = std::thread::Builder::new()
            .name("keyfob-writer".into())
            .spawn(move || {
                while let Ok(first) = waiting.recv() {
                    // A failed connection is closed, which rolls back what it left open, and reopened.
                    conn = match conn.map_or_else(|| open(&manager), Ok) {
                        Ok(conn) => run_batch(conn, first, &waiting, &writes),
                        Err(error) => refuse(first, &waiting, &error),
                    };
                    if let (Some(conn), Some(journal)) = (&mut conn, &mut journal) {
                        journal.keep_small(conn);
                    }
                }
            })
            .map_err(fail)?;
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
                // The caller may have gone away.
                let _ = answer.send(result);
            })
        });
        self.jobs.as_ref().ok_or_else(not_begun)?.send(job).map_err(|_| not_begun())?;
        answered.await.unwrap_or_else(|_| Err(StoreError::Internal("the write panicked".into())))
    }
}

fn not_begun() -> StoreError {
    StoreError::Unavailable("the write was not started".into())
}

/// Opens a connection that can write. If the disk is read-only, SQLite silently opens the file for reading, and would
/// keep it so when the disk becomes writable again. The statement changes nothing, but SQLite refuses it in that case.
fn open(manager: &Manager) -> Result<Conn, StoreError> {
    let mut conn = manager.open().map_err(|error| StoreError::Unavailable(error.to_string()))?;
    conn.batch_execute("UPDATE __diesel_schema_migrations SET version = version WHERE FALSE")?;
    Ok(conn)
}

/// Refuses all waiting writes: they have waited as long as the first.
fn refuse(first: Job, waiting: &Receiver<Job>, error: &StoreError) -> Option<Conn> {
    tracing::warn!(cause = %error, "could not get the write lock");
    for job in std::iter::once(first).chain(waiting.try_iter()) {
        job(None)(Err(error));
    }
    None
}

/// Runs the waiting writes in one transaction; returns the connection if it may be reused.
fn run_batch(mut conn: Conn, first: Job, waiting: &Receiver<Job>, commits: &Commits) -> Option<Conn> {
    if let Err(error) = begin(&mut conn) {
        // Without the lock nothing may be written.
        return refuse(first, waiting, &error);
    }
    let mut answers = Vec::new();
    let mut next = Some(first);
    while let Some(job) = next {
        match catch_unwind(AssertUnwindSafe(|| job(Some(&mut conn)))) {
            Ok(answer) => answers.push(answer),
            Err(_) => return give_up(answers),
        }
        next = if answers.len() < MAX_BATCH { waiting.try_recv().ok() } else { None };
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

/// After a panic the connection's state is unknown. Closing it rolls back the writes that shared a commit with the one
/// that panicked. That one's caller notices because its channel closes.
fn give_up(answers: Vec<Answer>) -> Option<Conn> {
    tracing::error!(writes = answers.len(), "a write panicked; the other writes of its batch were rolled back");
    for answer in answers {
        answer(Err(&StoreError::Unavailable("another write of the same batch failed".into())));
    }
    None
}

fn begin(conn: &mut Conn) -> Result<(), StoreError> {
    match conn {
        // Take the write lock at once; a deferred transaction could lose the race for it half way.
        Conn::Sqlite(conn) => AnsiTransactionManager::begin_transaction_sql(conn, "BEGIN IMMEDIATE")?,
        Conn::Postgres(conn) => AnsiTransactionManager::begin_transaction(conn)?,
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use diesel::RunQueryDsl;
    use diesel::sql_types::BigInt;
    use futures_util::future::join4;

    use super::*;
    use crate::config::{DatabaseSettings, DatabaseUrl};

    const ADD_ONE: &str = "INSERT INTO things DEFAULT VALUES";

    #[derive(diesel::QueryableByName)]
    struct Count {
        #[diesel(sql_type = BigInt)]
        count: i64,
    }

    fn setup() -> (Writer, tempfile::TempDir) {
        let folder = tempfile::tempdir().expect("a folder");
        let url = DatabaseUrl::Sqlite(folder.path().join("keyfob.db"));
        let manager = Manager::new(&DatabaseSettings { url, read_url: None, pool_size: 1, pool_wait_seconds: 5 });
        crate::db::migrate::run(&manager).expect("a database");
        let mut conn = manager.open().expect("a connection");
        conn.batch_execute("CREATE TABLE things (id INTEGER PRIMARY KEY)").expect("a table");
        (Writer::start(&manager).expect("a writer"), folder)
    }

    async fn count(writer: &Writer) -> i64 {
        let query = || diesel::sql_query("SELECT count(*) AS count FROM things");
        let count = writer.write(move |conn| Ok(query().get_result::<Count>(conn)?.count)).await;
        count.expect("a number")
    }

    #[actix_web::test]
    async fn a_write_that_panics_is_an_error_to_its_caller_and_the_next_ones_are_kept() {
        let (writer, _folder) = setup();
        for written in 0..3 {
            let panicked = writer.write(|conn| -> Result<(), StoreError> {
                // Leave the transaction deeper than the writer expects.
                conn.transaction(|conn| {
                    conn.batch_execute(ADD_ONE)?;
                    panic!("on purpose")
                })
            });
            assert!(matches!(panicked.await, Err(StoreError::Internal(_))));
            assert!(writer.is_alive());
            assert_eq!(count(&writer).await, written, "nothing of it is kept");
            writer.write(|conn| Ok(conn.batch_execute(ADD_ONE)?)).await.expect("kept");
        }
    }

    #[actix_web::test]
    async fn writes_beside_one_that_panics_are_told_that_they_were_not_kept() {
        let (writer, _folder) = setup();
        let (release, held) = std::sync::mpsc::channel::<()>();
        let held = std::sync::Mutex::new(held);
        // Keep the writer busy until the others wait, so that they share a commit.
        let first = writer.write(move |_| {
            held.lock().expect("no panic").recv().expect("a sign");
            Ok(())
        });
        let before = writer.write(|conn| Ok(conn.batch_execute(ADD_ONE)?));
        let panicked = writer.write(|_| -> Result<(), StoreError> { panic!("on purpose") });
        let last = async move { release.send(()).expect("the writer waits") };
        let (first, before, panicked, ()) = join4(first, before, panicked, last).await;
        assert!(matches!(first, Err(StoreError::Unavailable(_))), "{first:?}");
        assert!(matches!(before, Err(StoreError::Unavailable(_))), "{before:?}");
        assert!(matches!(panicked, Err(StoreError::Internal(_))), "{panicked:?}");
        assert_eq!(count(&writer).await, 0);
    }

    #[actix_web::test]
    async fn a_writer_without_its_thread_says_so_and_keeps_nobody_waiting() {
        let (mut writer, _folder) = setup();
        writer.end_thread();
        assert!(!writer.is_alive());
        assert!(matches!(writer.write(|_| Ok(())).await, Err(StoreError::Unavailable(_))));
    }
}
