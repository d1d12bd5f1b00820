//! Opens connections for the pool, and tells which of them may be reused.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use diesel::connection::{SimpleConnection, TransactionManager};
use diesel::r2d2::{Error as PoolError, ManageConnection};
use diesel::{Connection, ConnectionError};

use super::connection::Conn;
use super::error::StoreError;
use super::postgres::open::open_postgres;
use super::sqlite::open::open_sqlite;
use crate::config::{DatabaseSettings, DatabaseUrl};

/// A pooled connection, and whether it may be reused.
pub(super) struct Pooled {
    pub(super) conn: Conn,
    /// PostgreSQL's process id of the session, if known.
    pub(super) session: Option<i32>,
    /// The epoch in which the connection was last known to work.
    epoch: u64,
    /// The present epoch, shared by all connections of the pool.
    newest_epoch: Arc<AtomicU64>,
    is_broken: bool,
}

impl Pooled {
    /// Runs work. A connection that fails is retired, and all others are checked.
    pub(super) fn run<T>(&mut self, work: impl Fn(&mut Conn) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let result = work(&mut self.conn);
        if matches!(result, Err(StoreError::Unavailable(_))) {
            self.give_up();
            self.newest_epoch.fetch_add(1, Ordering::Relaxed);
        }
        result
    }

    /// Closes the connection when it returns to the pool.
    pub(super) fn give_up(&mut self) {
        self.is_broken = true;
    }
}

/// Opens connections for the pool; picks the back end by scheme and shows the true cause of a failure (diesel 2.3: the
/// derived `establish` tries each back end in turn and hides it).
///
/// Checking each connection at each check-out would cost a round trip. So connections are trusted until one fails: then
/// a new epoch begins, in which every connection is checked once before it is reused.
#[derive(Clone, Debug)]
pub(super) struct Manager {
    pub(super) url: DatabaseUrl,
    /// Whether the connections only read.
    is_replica: bool,
    epoch: Arc<AtomicU64>,
}

impl Manager {
    pub(super) fn new(settings: &DatabaseSettings) -> Self {
        Self { url: settings.url.clone(), is_replica: false, epoch: Arc::default() }
    }

    pub(super) fn of_replica(url: &DatabaseUrl) -> Self {
        Self { url: url.clone(), is_replica: true, epoch: Arc::default() }
    }

    pub(super) fn open(&self) -> Result<Conn, ConnectionError> {
        match &self.url {
            DatabaseUrl::Sqlite(path) => open_sqlite(path),
            DatabaseUrl::Postgres(url) => open_postgres(url, self.is_replica),
        }
    }
}

impl ManageConnection for Manager {
    type Connection = Pooled;
    type Error = PoolError;

    fn connect(&self) -> Result<Pooled, PoolError> {
        let epoch = self.epoch.load(Ordering::Relaxed);
        let mut conn = self.open().map_err(PoolError::ConnectionError)?;
        let session = conn.session();
        Ok(Pooled { conn, session, epoch, newest_epoch: Arc::clone(&self.epoch), is_broken: false })
    }

    fn is_valid(&self, pooled: &mut Pooled) -> Result<(), PoolError> {
        let epoch = self.epoch.load(Ordering::Relaxed);
        if pooled.epoch != epoch {
            pooled.conn.batch_execute("SELECT 1").map_err(PoolError::QueryError)?;
            pooled.epoch = epoch;
        }
        Ok(())
    }

    fn has_broken(&self, pooled: &mut Pooled) -> bool {
        pooled.is_broken || <Conn as Connection>::TransactionManager::is_broken_transaction_manager(&mut pooled.conn)
    }
}

#[cfg(test)]
mod tests {
    use diesel::RunQueryDsl;
    use diesel::sql_types::{Integer, Text};

    use super::*;
    use crate::db::{Db, StoreError};

    #[derive(Debug, PartialEq, Eq, diesel::QueryableByName)]
    struct InForce {
        #[diesel(sql_type = Integer)]
        synchronous: i32,
        #[diesel(sql_type = Integer)]
        foreign_keys: i32,
        #[diesel(sql_type = Text)]
        journal_mode: String,
        #[diesel(sql_type = Integer)]
        timeout: i32,
        #[diesel(sql_type = Integer)]
        cache_size: i32,
    }

    fn in_force(conn: &mut Conn) -> Result<InForce, StoreError> {
        let Conn::Sqlite(conn) = conn else { panic!("SQLite was asked for") };
        let settings = "synchronous, foreign_keys, journal_mode, timeout, cache_size";
        let pragmas = ["synchronous", "foreign_keys", "journal_mode", "busy_timeout", "cache_size"];
        let query = format!("SELECT {settings} FROM {}", pragmas.map(|name| format!("pragma_{name}")).join(", "));
        Ok(diesel::sql_query(query).get_result(conn)?)
    }

    #[actix_web::test]
    async fn every_sqlite_connection_waits_for_the_disk_and_checks_foreign_keys() {
        let folder = tempfile::tempdir().expect("a folder");
        let url = DatabaseUrl::Sqlite(folder.path().join("keyfob.db"));
        let settings = DatabaseSettings { url, read_url: None, pool_size: 2, pool_wait_seconds: 5 };
        let db = Db::open(&settings).expect("a database");
        let journal_mode = "wal".to_owned();
        // 2 is FULL.
        let expected = InForce { synchronous: 2, foreign_keys: 1, journal_mode, timeout: 10_000, cache_size: -8192 };
        assert_eq!(db.write(in_force).await.expect("the writer's"), expected);
        assert_eq!(db.read(in_force).await.expect("one of the pool"), expected);
        let mut later = Manager::new(&settings).connect().expect("one that the pool makes later");
        assert_eq!(in_force(&mut later.conn).expect("its settings"), expected);
    }
}
