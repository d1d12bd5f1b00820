//! The database: SQLite or PostgreSQL, chosen by the URL's scheme.
//!
//! [`Db::read`] and [`Db::write`] are the only steps from async code to blocking code. Features pass them a closure
//! over a [`Conn`]. It may run again after a serialization failure, so it is an `Fn` and has no other effect.

mod batch;
mod connection;
mod error;
mod feed;
mod id;
mod lookup;
mod manager;
mod migrate;
pub(crate) mod page;
mod pool;
mod postgres;
pub(crate) mod query;
pub(crate) mod schema;
mod sequence;
mod sqlite;
mod time;
mod transfer;

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use diesel::Connection;
use diesel::connection::SimpleConnection;
use tokio::sync::Semaphore;

pub(crate) use batch::execute_on_either;
pub(crate) use connection::Conn;
pub use error::{OpenError, StoreError};
pub(crate) use feed::{Place, find_place, find_place_of};
pub use id::Id;
pub(crate) use lookup::Lookup;
use manager::Manager;
use pool::Connections;
use postgres::call::Limits;
pub(crate) use postgres::replica::Freshness;
use postgres::replica::Replica;
use postgres::threads::Threads;
use postgres::watch::Watch;
pub(crate) use sequence::{advance_sequence, last_of_sequence};
use sqlite::writer::Writer;
pub use time::Timestamp;
pub(crate) use transfer::backup::{BackupError, backup};
pub(crate) use transfer::copy::{CopyError, Progress, copy};

use crate::config::{DatabaseSettings, DatabaseUrl};
use crate::metrics::Queue;

/// Most attempts at a write when serialization fails (SQLSTATE 40001, 40P01).
const MAX_TRIES: u32 = 6;

/// A handle to the database; clones share its connections.
#[derive(Clone)]
pub(crate) struct Db {
    connections: Connections,
    writing: Writing,
    replica: Option<Arc<Replica>>,
    threads: Arc<Threads>,
    limits: Limits,
}

/// How to write.
#[derive(Clone)]
enum Writing {
    /// SQLite allows one writer at a time.
    Alone(Arc<Writer>),
    /// PostgreSQL allows concurrent writers. A semaphore keeps some connections free for reads when writes hang.
    Together { turns: Arc<Semaphore>, reads: Arc<Semaphore>, watch: Arc<Watch> },
}

impl std::fmt::Debug for Db {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Db")
    }
}

impl Db {
    /// Opens the database, creating a missing SQLite file, and runs pending migrations.
    ///
    /// # Errors
    /// [`OpenError`] names the database and the cause if it cannot be opened or migrated.
    pub(crate) fn open(settings: &DatabaseSettings) -> Result<Self, OpenError> {
        Self::open_with(settings, migrate::run, Writer::start)
    }

    /// The same for a program that only reads: an up-to-date SQLite file need not be writable.
    ///
    /// # Errors
    /// Those of [`Db::open`].
    pub(crate) fn open_to_read(settings: &DatabaseSettings) -> Result<Self, OpenError> {
        Self::open_with(settings, migrate::run_to_read, Writer::start_idle)
    }

    fn open_with(
        settings: &DatabaseSettings,
        migrate: fn(&Manager) -> Result<(), OpenError>,
        start_writer: fn(&Manager) -> Result<Writer, OpenError>,
    ) -> Result<Self, OpenError> {
        let manager = Manager::new(settings);
        migrate(&manager)?;
        let writing = match settings.url {
            DatabaseUrl::Sqlite(_) => Writing::Alone(Arc::new(start_writer(&manager)?)),
            DatabaseUrl::Postgres(_) => Writing::Together {
                turns: Arc::new(Semaphore::new(turns_to_write(settings.pool_size))),
                reads: Arc::new(Semaphore::new(reads_at_a_time(settings.pool_size))),
                watch: Arc::new(Watch::start(&manager)?),
            },
        };
        let connections = Connections::open(&manager, settings)?;
        let limits = Limits::of_requests(Duration::from_secs(settings.pool_wait_seconds));
        let threads = Arc::new(Threads::start().map_err(|error| OpenError::new(&settings.url, error))?);
        let replica = settings.read_url.as_ref();
        let replica = replica.map(|url| Replica::new(url, settings, Arc::clone(&threads))).transpose()?;
        Ok(Self { connections, writing, replica: replica.map(Arc::new), threads, limits })
    }

    /// Whether the database's threads are running.
    pub(crate) fn is_alive(&self) -> bool {
        match &self.writing {
            Writing::Alone(writer) => writer.is_alive(),
            Writing::Together { watch, .. } => watch.is_alive(),
        }
    }

    /// The same database with a dead writer.
    #[cfg(test)]
    pub(crate) fn without_writer(&self, settings: &DatabaseSettings) -> Self {
        let mut writer = Writer::start_idle(&Manager::new(settings)).expect("a thread");
        writer.end_thread();
        Self { writing: Writing::Alone(Arc::new(writer)), ..self.clone() }
    }

