//! A snapshot of a SQLite database in one file, made while the service runs.
//!
//! `VACUUM INTO` reads in one transaction, so it sees one moment of the data, and writes another file; with write-ahead
//! logging neither waits for the other. (diesel 2.3 does not expose SQLite's backup API.)

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use diesel::connection::SimpleConnection;
use diesel::sql_types::Text;
use diesel::{Connection, QueryableByName, RunQueryDsl, SqliteConnection, sql_query};

use super::catalog;
use crate::config::{DatabaseSettings, DatabaseUrl};
use crate::db::connection::Conn;
use crate::db::error::{OpenError, StoreError};
use crate::db::manager::Manager;

/// Suffix of the file's name while it is being written.
const UNFINISHED: &str = ".unfinished";

/// Why a backup failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BackupError {
    #[error("{url} is PostgreSQL: back it up with pg_dump --format=custom --file={} DATABASE-URL", .file.display())]
    Postgres { url: String, file: PathBuf },
    #[error("database {0}: the file does not exist")]
    NoDatabase(String),
    #[error("{}: the file already exists, and a backup never replaces one", .0.display())]
    Exists(PathBuf),
    #[error("{}: {cause}", .file.display())]
    File { file: PathBuf, cause: io::Error },
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("{0}")]
    Store(#[from] StoreError),
    #[error("the copy is damaged ({0}) and was deleted: check the disk, then the database")]
    Damaged(String),
}

/// A finished backup.
pub(crate) struct Backup {
    pub bytes: u64,
    /// Each table with its number of rows.
    pub tables: Vec<(String, u64)>,
}

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Text)]
    line: String,
}

/// Writes a snapshot to a new file that only its owner can read, checks it and syncs it to disk.
///
/// # Errors
/// [`BackupError`] says in one line why not; then no file of that name exists.
pub(crate) fn backup(settings: &DatabaseSettings, file: &Path) -> Result<Backup, BackupError> {
    let DatabaseUrl::Sqlite(source) = &settings.url else {
        return Err(BackupError::Postgres { url: settings.url.to_string(), file: file.into() });
    };
    if !source.exists() {
        return Err(BackupError::NoDatabase(settings.url.to_string()));
    }
    // Reserve the name first: an empty file holds it until the complete one is ready.
    create_new(file)?;
    let unfinished = unfinished(file);
    let done = create_new(&unfinished).and_then(|()| {
        let made = write(settings, &unfinished, file);
        made.inspect_err(|_| drop(fs::remove_file(&unfinished)))
    });
    done.inspect_err(|_| drop(fs::remove_file(file)))
}

fn write(settings: &DatabaseSettings, unfinished: &Path, file: &Path) -> Result<Backup, BackupError> {
    let failed = |cause| BackupError::File { file: file.into(), cause };
    let mut conn = Manager::new(settings).open().map_err(|error| OpenError::new(&settings.url, error))?;
    sql_query("VACUUM INTO ?")
        .bind::<Text, _>(unfinished.to_string_lossy().into_owned())
        .execute(&mut conn)
        .map_err(StoreError::from)?;
    let tables = check(unfinished)?;
    File::open(unfinished).and_then(|written| written.sync_all()).map_err(failed)?;
    fs::rename(unfinished, file).map_err(failed)?;
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // The name is durable once the folder is synced.
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
    let bytes = fs::metadata(file).map_err(failed)?.len();
    Ok(Backup { bytes, tables })
}

/// Reads the whole copy with its indices and references, and counts the rows.
fn check(copy: &Path) -> Result<Vec<(String, u64)>, BackupError> {
    let damaged = |error: &dyn std::fmt::Display| BackupError::Damaged(error.to_string());
    let conn = SqliteConnection::establish(&copy.to_string_lossy()).map_err(|error| damaged(&error))?;
    let mut conn = Conn::Sqlite(conn);
    conn.batch_execute("PRAGMA query_only = ON").map_err(StoreError::from)?;
    let lines: Vec<Line> = sql_query("SELECT integrity_check AS line FROM pragma_integrity_check")
        .load(&mut conn)
        .map_err(|error| damaged(&error))?;
    let orphans: Vec<Line> = sql_query("SELECT \"table\" AS line FROM pragma_foreign_key_check")
        .load(&mut conn)
        .map_err(|error| damaged(&error))?;
    let faults = lines.into_iter().filter(|found| found.line != "ok").chain(orphans);
    if let Some(fault) = faults.map(|found| found.line).next() {
        return Err(damaged(&fault));
    }
    let tables = catalog::tables().map_err(|error| damaged(&error))?;
    let count = |table: super::rows::Table| {
        let rows = table.count(&mut conn).map_err(|error| damaged(&error))?;
        Ok((table.name, rows))
    };
    tables.into_iter().map(count).collect()
}

/// Creates an empty file that only its owner can read; SQLite accepts an empty one as its target.
fn create_new(file: &Path) -> Result<(), BackupError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(file) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(BackupError::Exists(file.into())),
        Err(cause) => Err(BackupError::File { file: file.into(), cause }),
    }
}

fn unfinished(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(UNFINISHED);
    name.into()
}
