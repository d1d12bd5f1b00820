//! The database URL, whose scheme chooses the back end.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use secrecy::{ExposeSecret, SecretString};

use super::ConfigError;
use super::postgres_url::{MASK, PostgresUrl};

/// The expected forms of a database URL.
pub(super) const EXPECTED: &str = "expected sqlite://FILE or postgres://USER:PASSWORD@HOST:PORT/NAME";

/// The database of a URL; `Display` shows the URL with its password masked.
#[derive(Clone, Debug)]
pub enum DatabaseUrl {
    /// A SQLite file: `sqlite://keyfob.db` (relative to the working directory) or
    /// `sqlite:///var/lib/keyfob.db`.
    Sqlite(PathBuf),
    /// A PostgreSQL URL, unchanged, as libpq takes it: `postgres://` or `postgresql://`.
    Postgres(SecretString),
}

impl FromStr for DatabaseUrl {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        parse(text).map_err(|fault| ConfigError::new("database URL", format!("{fault}; {EXPECTED}")))
    }
}

impl TryFrom<String> for DatabaseUrl {
    type Error = ConfigError;

    fn try_from(text: String) -> Result<Self, ConfigError> {
        text.parse()
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite://{}", path.display()),
            Self::Postgres(url) => match PostgresUrl::parse(url.expose_secret()) {
                Ok(url) => f.write_str(&url.masked()),
                // Built by code and never parsed, so the place of its password is unknown.
                Err(_) => write!(f, "postgres://{MASK}"),
            },
        }
    }
}

impl DatabaseUrl {
    /// Whether the URL holds a password or another secret.
    pub(super) fn has_secret(&self) -> bool {
        match self {
            Self::Sqlite(_) => false,
            Self::Postgres(url) => PostgresUrl::parse(url.expose_secret()).is_ok_and(|url| url.has_secret()),
        }
    }
}

/// Parses a URL. The error is the fault, without any of the value, which may hold a password.
pub(super) fn parse(text: &str) -> Result<DatabaseUrl, &'static str> {
    match text.split_once("://") {
        Some(("postgres" | "postgresql", _)) => {
            if PostgresUrl::parse(text)?.demands_tls() && !cfg!(feature = "postgres-tls") {
                return Err(
                    "requires TLS (sslmode), which this build does not support; build with `--features postgres-tls`",
                );
            }
            Ok(DatabaseUrl::Postgres(text.into()))
        }
        _ if text.contains(":memory:") || text.contains("mode=memory") => {
            Err("is in memory, where each connection would have a database of its own")
        }
        Some(("sqlite", path)) => {
            check_sqlite(path)?;
            Ok(DatabaseUrl::Sqlite(PathBuf::from(path)))
        }
        _ => Err("is not the URL of a supported database"),
    }
}

fn check_sqlite(path: &str) -> Result<(), &'static str> {
    if path.is_empty() || path.ends_with('/') {
        return Err("does not name a file");
    }
    // SQLite reads `file:` as its own kind of URI, with parameters that can open other things than a file.
    if path.starts_with("file:") || path.contains('?') {
        return Err("has parameters, which a SQLite file does not accept");
    }
    if path.contains('\0') {
        return Err("contains a NUL character");
    }
    Ok(())
}
