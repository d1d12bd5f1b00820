//! Copies all data of one database into another, on the same or the other back end.
//!
//! Rows are copied in the order of their keys, so an interrupted copy leaves the first rows of each table. A resumed
//! copy first verifies that they are the first rows of this very data, and continues after them. Until the copy is
//! verified its target is marked, and only a copy can open it.

use aws_lc_rs::digest::{Context, SHA256};
use diesel::Connection;
use diesel::connection::SimpleConnection;

use super::catalog;
use super::rows::{BATCH, Row, Table};
use super::unfinished;
use crate::config::{DatabaseSettings, DatabaseUrl};
use crate::db::connection::Conn;
use crate::db::error::{OpenError, StoreError};
use crate::db::manager::Manager;
use crate::db::migrate;
use crate::db::sequence::{advance_sequence, last_of_sequence};

/// Why a copy failed or is incomplete.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CopyError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("{0}")]
    Store(#[from] StoreError),
    /// The target has rows, and the copy is not a resumed one.
    #[error("{target} has data (table {table}): use an empty database, or continue an interrupted copy with --resume")]
    NotEmpty { target: String, table: String },
    /// The target has rows other than the first ones of the source.
    #[error("{target} does not hold the start of a copy of {origin}: the table {table} differs; use an empty database")]
    NotABeginning { target: String, origin: String, table: String },
    /// Source and target are of different versions.
    #[error("{0} was migrated by a newer keyfob: copy with that version")]
    Newer(String),
    /// The target differs from the source after the copy.
    #[error("the table {table} in {target} differs from the source: another program has written to it")]
    Differs { target: String, table: String },
}

/// How far a copy is.
pub(crate) struct Progress<'p> {
    pub table: &'p str,
    /// Rows done so far; each counts once when copied and once when verified.
    pub done: u64,
    pub total: u64,
}

/// A table that was copied and verified.
pub(crate) struct Copied {
    pub table: String,
    pub rows: u64,
    /// SHA-256 over all rows, in hexadecimal digits.
    pub checksum: String,
}

/// Copies all data, calling `observe` after each batch.
///
/// # Errors
/// [`CopyError`] says in one line why not; then nothing was written, unless a database failed.
pub(crate) fn copy(
    from: &DatabaseSettings,
    to: &DatabaseUrl,
    is_resumed: bool,
    observe: &mut dyn FnMut(&Progress<'_>),
) -> Result<Vec<Copied>, CopyError> {
    require_file(&from.url)?;
    let mut source = open(&Manager::new(from), migrate::run)?;
    let target = Manager::new(&DatabaseSettings { url: to.clone(), ..from.clone() });
    let mut target = open(&target, migrate::run_on_target)?;
    let names = (from.url.to_string(), to.to_string());
    compare_versions(&mut source, &mut target, &names)?;
    let tables = catalog::tables().map_err(|error| StoreError::Internal(error.to_string()))?;
    source.transaction(|source| {
        // Read one snapshot of the source, whatever others write meanwhile. On SQLite every transaction is one.
        if let Conn::Postgres(source) = source {
            source.batch_execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")?;
        }
        let mut run = Run { source, target: &mut target, names, is_resumed, done: 0, total: 0, observe };
        let mut parts = Vec::new();
        for table in tables {
            parts.push(run.begin(table)?);
        }
        if run.is_part_missing() {
            unfinished::mark(run.target)?;
        }
        for part in &mut parts {
            run.copy(part)?;
        }
        let copied: Vec<Copied> = parts.into_iter().map(|part| run.verify(part)).collect::<Result<_, _>>()?;
        unfinished::unmark(run.target)?;
        Ok(copied)
    })
}

/// A copy in progress.
struct Run<'r> {
    source: &'r mut Conn,
    target: &'r mut Conn,
    /// Names of source and target, with passwords masked.
    names: (String, String),
    is_resumed: bool,
    done: u64,
    total: u64,
    observe: &'r mut dyn FnMut(&Progress<'_>),
}

/// The part of a table read so far.
struct Part {
    table: Table,
    last: Option<Row>,
    rows: u64,
    sum: Context,
}

