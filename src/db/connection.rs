//! One connection type over both back ends, and how connections are made.

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
    /// PostgreSQL's number of this session, by which others can end it; none where a compatible engine does not know it.
    fn session(&mut self) -> Option<i32> {
        match self {
            Self::Sqlite(_) => None,
            Self::Postgres(conn) => {
                let found = diesel::sql_query("SELECT pg_backend_pid() AS session").get_result::<Session>(conn);
                found.ok().map(|row| row.session)
            }
        }
    }

    /// Whether there is a table of that name: on PostgreSQL by the search path, as for every other table.
    pub(super) fn has_table(&mut self, name: &'static str) -> QueryResult<bool> {
        let query = match self {
            Self::Sqlite(_) => format!("SELECT COUNT(*) AS found FROM sqlite_master WHERE name = '{name}'"),
            Self::Postgres(_) => format!("SELECT COUNT(to_regclass('{name}')) AS found"),
        };
        Ok(diesel::sql_query(query).get_result::<Found>(self)?.found > 0)
    }

    /// Inside a write: waits until no other process is at this point, for what must be done by one alone. On SQLite a
    /// write has the whole database to itself anyway.
    pub(crate) fn wait_for_turn(&mut self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(_) => Ok(()),
            Self::Postgres(conn) => Ok(conn.batch_execute(&format!("SELECT pg_advisory_xact_lock({ADVISORY_LOCK})"))?),
        }
    }
}

/// The lock that processes take on a PostgreSQL database for what one of them must do alone (the letters "keyfob").
pub(super) const ADVISORY_LOCK: &str = "118048870133602";

/// What every SQLite connection is set to. `synchronous = FULL`: a commit that was acknowledged survives a power cut.
/// `cache_size`: 8 MiB. The file is not mapped: each commit makes every other connection unmap it and fault it in again.
const SQLITE_SETTINGS: &str = "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA cache_size = -8192;";

/// As many symbolic links as Linux follows.
const MAX_LINKS: usize = 40;

/// How long it waits for what others have locked.
pub(super) const SQLITE_PATIENCE: &str = "PRAGMA busy_timeout = 10000";

/// A statement of PostgreSQL that takes longer is stopped by the server.
pub(super) const STATEMENT_SECONDS: u64 = 10;

/// A read replica is asked for so long at the most: the primary is there in its place.
pub(super) const REPLICA_SECONDS: u64 = 1;

/// What every session with PostgreSQL is set to, beside the time for a statement.
const POSTGRES_SETTINGS: &str = "SET lock_timeout = '5s'; SET idle_in_transaction_session_timeout = '30s'; \
                                 SET TIME ZONE 'UTC';";

/// What libpq is told where the URL does not: to give up on a server that does not answer, and to notice one that died.
const POSTGRES_PARAMETERS: [(&str, &str); 6] = [
    ("connect_timeout", "5"),
    ("keepalives_idle", "20"),
    ("keepalives_interval", "5"),
    ("keepalives_count", "3"),
    ("tcp_user_timeout", "15000"),
    ("application_name", "keyfob"),
];

/// A connection in the pool, and whether it may be used again.
pub(super) struct Pooled {
    pub(super) conn: Conn,
    /// PostgreSQL's number of the session, where it tells.
    pub(super) session: Option<i32>,
    /// The epoch in which it was last known to be good.
    epoch: u64,
    /// That of all connections of the pool.
    newest_epoch: Arc<AtomicU64>,
    is_broken: bool,
}

impl Pooled {
    /// Runs work. A connection that fails is taken out of use, and all others are checked.
    pub(super) fn run<T>(&mut self, work: impl Fn(&mut Conn) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let result = work(&mut self.conn);
        if matches!(result, Err(StoreError::Unavailable(_))) {
            self.give_up();
            self.newest_epoch.fetch_add(1, Ordering::Relaxed);
        }
        result
    }

    /// Has it closed when it comes back.
    pub(super) fn give_up(&mut self) {
        self.is_broken = true;
    }
}

/// Makes connections for the pool; picks the back end by scheme and shows the true cause of a failure
/// (diesel 2.3: the derived `establish` tries each back end in turn and hides it).
///
/// A check of each connection at each check-out would cost a round trip. So they are trusted until one fails: then a new
/// epoch begins, in which every connection is checked once before it is used again.
#[derive(Clone, Debug)]
pub(super) struct Manager {
    pub(super) url: DatabaseUrl,
    /// Whether its connections only read.
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

/// [`ConnectionError::InvalidConnectionUrl`] is what no later try would mend.
fn open_postgres(text: &SecretString, is_replica: bool) -> Result<Conn, ConnectionError> {
    // Once more, whoever made it: libpq's messages would show the password of one that it cannot read.
    let url = PostgresUrl::parse(text.expose_secret())
        .map_err(|fault| ConnectionError::InvalidConnectionUrl(format!("the URL {fault}")))?;
    let url = url.with_parameters(text.expose_secret(), &POSTGRES_PARAMETERS);
    let mut conn = PgConnection::establish(&url).map_err(with_remedy)?;
    let seconds = if is_replica { REPLICA_SECONDS } else { STATEMENT_SECONDS };
    let mut settings = format!("SET statement_timeout = '{seconds}s'; {POSTGRES_SETTINGS}");
    if is_replica {
        // Also where the URL is that of a primary, or the standby was promoted.
        settings.push_str("SET default_transaction_read_only = on;");
    }
    conn.batch_execute(&settings).map_err(ConnectionError::CouldntSetupConfiguration)?;
    require_utf8(&mut conn)?;
    Ok(Conn::Postgres(conn))
}

/// In another encoding PostgreSQL refuses, in the middle of a request, what it has no characters for.
fn require_utf8(conn: &mut PgConnection) -> Result<(), ConnectionError> {
    let query = diesel::sql_query("SELECT current_setting('server_encoding') AS encoding");
    let found = query.get_result::<Encoding>(conn).map_err(ConnectionError::CouldntSetupConfiguration)?;
    match found.encoding.as_str() {
        // The second is what engines that are not PostgreSQL may call it.
        "UTF8" | "UTF-8" => Ok(()),
        other => Err(ConnectionError::InvalidConnectionUrl(format!(
            "the database is encoded in {other}, and UTF8 is needed; make another one with \
             `createdb --encoding=UTF8 --locale=C --template=template0 NAME`, and take over what this one holds with \
             pg_dump and pg_restore"
        ))),
    }
}

/// Tells what to do where TLS is asked for and not built in. The settings refuse a URL that asks for it, so the wish came to
/// libpq by another way.
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
/// One that is there is not even opened: whoever closes a file loses all locks that its process has on it (POSIX), also those
/// of SQLite. Without them another program that has read the database takes itself for the last, and deletes the journal
/// (`-wal`) with all that is written in it from then on. (sqlite.org/howtocorrupt.html, §2.2) So it is only ever made anew,
/// which does not follow a link; SQLite does, and would make the file itself, for everybody to read.
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
            // No link: the file itself.
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
