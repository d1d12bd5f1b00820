//! What can go wrong with the database, independent of HTTP.

use diesel::result::{DatabaseErrorKind, Error as DieselError};

use crate::config::DatabaseUrl;

/// The database could not be opened at startup.
#[derive(Debug, thiserror::Error)]
#[error("database {url}: {cause}")]
pub struct OpenError {
    url: String,
    cause: String,
}

impl OpenError {
    pub(super) fn new(url: &DatabaseUrl, cause: impl std::fmt::Display) -> Self {
        let cause = cause.to_string();
        let cause = cause.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ");
        let remedy = REMEDIES.iter().find(|(part, _)| cause.contains(part)).map(|(_, remedy)| format!("; {remedy}"));
        Self { url: url.to_string(), cause: cause + &remedy.unwrap_or_default() }
    }
}

/// Remedies for a file that cannot be opened, by parts of SQLite's and the system's messages, the most certain first.
const REMEDIES: &[(&str, &str)] = &[
    ("disk is full", "free space on its disk, then start again"),
    ("No space left", "free space on its disk, then start again"),
    ("disk I/O error", "its disk may be full, read-only or broken: check with df and mount, then start again"),
    ("ead-only file system", WRITABLE),
    ("readonly database", WRITABLE),
    ("unable to open database file", WRITABLE),
    ("Permission denied", WRITABLE),
];

const WRITABLE: &str = "the file and its folder must exist and be writable for the user who runs keyfob: check with ls -l \
                        and mount, or set another database.url";

/// Why a read or a write failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A row with the same unique value already exists.
    #[error("taken")]
    Taken,
    /// The row that this one refers to is gone.
    #[error("a referenced row no longer exists")]
    ReferenceGone,
    /// A rule of the service forbids the write, and nothing of it is kept.
    #[error("{0}")]
    Refused(&'static str),
    /// Two transactions conflicted; this one may simply be retried.
    #[error("serialization failure")]
    Serialization,
    /// The database is unreachable or locked; a retry may work later.
    #[error("database unavailable: {0}")]
    Unavailable(String),
    /// The disk is full or read-only: reads still work, writes do not.
    #[error("database cannot be written: {0}")]
    Unwritable(String),
    /// A fault in the service itself.
    #[error("database error: {0}")]
    Internal(String),
}

/// Parts of SQLite's and PostgreSQL's messages for faults that are temporary, or not the statement's.
const PASSING: &[&str] = &[
    "database is locked",
    "database is busy",
    "disk I/O error",
    "unable to open database file",
    "connection",
    "terminating",
    "shutting down",
    "starting up",
    "recovery mode",
    "timeout",
    "cannot execute",
    "SSL",
];

/// Parts of their messages when writes are impossible.
const UNWRITABLE: &[&str] = &["database or disk is full", "readonly database", "No space left on device"];

impl StoreError {
    /// The error for the other writes of the same commit.
    pub(super) fn of_neighbour(&self) -> Self {
        match self {
            Self::Unwritable(cause) => Self::Unwritable(cause.clone()),
            Self::Unavailable(cause) => Self::Unavailable(cause.clone()),
            other => Self::Unavailable(other.to_string()),
        }
    }
}

impl From<DieselError> for StoreError {
    fn from(error: DieselError) -> Self {
        match error {
            DieselError::DatabaseError(kind, info) => from_database(kind, info.message()),
            // The connection died during a commit, so the rollback failed as well: the commit's error is the cause.
            DieselError::RollbackErrorOnCommit { commit_error, .. } => (*commit_error).into(),
            DieselError::BrokenTransactionManager => {
                Self::Unavailable("the connection was lost during a transaction".into())
            }
            other => Self::Internal(other.to_string()),
        }
    }
}

fn from_database(kind: DatabaseErrorKind, message: &str) -> StoreError {
    match kind {
        DatabaseErrorKind::UniqueViolation => StoreError::Taken,
        DatabaseErrorKind::ForeignKeyViolation => StoreError::ReferenceGone,
        DatabaseErrorKind::SerializationFailure => StoreError::Serialization,
        DatabaseErrorKind::ClosedConnection
        | DatabaseErrorKind::UnableToSendCommand
        | DatabaseErrorKind::ReadOnlyTransaction => StoreError::Unavailable(message.to_owned()),
        _ if message.contains("deadlock detected") => StoreError::Serialization,
        _ if UNWRITABLE.iter().any(|part| message.contains(part)) => StoreError::Unwritable(message.to_owned()),
        _ if PASSING.iter().any(|part| message.contains(part)) => StoreError::Unavailable(message.to_owned()),
        _ => StoreError::Internal(message.to_owned()),
    }
}
