//! Brings the tables up to date, from migrations that are part of the binary.

use std::error::Error;
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::migration::MigrationSource;
use diesel::{Connection, SqliteConnection};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::connection::{ADVISORY_LOCK, Conn, Manager};
use super::error::OpenError;
use super::transfer::unfinished;

const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");

type Failure = Box<dyn Error + Send + Sync>;

/// Runs what is missing; harmless when nothing is, and when several processes do it at once.
///
/// # Errors
/// [`OpenError`], also for a part of a copy: nothing may be written there, or it could not be resumed.
pub(super) fn run(manager: &Manager) -> Result<(), OpenError> {
    let on_whole =
        |conn: &mut Conn| if unfinished::is_marked(conn)? { Err(unfinished::FAULT.into()) } else { migrate(conn) };
    on_connection(manager, on_whole)
}

/// The same where data is copied to.
pub(super) fn run_on_target(manager: &Manager) -> Result<(), OpenError> {
    on_connection(manager, migrate)
}

fn on_connection(manager: &Manager, work: impl FnOnce(&mut Conn) -> Result<(), Failure>) -> Result<(), OpenError> {
    let opened = manager.open().map_err(Failure::from);
    opened.and_then(|mut conn| work(&mut conn)).map_err(|error| OpenError::new(&manager.url, error))
}

fn migrate(conn: &mut Conn) -> Result<(), Failure> {
    match conn {
        Conn::Sqlite(conn) => {
            write_ahead(conn)?;
            // A lock first: with a deferred transaction, the second of two processes would fail at its first write.
            conn.immediate_transaction(|conn| pending(conn, SQLITE))
        }
        // The lock belongs to the transaction, so a process that dies here does not keep the others out.
        Conn::Postgres(conn) => conn.transaction(|conn| {
            let wait = "SET LOCAL lock_timeout = '60s'; SET LOCAL statement_timeout = 0;";
            conn.batch_execute(&format!("{wait} SELECT pg_advisory_xact_lock({ADVISORY_LOCK})"))?;
            pending(conn, POSTGRES)
        }),
    }
}

fn pending<C, DB>(conn: &mut C, source: EmbeddedMigrations) -> Result<(), Failure>
where
    C: MigrationHarness<DB>,
    DB: diesel::backend::Backend,
    EmbeddedMigrations: MigrationSource<DB>,
{
    conn.run_pending_migrations(source).map(drop)
}

/// Switches the file to write-ahead logging, which lasts. SQLite does not wait by itself when two processes do it at once.
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
