//! Runs pending migrations, which are part of the binary.

use std::error::Error;
use std::time::Duration;

use diesel::backend::Backend;
use diesel::connection::SimpleConnection;
use diesel::migration::{Migration, MigrationSource};
use diesel::pg::Pg;
use diesel::sql_types::Text;
use diesel::sqlite::Sqlite;
use diesel::{Connection, QueryResult, QueryableByName, RunQueryDsl, SqliteConnection, sql_query};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::connection::{ADVISORY_LOCK, Conn};
use super::error::OpenError;
use super::manager::Manager;
use super::transfer::unfinished;

const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");

type Failure = Box<dyn Error + Send + Sync>;

/// PostgreSQL's messages to a role without the right.
const REFUSALS: [&str; 2] = ["permission denied", "must be owner"];

#[derive(QueryableByName)]
struct Applied {
    #[diesel(sql_type = Text)]
    version: String,
}

/// Runs pending migrations. Harmless if there are none, and if several processes do it at once.
///
/// # Errors
/// [`OpenError`], also for an unfinished copy: writing to it would make it impossible to resume.
pub(super) fn run(manager: &Manager) -> Result<(), OpenError> {
    on_connection(manager, |conn| {
        require_whole(conn)?;
        if let Conn::Sqlite(conn) = conn {
            write_ahead(conn)?;
        }
        migrate(conn)
    })
}

/// The same for a program that only reads: an up-to-date database may be read-only.
pub(super) fn run_to_read(manager: &Manager) -> Result<(), OpenError> {
    let is_ready = on_connection(manager, |conn| {
        require_whole(conn)?;
        is_up_to_date(conn).map_err(with_remedy)
    })?;
    if is_ready { Ok(()) } else { run(manager) }
}

/// The same for the target of a copy.
pub(super) fn run_on_target(manager: &Manager) -> Result<(), OpenError> {
    on_connection(manager, |conn| {
        if let Conn::Sqlite(conn) = conn {
            write_ahead(conn)?;
        }
        migrate(conn)
    })
}

/// The migrations that a database has run, oldest first.
pub(super) fn applied(conn: &mut Conn) -> QueryResult<Vec<String>> {
    if !conn.has_table("__diesel_schema_migrations")? {
        return Ok(Vec::new());
    }
    let rows: Vec<Applied> = sql_query("SELECT version FROM __diesel_schema_migrations ORDER BY version").load(conn)?;
    Ok(rows.into_iter().map(|row| row.version).collect())
}

fn on_connection<T>(manager: &Manager, work: impl FnOnce(&mut Conn) -> Result<T, Failure>) -> Result<T, OpenError> {
    let opened = manager.open().map_err(Failure::from);
    opened.and_then(|mut conn| work(&mut conn)).map_err(|error| OpenError::new(&manager.url, error))
}

fn require_whole(conn: &mut Conn) -> Result<(), Failure> {
    if unfinished::is_marked(conn)? { Err(unfinished::FAULT.into()) } else { Ok(()) }
}

/// Writes nothing and takes no lock if nothing is pending: the service's role needs no right to create tables.
fn migrate(conn: &mut Conn) -> Result<(), Failure> {
    if is_up_to_date(conn).map_err(with_remedy)? {
        return Ok(());
    }
    match conn {
        // Lock first: with a deferred transaction, the second of two processes would fail at its first write.
        Conn::Sqlite(conn) => conn.immediate_transaction(|conn| pending(conn, SQLITE)),
        // The lock ends with the transaction, so a process that dies here does not keep others out.
        Conn::Postgres(conn) => {
            let done = conn.transaction(|conn| {
                let wait = "SET LOCAL lock_timeout = '60s'; SET LOCAL statement_timeout = 0;";
                conn.batch_execute(&format!("{wait} SELECT pg_advisory_xact_lock({ADVISORY_LOCK})"))?;
                pending(conn, POSTGRES)
            });
            done.map_err(with_remedy)
        }
    }
}

/// Whether a database has run every migration of this program.
fn is_up_to_date(conn: &mut Conn) -> Result<bool, Failure> {
    let applied = applied(conn)?;
    let known = match conn {
        Conn::Sqlite(_) => versions(MigrationSource::<Sqlite>::migrations(&SQLITE)?),
        Conn::Postgres(_) => versions(MigrationSource::<Pg>::migrations(&POSTGRES)?),
    };
    Ok(known.iter().all(|version| applied.contains(version)))
}

fn versions<DB: Backend>(migrations: Vec<Box<dyn Migration<DB>>>) -> Vec<String> {
    migrations.iter().map(|migration| migration.name().version().to_string()).collect()
}

/// Names the right that a role lacks, if that is the cause.
fn with_remedy(error: Failure) -> Failure {
    let cause = error.to_string();
    if !REFUSALS.iter().any(|refusal| cause.contains(refusal)) {
        return error;
    }
    let remedy = "tables are missing or out of date, and this role is not allowed to change them: run `keyfob migrate` as \
                  the role that owns them (docs/postgresql.md lists the rights that the service needs)";
    format!("{}; {remedy}", cause.trim_end()).into()
}

fn pending<C, DB>(conn: &mut C, source: EmbeddedMigrations) -> Result<(), Failure>
where
    C: MigrationHarness<DB>,
    DB: Backend,
    EmbeddedMigrations: MigrationSource<DB>,
{
    conn.run_pending_migrations(source).map(drop)
}

/// Switches the file to write-ahead logging, permanently. SQLite does not wait by itself if two processes do it at
/// once.
fn write_ahead(conn: &mut SqliteConnection) -> Result<(), Failure> {
    let mut tries = 0;
    loop {
        match conn.batch_execute("PRAGMA journal_mode = WAL") {
            Err(error) if tries < 250 && error.to_string().contains("locked") => tries += 1,
            result => return Ok(result?),
        }
        #[expect(clippy::disallowed_methods, reason = "at the start, before there is an event loop to hold up")]
        std::thread::sleep(Duration::from_millis(20));
    }
}
