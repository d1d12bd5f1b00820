//! Where the data is: SQLite or PostgreSQL, chosen by the URL's scheme.
//!
//! [`Db::read`] and [`Db::write`] are the only hops from async code to blocking code. Features give them a closure
//! over a [`Conn`]; a closure may run again after a serialization failure, so it is an `Fn` and has no other effect.

mod batch;
mod catalog;
mod connection;
mod copy;
mod error;
mod id;
mod migrate;
pub(crate) mod query;
mod rows;
pub(crate) mod schema;
mod sequence;
mod time;
mod writer;

use std::cell::Cell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use diesel::Connection;
use diesel::connection::SimpleConnection;
use diesel::r2d2::Pool;

pub(crate) use batch::execute_on_either;
pub(crate) use connection::Conn;
use connection::Manager;
pub(crate) use copy::{CopyError, Progress, copy};
pub use error::{OpenError, StoreError};
pub use id::Id;
pub(crate) use sequence::advance_sequence;
pub use time::Timestamp;
use writer::Writer;

use crate::config::{DatabaseSettings, DatabaseUrl};

/// How often a write is tried at the most when serialization fails (SQLSTATE 40001, 40P01).
const MAX_TRIES: u32 = 6;

/// A handle to the database; clones share its connections.
#[derive(Clone)]
pub(crate) struct Db {
    pool: Pool<Manager>,
    manager: Manager,
    /// SQLite allows one writer at a time; PostgreSQL writes through the pool.
    writer: Option<Arc<Writer>>,
}

impl std::fmt::Debug for Db {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Db")
    }
}

impl Db {
    /// Opens the database, making a missing SQLite file, and brings its tables up to date.
    ///
    /// # Errors
    /// [`OpenError`] names the database and the cause, when it cannot be opened or migrated.
    pub(crate) fn open(settings: &DatabaseSettings) -> Result<Self, OpenError> {
        let manager = Manager::new(settings);
        migrate::run(&manager)?;
        let writer = match settings.url {
            DatabaseUrl::Sqlite(_) => Some(Arc::new(Writer::start(&manager)?)),
            DatabaseUrl::Postgres(_) => None,
        };
        let pool = Pool::builder()
            .max_size(settings.pool_size)
            .min_idle(Some(1))
            .connection_timeout(Duration::from_secs(settings.pool_wait_seconds))
            .test_on_check_out(true)
            .error_handler(Box::new(LogPoolErrors))
            .build(manager.clone())
            .map_err(|error| OpenError::new(&settings.url, error))?;
        Ok(Self { pool, manager, writer })
    }

    /// Asks the database for a sign of life.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when there is none.
    pub(crate) async fn ping(&self) -> Result<(), StoreError> {
        self.read(|conn| Ok(conn.batch_execute("SELECT 1")?)).await
    }

    /// Runs a reading closure on a thread for blocking work.
    ///
    /// # Errors
    /// What the closure answers, or [`StoreError::Unavailable`] when no connection can be had.
    pub(crate) async fn read<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Fn(&mut Conn) -> Result<T, StoreError> + Send + 'static,
    {
        if self.writer.is_some() {
            return self.read_here(work);
        }
        let (pool, manager, wait_until) = (self.pool.clone(), self.manager.clone(), self.wait_until());
        blocking(move || {
            // Once more on another connection: this one may have died while it lay idle.
            match on_connection(&pool, &manager, wait_until, &work) {
                Err(StoreError::Unavailable(_)) => on_connection(&pool, &manager, wait_until, &work),
                result => result,
            }
        })
        .await
    }

    /// A read of SQLite takes some microseconds and waits for nobody (write-ahead log): a hop to another thread and back
    /// would cost several times as much as the read.
    fn read_here<T>(&self, work: impl Fn(&mut Conn) -> Result<T, StoreError>) -> Result<T, StoreError> {
        on_connection(&self.pool, &self.manager, self.wait_until(), work)
    }

    /// When a call that begins now gives up waiting for a connection. All tries of a call share this one wait, and so does
    /// its time in the queue for a thread, or an outage under load would make callers wait several times as long.
    fn wait_until(&self) -> Instant {
        Instant::now() + self.pool.connection_timeout()
    }

    /// Runs a writing closure in a transaction of its own; when this answers `Ok`, the write is durable.
    ///
    /// # Errors
    /// What the closure answers (nothing of it is kept then), or [`StoreError::Unavailable`].
    pub(crate) async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Fn(&mut Conn) -> Result<T, StoreError> + Send + 'static,
    {
        if let Some(writer) = &self.writer {
            return writer.write(work).await;
        }
        let (pool, manager, wait_until) = (self.pool.clone(), self.manager.clone(), self.wait_until());
        blocking(move || {
            let mut tries_left = MAX_TRIES;
            loop {
                let has_begun = Cell::new(false);
                let result = on_connection(&pool, &manager, wait_until, |conn| {
                    conn.transaction(|conn| {
                        has_begun.set(true);
                        work(conn)
                    })
                });
                tries_left -= 1;
                let is_repeatable = match &result {
                    Err(StoreError::Serialization) => true,
                    // A transaction that may have been committed must not be repeated.
                    Err(StoreError::Unavailable(_)) => !has_begun.get() && tries_left == MAX_TRIES - 1,
                    _ => false,
                };
                if !is_repeatable || tries_left == 0 {
                    return result;
                }
            }
        })
        .await
    }
}

/// Says why connections cannot be made, which the callers only see as "unavailable".
#[derive(Debug)]
struct LogPoolErrors;

impl diesel::r2d2::HandleError<diesel::r2d2::Error> for LogPoolErrors {
    fn handle_error(&self, error: diesel::r2d2::Error) {
        tracing::warn!(cause = %error, "database connection failed");
    }
}

/// Runs work on a connection of the pool, which is not used again when it has failed.
fn on_connection<T>(
    pool: &Pool<Manager>,
    manager: &Manager,
    wait_until: Instant,
    work: impl Fn(&mut Conn) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let wait = wait_until.saturating_duration_since(Instant::now());
    let mut pooled = pool.get_timeout(wait).map_err(|error| StoreError::Unavailable(error.to_string()))?;
    let result = work(&mut pooled.conn);
    if matches!(result, Err(StoreError::Unavailable(_))) {
        manager.distrust(&mut pooled);
    }
    result
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(StoreError::Internal(error.to_string())))
}