    /// The same for long work that a person waits for: no call is abandoned once it has a connection.
    pub(crate) fn without_end(self) -> Self {
        Self { limits: self.limits.without_end(), ..self }
    }

    /// Measures the queue of SQLite's writer from now on.
    pub(crate) fn watch(&self, queue: Queue) {
        if let Writing::Alone(writer) = &self.writing {
            let _ = writer.watched.set(queue);
        }
    }

    /// The pool's connections: in use, idle, and the limit.
    pub(crate) fn connections(&self) -> (u32, u32, u32) {
        self.connections.count()
    }

    /// Checks that the database responds.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if it does not.
    pub(crate) async fn ping(&self) -> Result<(), StoreError> {
        self.read(|conn| Ok(conn.batch_execute("SELECT 1")?)).await
    }

    /// Runs a reading closure: on a thread for blocking work or, for SQLite, on the current thread.
    ///
    /// # Errors
    /// The closure's error, or [`StoreError::Unavailable`] if no connection is available.
    pub(crate) async fn read<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Fn(&mut Conn) -> Result<T, StoreError> + Send + 'static,
    {
        let reads = match &self.writing {
            // A read takes some microseconds and waits for no other connection (write-ahead log): a hop to another
            // thread and back would cost several times as much.
            Writing::Alone(writer) => {
                return sqlite::snapshot::read(&self.connections, &writer.commits, self.limits, work);
            }
            Writing::Together { reads, .. } => reads,
        };
        let connections = self.connections.clone();
        let call = self.limits.begin();
        // Until the caller takes the result.
        let _turn = call.turn(reads).await?;
        call.blocking(&self.threads, move |call| {
            // Retry on another connection: this one may have died while idle.
            match connections.run(call, &work) {
                Err(StoreError::Unavailable(_)) => connections.run(call, &work),
                result => result,
            }
        })
        .await
    }

    /// Like [`Db::read`], but sends reads that may lag to the replica, if one responds.
    ///
    /// # Errors
    /// Those of [`Db::read`].
    pub(crate) async fn read_as<T, F>(&self, freshness: Freshness, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Fn(&mut Conn) -> Result<T, StoreError> + Send + Sync + 'static,
    {
        let Some(replica) = self.replica.as_ref().filter(|_| freshness == Freshness::MayLag) else {
            return self.read(work).await;
        };
        let work = Arc::new(work);
        let found = {
            // Given back before the primary is asked instead, which has a permit of its own.
            let _turn = match &self.writing {
                Writing::Alone(_) => None,
                Writing::Together { reads, .. } => Some(self.limits.begin().turn(reads).await?),
            };
            replica.read(Arc::clone(&work)).await
        };
        match found {
            Some(found) => Ok(found),
            None => self.read(move |conn| work(conn)).await,
        }
    }

    /// Runs a writing closure in a transaction of its own; once this returns `Ok`, the write is durable.
    ///
    /// # Errors
    /// The closure's error (then nothing is written), or [`StoreError::Unavailable`]: then the write may still have
    /// happened, if the connection broke or the time ran out during the commit. Under synchronous replication that is
    /// so whenever no standby responds.
    pub(crate) async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Fn(&mut Conn) -> Result<T, StoreError> + Send + 'static,
    {
        let (turns, watch) = match &self.writing {
            Writing::Alone(writer) => return writer.write(work).await,
            Writing::Together { turns, watch, .. } => (turns, watch),
        };
        let mut call = self.limits.begin();
        call.watch = Some(Arc::clone(watch));
        let turn = call.turn(turns).await?;
        let connections = self.connections.clone();
        call.blocking(&self.threads, move |call| {
            // Hold the permit until the work is done, although the caller may have its result earlier.
            let _turn = turn;
            let mut tries_left = MAX_TRIES;
            loop {
                let has_begun = Cell::new(false);
                let result = connections.run(call, |conn| {
                    conn.transaction(|conn| {
                        has_begun.set(true);
                        work(conn)
                    })
                });
                tries_left -= 1;
                let is_repeatable = match &result {
                    Err(StoreError::Serialization) => true,
                    // Do not repeat a transaction that may have been committed.
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

/// Reads that may be running or have a result that their caller has not taken yet. Results use memory, large pages most of
/// all, so a client that requests many at once must not have all of them built. Twice the connections keeps them busy.
fn reads_at_a_time(connections: u32) -> usize {
    usize::try_from(connections).unwrap_or(1).saturating_mul(2)
}

/// Connections that may write at the same time: three quarters, and at least one.
fn turns_to_write(connections: u32) -> usize {
    let turns = connections.saturating_sub(connections.div_ceil(4)).max(1);
    usize::try_from(turns).unwrap_or(1)
}
