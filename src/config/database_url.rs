//! Which database: chosen by the scheme of a URL.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use percent_encoding::percent_decode_str;
use secrecy::{ExposeSecret, SecretString};

use super::ConfigError;

/// What a database URL may be.
pub(super) const ALLOWED: &str = "sqlite://FILE or postgres://USER:PASSWORD@HOST:PORT/NAME";

/// Stands for a secret that is set.
pub(super) const MASK: &str = "********";

/// The database that a URL names; `Display` gives the URL back with its password masked.
#[derive(Clone, Debug)]
pub enum DatabaseUrl {
    /// A SQLite file: `sqlite://keyfob.db` (relative to the working directory) or
    /// `sqlite:///var/lib/keyfob.db`.
    Sqlite(PathBuf),
    /// A PostgreSQL URL, whole, as libpq takes it: `postgres://` or `postgresql://`.
    Postgres(SecretString),
}

impl FromStr for DatabaseUrl {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        parse(text).map_err(|fault| ConfigError::new("database URL", format!("{fault}; allowed: {ALLOWED}")))
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
            Self::Postgres(url) => f.write_str(&masked_postgres(url.expose_secret())),
        }
    }
}

/// Reads a URL; the error is the fault, without a word of the value, which may hold a password.
pub(super) fn parse(text: &str) -> Result<DatabaseUrl, &'static str> {
    match text.split_once("://") {
        Some(("postgres" | "postgresql", rest)) => {
            check_postgres(rest)?;
            Ok(DatabaseUrl::Postgres(text.into()))
        }
        _ if text.contains(":memory:") || text.contains("mode=memory") => {
            Err("in memory, each connection would have a database of its own")
        }
        Some(("sqlite", path)) => {
            check_sqlite(path)?;
            Ok(DatabaseUrl::Sqlite(PathBuf::from(path)))
        }
        _ => Err("is no URL of a known database"),
    }
}

fn check_sqlite(path: &str) -> Result<(), &'static str> {
    if path.is_empty() || path.ends_with('/') {
        return Err("names no file");
    }
    // SQLite reads `file:` as a URI of its own, with parameters that open other things than a file.
    if path.starts_with("file:") || path.contains('?') {
        return Err("a SQLite file takes no parameters");
    }
    if path.contains('\0') {
        return Err("has a NUL character");
    }
    Ok(())
}

/// Refuses what could hold a password where the mask does not look: libpq and the mask must agree
/// on where it begins and ends, so there is one `@` at most, before the first slash.
fn check_postgres(rest: &str) -> Result<(), &'static str> {
    if rest.is_empty() {
        return Err("names no server");
    }
    if rest.contains('\0') {
        return Err("has a NUL character");
    }
    let (credentials, server) = rest.split_once('@').unwrap_or(("", rest));
    if server.contains('@') || credentials.contains(['/', '?', '#']) {
        return Err("has `@`, `/`, `?` or `#` in a name or password, to be percent-encoded (@ is %40)");
    }
    let hosts = server.split(['/', '?', '#']).next().unwrap_or_default();
    if !hosts.split(',').all(has_numeric_port) {
        return Err("has a port that is no number");
    }
    let query = rest.split_once('?').map_or("", |(_, query)| query);
    if !cfg!(feature = "postgres-tls") && demands_tls(query) {
        return Err("asks for TLS (sslmode), which is not built in; build with `--features postgres-tls`");
    }
    Ok(())
}

/// Whether libpq would not connect without TLS. Names and values are percent-encoded, and of two the last one counts.
fn demands_tls(query: &str) -> bool {
    let mut parameters = BTreeMap::new();
    for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
        let [name, value] = [name, value].map(|text| percent_decode_str(text).decode_utf8_lossy().into_owned());
        match (name.as_str(), value.as_str()) {
            // Other spellings that libpq takes: that of JDBC, and that of its own old releases.
            ("ssl", "true") => parameters.insert("sslmode".to_owned(), "require".to_owned()),
            ("requiressl", "1") => parameters.insert("sslmode".to_owned(), "require".to_owned()),
            _ => parameters.insert(name, value),
        };
    }
    parameters.iter().any(|(name, value)| match name.as_str() {
        "sslmode" => matches!(value.as_str(), "require" | "verify-ca" | "verify-full"),
        "sslnegotiation" => value == "direct",
        "sslrootcert" => value == "system",
        "sslcertmode" => value == "require",
        _ => false,
    })
}

/// Whether a host of a PostgreSQL URL has no port or a number: a password typed there is seen here.
fn has_numeric_port(host: &str) -> bool {
    // The colons of an IPv6 address stand in brackets.
    let after_address = host.rsplit_once(']').map_or(host, |(_, after)| after);
    after_address.split_once(':').is_none_or(|(_, port)| port.chars().all(|c| c.is_ascii_digit()))
}

/// Masks the password before the `@`, and those that libpq takes as parameters.
fn masked_postgres(url: &str) -> String {
    let (base, query) = match url.split_once('?') {
        Some((base, query)) => (base, Some(query)),
        None => (url, None),
    };
    let shown = masked_credentials(base).unwrap_or_else(|| base.to_owned());
    match query {
        Some(query) => {
            let parameters: Vec<String> = query.split('&').map(masked_parameter).collect();
            format!("{shown}?{}", parameters.join("&"))
        }
        None => shown,
    }
}

/// The same URL with its password masked, `None` where it has none.
fn masked_credentials(base: &str) -> Option<String> {
    let (scheme, rest) = base.split_once("://")?;
    let (credentials, server) = rest.split_once('@')?;
    let (user, _) = credentials.split_once(':')?;
    Some(format!("{scheme}://{user}:{MASK}@{server}"))
}

fn masked_parameter(pair: &str) -> String {
    match pair.split_once('=') {
        Some((name @ ("password" | "sslpassword"), _)) => format!("{name}={MASK}"),
        _ => pair.to_owned(),
    }
}
