//! One connection type for both back ends, and how to open connections.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use diesel::connection::{SimpleConnection, TransactionManager};
use diesel::r2d2::{Error as PoolError, ManageConnection};
use diesel::{Connection, ConnectionError, PgConnection, QueryResult, RunQueryDsl, SqliteConnection};
use secrecy::{ExposeSecret, SecretString};

use super::error::StoreError;
use crate::config::{DatabaseSettings, DatabaseUrl, PostgresUrl};

/// A connection to either back end.
#[derive(diesel::MultiConnection)]
pub(crate) enum Conn {
    Postgres(PgConnection),
    Sqlite(SqliteConnection),
}

#[derive(diesel::QueryableByName)]
struct Session {
    #[diesel(sql_type = diesel::sql_types::Integer)]
    session: i32,
}

#[derive(diesel::QueryableByName)]
struct Found {
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    found: i64,
}

#[derive(diesel::QueryableByName)]
struct Encoding {
    #[diesel(sql_type = diesel::sql_types::Text)]
    encoding: String,
}

impl Conn {
    /// PostgreSQL's process id of this session, with which another session can end it; `None` on compatible engines
    /// without it.
    fn session(&mut self) -> Option<i32> {
        match self {
            Self::Sqlite(_) => None,
            Self::Postgres(conn) => {
                let found = diesel::sql_query("SELECT pg_backend_pid() AS session").get_result::<Session>(conn);
                found.ok().map(|row| row.session)
            }
        }
    }

    /// Whether a table of that name exists: on PostgreSQL by the search path, as for all other tables.
    pub(super) fn has_table(&mut self, name: &'static str) -> QueryResult<bool> {
        let query = match self {
            Self::Sqlite(_) => format!("SELECT COUNT(*) AS found FROM sqlite_master WHERE name = '{name}'"),
            Self::Postgres(_) => format!("SELECT COUNT(to_regclass('{name}')) AS found"),
        };
        Ok(diesel::sql_query(query).get_result::<Found>(self)?.found > 0)
    }

    /// For a write that only one process may do at a time: waits until no other process is at this point. On SQLite a
    /// write has the whole database to itself anyway.
    pub(crate) fn wait_for_turn(&mut self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(_) => Ok(()),
            Self::Postgres(conn) => Ok(conn.batch_execute(&format!("SELECT pg_advisory_xact_lock({ADVISORY_LOCK})"))?),
        }
    }
}

/// The lock that a process takes on a PostgreSQL database for work that only one may do (the letters "keyfob").
pub(super) const ADVISORY_LOCK: &str = "118048870133602";

/// The settings of every SQLite connection. `synchronous = FULL`: a commit that was acknowledged survives a power cut.
/// `cache_size`: 8 MiB. The file is not memory-mapped: each commit makes every other connection unmap it and fault it
/// in again.
const SQLITE_SETTINGS: &str = "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA cache_size = -8192;";

/// As many symbolic links as Linux follows.
const MAX_LINKS: usize = 40;

/// How long a connection waits for locks, in milliseconds.
pub(super) const SQLITE_PATIENCE: &str = "PRAGMA busy_timeout = 10000";

/// The server stops a PostgreSQL statement after this time.
pub(super) const STATEMENT_SECONDS: u64 = 10;

/// The same for a read replica, in whose place the primary can answer.
pub(super) const REPLICA_SECONDS: u64 = 1;

/// The settings of every PostgreSQL session, beside the time for a statement.
const POSTGRES_SETTINGS: &str = "SET lock_timeout = '5s'; SET idle_in_transaction_session_timeout = '30s'; \
                                 SET TIME ZONE 'UTC';";

/// Parameters for libpq unless the URL sets them: give up on a server that does not respond, and notice one that died.
const POSTGRES_PARAMETERS: [(&str, &str); 6] = [
    ("connect_timeout", "5"),
    ("keepalives_idle", "20"),
    ("keepalives_interval", "5"),
    ("keepalives_count", "3"),
    ("tcp_user_timeout", "15000"),
    ("application_name", "keyfob"),
];

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

