//! Opens a connection to a SQLite file, and creates the file for its owner only.

use std::path::{Path, PathBuf};

use diesel::connection::SimpleConnection;
use diesel::{Connection, ConnectionError, SqliteConnection};

use crate::db::connection::Conn;

/// The settings of every SQLite connection. `synchronous = FULL`: a commit that was acknowledged survives a power cut.
/// `cache_size`: 8 MiB. The file is not memory-mapped: each commit makes every other connection unmap it and fault it
/// in again.
const SQLITE_SETTINGS: &str = "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA cache_size = -8192;";

/// As many symbolic links as Linux follows.
const MAX_LINKS: usize = 40;

/// How long a connection waits for locks, in milliseconds.
pub(in crate::db) const SQLITE_PATIENCE: &str = "PRAGMA busy_timeout = 10000";

pub(in crate::db) fn open_sqlite(path: &Path) -> Result<Conn, ConnectionError> {
    create_private_file(path).map_err(|error| ConnectionError::BadConnection(error.to_string()))?;
    let mut conn = SqliteConnection::establish(&path.to_string_lossy())?;
    for settings in [SQLITE_PATIENCE, SQLITE_SETTINGS] {
        conn.batch_execute(settings).map_err(ConnectionError::CouldntSetupConfiguration)?;
    }
    Ok(Conn::Sqlite(conn))
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
