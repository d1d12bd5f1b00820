//! Where the data is: SQLite or PostgreSQL, chosen by the URL's scheme.
//!
//! [`Db::read`] and [`Db::write`] are the only hops from async code to blocking code. Features give them a closure
//! over a [`Conn`]; a closure may run again after a serialization failure, so it is an `Fn` and has no other effect.

mod connection;
mod error;
mod id;
mod migrate;
pub(crate) mod schema;
mod time;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use diesel::Connection;
use diesel::connection::SimpleConnection;
use diesel::r2d2::{Pool, PooledConnection};

pub(crate) use connection::Conn;
use connection::Manager;
pub use error::{OpenError, StoreError};
pub use id::Id;
pub use time::Timestamp;
use writer::Writer;

use crate::config::{DatabaseSettings, DatabaseUrl};

/// How often a write is tried again after a serialization failure (SQLSTATE 40001, 40P01).
const MAX_RETRIES: u32 = 5;

/// A handle to the database; clones share its connections.
#[derive(Clone)]
pub(crate) struct Db {
    pool: Pool<Manager>,
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
            .test_on_check_out(false)
            .error_handler(Box::new(LogPoolErrors))
            .build(manager)
            .map_err(|error| OpenError::new(&settings.url, error))?;
        Ok(Self { pool, writer })
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
        let pool = self.pool.clone();
        blocking(move || work(&mut *checked_out(&pool)?)).await
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
        let pool = self.pool.clone();
        blocking(move || {
            let mut conn = checked_out(&pool)?;
            let mut retries = 0;
            loop {
                match conn.transaction(|conn| work(conn)) {
                    Err(StoreError::Serialization) if retries < MAX_RETRIES => retries += 1,
                    result => return result,
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

fn checked_out(pool: &Pool<Manager>) -> Result<PooledConnection<Manager>, StoreError> {
    pool.get().map_err(|error| StoreError::Unavailable(error.to_string()))
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(StoreError::Internal(error.to_string())))
}