fn open_sqlite(path: &Path) -> Result<Conn, ConnectionError> {
    create_private_file(path).map_err(|error| ConnectionError::BadConnection(error.to_string()))?;
    let mut conn = SqliteConnection::establish(&path.to_string_lossy())?;
    for settings in [SQLITE_PATIENCE, SQLITE_SETTINGS] {
        conn.batch_execute(settings).map_err(ConnectionError::CouldntSetupConfiguration)?;
    }
    Ok(Conn::Sqlite(conn))
}

/// Returns [`ConnectionError::InvalidConnectionUrl`] for failures that a retry cannot fix.
fn open_postgres(text: &SecretString, is_replica: bool) -> Result<Conn, ConnectionError> {
    // Check again, wherever the URL came from: libpq's messages would show the password of a URL that it cannot parse.
    let url = PostgresUrl::parse(text.expose_secret())
        .map_err(|fault| ConnectionError::InvalidConnectionUrl(format!("the URL {fault}")))?;
    let url = url.with_parameters(text.expose_secret(), &POSTGRES_PARAMETERS);
    let mut conn = PgConnection::establish(&url).map_err(with_remedy)?;
    let seconds = if is_replica { REPLICA_SECONDS } else { STATEMENT_SECONDS };
    let mut settings = format!("SET statement_timeout = '{seconds}s'; {POSTGRES_SETTINGS}");
    if is_replica {
        // Even if the URL is that of a primary, or the standby was promoted.
        settings.push_str("SET default_transaction_read_only = on;");
    }
    conn.batch_execute(&settings).map_err(ConnectionError::CouldntSetupConfiguration)?;
    require_utf8(&mut conn)?;
    Ok(Conn::Postgres(conn))
}

/// In another encoding PostgreSQL would refuse, in the middle of a request, text that the encoding has no characters
/// for.
fn require_utf8(conn: &mut PgConnection) -> Result<(), ConnectionError> {
    let query = diesel::sql_query("SELECT current_setting('server_encoding') AS encoding");
    let found = query.get_result::<Encoding>(conn).map_err(ConnectionError::CouldntSetupConfiguration)?;
    match found.encoding.as_str() {
        // The second is how engines other than PostgreSQL may spell it.
        "UTF8" | "UTF-8" => Ok(()),
        other => Err(ConnectionError::InvalidConnectionUrl(format!(
            "the database encoding is {other}, but UTF8 is required; create another database with \
             `createdb --encoding=UTF8 --locale=C --template=template0 NAME`, and take over what this one holds with \
             pg_dump and pg_restore"
        ))),
    }
}

/// Adds the remedy if TLS is required and not built in. The settings refuse a URL that requires it, so libpq got the
/// requirement in another way.
fn with_remedy(error: ConnectionError) -> ConnectionError {
    match error {
        ConnectionError::BadConnection(cause) if cause.contains("SSL support is not compiled in") => {
            let remedy = "set by PGSSLMODE or a service file: change it there, or build with `--features postgres-tls`";
            ConnectionError::BadConnection(format!("{}; {remedy}", cause.trim_end()))
        }
        error => error,
    }
}

/// The file holds keys and hashes, so only its owner may read it (SQLite gives its side files the same mode).
///
/// An existing file is not even opened: closing a file releases all locks that the process has on it (POSIX), SQLite's
/// included. Another program that has read the database then believes that it is the last, and deletes the journal
/// (`-wal`) with everything written to it from then on. (sqlite.org/howtocorrupt.html, §2.2) So the file is only ever
/// created, which does not follow a link; SQLite follows one, and would create its target readable for everyone.
fn create_private_file(path: &Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut path = PathBuf::from(path);
    for _ in 0..MAX_LINKS {
        match options.open(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            result => return result.map(drop),
        }
        match path.read_link() {
            Ok(target) => path = path.parent().unwrap_or(Path::new("")).join(target),
            // Not a link but the file itself.
            Err(_) => return Ok(()),
        }
    }
    Err(std::io::Error::other("too many symbolic links"))
}

#[cfg(test)]
mod tests {
    use diesel::sql_types::{Integer, Text};

    use super::*;
    use crate::db::Db;

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