impl Run<'_> {
    /// Finds the rows of a table that the target already has: none, or the first ones.
    fn begin(&mut self, table: Table) -> Result<Part, CopyError> {
        let (there, total) = (table.count(self.target)?, table.count(self.source)?);
        let (origin, target) = self.names.clone();
        if there > 0 && !self.is_resumed {
            return Err(CopyError::NotEmpty { target, table: table.name });
        }
        let (mut copied, mut part) = (Part::new(table.clone()), Part::new(table));
        while !copied.read(self.target, u64::MAX)?.is_empty() {}
        while !part.read(self.source, copied.rows - part.rows)?.is_empty() {}
        if !part.is_same_as(&copied) {
            return Err(CopyError::NotABeginning { target, origin, table: part.table.name });
        }
        self.total += 2 * total;
        self.done += part.rows;
        Ok(part)
    }

    /// Whether rows remain to be copied. A target that has all rows may be in use, and is not marked.
    fn is_part_missing(&self) -> bool {
        2 * self.done < self.total
    }

    /// Copies the rest of a table and its counter's value.
    fn copy(&mut self, part: &mut Part) -> Result<(), CopyError> {
        loop {
            let rows = part.read(self.source, u64::MAX)?;
            if rows.is_empty() {
                break;
            }
            let count = rows.len();
            part.table.insert(self.target, rows)?;
            self.report(&part.table.name, count);
        }
        if let Some(column) = &part.table.counted {
            let given_out = last_of_sequence(self.source, &part.table.name, column)?;
            let largest = part.last.as_ref().and_then(|row| part.table.number(row)).unwrap_or(0);
            advance_sequence(self.target, &part.table.name, column, given_out.max(largest))?;
        }
        Ok(())
    }

    /// Reads the whole table again from the target.
    fn verify(&mut self, part: Part) -> Result<Copied, CopyError> {
        let mut copied = Part::new(part.table.clone());
        loop {
            let count = copied.read(self.target, u64::MAX)?.len();
            if count == 0 {
                break;
            }
            self.report(&part.table.name, count);
        }
        if !part.is_same_as(&copied) {
            return Err(CopyError::Differs { target: self.names.1.clone(), table: part.table.name });
        }
        let checksum = part.checksum();
        Ok(Copied { table: part.table.name, rows: part.rows, checksum })
    }

    fn report(&mut self, table: &str, rows: usize) {
        self.done += u64::try_from(rows).unwrap_or_default();
        (self.observe)(&Progress { table, done: self.done, total: self.total });
    }
}

impl Part {
    fn new(table: Table) -> Self {
        Self { table, last: None, rows: 0, sum: Context::new(&SHA256) }
    }

    /// The next rows, at most `at_most`.
    fn read(&mut self, conn: &mut Conn, at_most: u64) -> Result<Vec<Row>, CopyError> {
        if at_most == 0 {
            return Ok(Vec::new());
        }
        let mut rows = self.table.read_after(conn, self.last.as_ref())?;
        rows.truncate(usize::try_from(at_most).unwrap_or(BATCH));
        for value in rows.iter().flatten() {
            value.digest(&mut self.sum);
        }
        self.rows += u64::try_from(rows.len()).unwrap_or_default();
        self.last = rows.last().cloned().or(self.last.take());
        Ok(rows)
    }

    fn is_same_as(&self, other: &Self) -> bool {
        self.rows == other.rows && self.checksum() == other.checksum()
    }

    fn checksum(&self) -> String {
        self.sum.clone().finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl From<diesel::result::Error> for CopyError {
    fn from(error: diesel::result::Error) -> Self {
        Self::Store(error.into())
    }
}

/// Otherwise a mistyped name would create an empty database and copy nothing, in full.
fn require_file(url: &DatabaseUrl) -> Result<(), OpenError> {
    match url {
        DatabaseUrl::Sqlite(path) if !path.exists() => Err(OpenError::new(url, "the file does not exist")),
        _ => Ok(()),
    }
}

fn open(manager: &Manager, migrate: fn(&Manager) -> Result<(), OpenError>) -> Result<Conn, CopyError> {
    migrate(manager)?;
    let mut conn = manager.open().map_err(|error| OpenError::new(&manager.url, error))?;
    if let Conn::Postgres(conn) = &mut conn {
        // The limits are meant for requests; this reads whole tables, and each side waits for the other.
        conn.batch_execute("SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0")?;
    }
    Ok(conn)
}

/// Tables and columns that only one side has would silently be left out.
fn compare_versions(source: &mut Conn, target: &mut Conn, names: &(String, String)) -> Result<(), CopyError> {
    let (here, there) = (migrate::applied(source)?, migrate::applied(target)?);
    if here == there {
        return Ok(());
    }
    Err(CopyError::Newer(if here.len() > there.len() { names.0.clone() } else { names.1.clone() }))
}
