//! What can go wrong with the database, without a word of HTTP.

use diesel::result::{DatabaseErrorKind, Error as DieselError};

use crate::config::DatabaseUrl;

/// The database could not be opened at the start.
#[derive(Debug, thiserror::Error)]
#[error("database {url}: {cause}")]
pub struct OpenError {
    url: String,
    cause: String,
}

impl OpenError {
    pub(super) fn new(url: &DatabaseUrl, cause: impl std::fmt::Display) -> Self {
        let cause = cause.to_string();
        let cause = cause.lines().map(str::trim).collect::<Vec<_>>().join(" ");
        Self { url: url.to_string(), cause }
    }
}

/// Why a read or a write did not happen.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A row with the same unique value is there already.
    #[error("taken")]
    Taken,
    /// A row that this one refers to is gone.
    #[error("a referenced row is gone")]
    ReferenceGone,
    /// Two transactions got in each other's way and this one may simply be repeated.
    #[error("serialization failure")]
    Serialization,
    /// The database is away, full, locked or cannot be written to; later it may work.
    #[error("database unavailable: {0}")]
    Unavailable(String),
    /// A fault of the service itself.
    #[error("database error: {0}")]
    Internal(String),
}

/// Parts of the messages with which SQLite and PostgreSQL say that the fault will pass, or is not the statement's.
const PASSING: &[&str] = &[
    "database is locked",
    "database is busy",
    "database or disk is full",
    "disk I/O error",
    "readonly database",
    "unable to open database file",
    "connection",
    "terminating",
    "shutting down",
    "starting up",
    "recovery mode",
    "timeout",
    "cannot execute",
    "No space left on device",
    "SSL",
];

impl From<DieselError> for StoreError {
    fn from(error: DieselError) -> Self {
        match error {
            DieselError::DatabaseError(kind, info) => from_database(kind, info.message()),
            // The connection died in a commit, and so the rollback failed as well: the first of the two is the cause.
            DieselError::RollbackErrorOnCommit { commit_error, .. } => (*commit_error).into(),
            DieselError::BrokenTransactionManager => Self::Unavailable("the connection broke in a transaction".into()),
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
        _ if PASSING.iter().any(|part| message.contains(part)) => StoreError::Unavailable(message.to_owned()),
        _ => StoreError::Internal(message.to_owned()),
    }
}
