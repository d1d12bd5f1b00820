//! One connection type over both back ends, and how connections are made.

use std::path::Path;

use diesel::connection::SimpleConnection;
use diesel::r2d2::{Error as PoolError, ManageConnection};
use diesel::{Connection, ConnectionError, PgConnection, SqliteConnection};
use secrecy::{ExposeSecret, SecretString};

use crate::config::{DatabaseSettings, DatabaseUrl};

/// A connection to either back end.
#[derive(diesel::MultiConnection)]
pub(crate) enum Conn {
    Postgres(PgConnection),
    Sqlite(SqliteConnection),
}

/// What every SQLite connection is set to. `synchronous = FULL`: a commit that was acknowledged survives a power cut.
const SQLITE_SETTINGS: &str = "PRAGMA busy_timeout = 10000; PRAGMA synchronous = FULL; \
                               PRAGMA foreign_keys = ON; PRAGMA mmap_size = 268435456;";

/// A statement of PostgreSQL that takes longer is stopped by the server.
const POSTGRES_SETTINGS: &str = "SET statement_timeout = '10s'; SET lock_timeout = '5s'; \
                                 SET idle_in_transaction_session_timeout = '30s'; SET TIME ZONE 'UTC';";

/// Makes connections for the pool; picks the back end by scheme and shows the true cause of a failure
/// (diesel 2.3: the derived `establish` tries each back end in turn and hides it).
#[derive(Clone, Debug)]
pub(super) struct Manager {
    pub(super) url: DatabaseUrl,
}

impl Manager {
    pub(super) fn new(settings: &DatabaseSettings) -> Self {
        Self { url: settings.url.clone() }
    }

    fn open_sqlite(path: &Path) -> Result<Conn, ConnectionError> {
        create_private_file(path).map_err(|error| ConnectionError::BadConnection(error.to_string()))?;
        let mut conn = SqliteConnection::establish(&path.to_string_lossy())?;
        conn.batch_execute(SQLITE_SETTINGS).map_err(ConnectionError::CouldntSetupConfiguration)?;
        Ok(Conn::Sqlite(conn))
    }

    fn open_postgres(url: &SecretString) -> Result<Conn, ConnectionError> {
        let mut conn = PgConnection::establish(url.expose_secret())?;
        conn.batch_execute(POSTGRES_SETTINGS).map_err(ConnectionError::CouldntSetupConfiguration)?;
        Ok(Conn::Postgres(conn))
    }
}

impl ManageConnection for Manager {
    type Connection = Conn;
    type Error = PoolError;

    fn connect(&self) -> Result<Conn, PoolError> {
        match &self.url {
            DatabaseUrl::Sqlite(path) => Self::open_sqlite(path),
            DatabaseUrl::Postgres(url) => Self::open_postgres(url),
        }
        .map_err(PoolError::ConnectionError)
    }

    fn is_valid(&self, conn: &mut Conn) -> Result<(), PoolError> {
        conn.batch_execute("SELECT 1").map_err(PoolError::QueryError)
    }

    fn has_broken(&self, conn: &mut Conn) -> bool {
        use diesel::connection::TransactionManager;
        <Conn as Connection>::TransactionManager::is_broken_transaction_manager(conn)
    }
}

/// The file holds keys and hashes, so only its owner may read it (SQLite gives its side files the same mode).
fn create_private_file(path: &Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}
