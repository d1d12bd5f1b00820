//! What settings must be together, and what production asks on top.

use std::collections::BTreeSet;
use std::fs::{self, Metadata};
use std::path::Path;

use secrecy::{ExposeSecret, SecretString};

use super::values::Values;
use super::{Algorithm, ConfigError, DatabaseSettings, DatabaseUrl, Environment, Settings, TokenSettings};

/// Parts of secrets that were copied from somewhere or typed in a hurry, blank-separated; the
/// number begins the sample key that the tutorial of `FastAPI` prints.
const EXAMPLE_WORDS: &str = "secret example changeme change-me change_me password passw0rd bench \
    keyfob default sample dummy insecure placeholder replace letmein qwerty testing development \
    09d25e094faa6ca2";

/// Fewest distinct bytes of a good secret. Not more: 64 random hex digits lack one of the 16 every
/// fourth time.
const DISTINCT_BYTES: usize = 8;

/// Checks the settings against each other, and the files they name; relative paths start at `dir`.
pub(super) fn check(settings: &Settings, values: &Values, dir: &Path) -> Result<(), ConfigError> {
    tls_pair(settings, values, dir)?;
    read_replica(&settings.database, values)?;
    metrics_address(settings, values)?;
    key_source(&settings.token, values)?;
    let key_file = match &settings.token.private_key_file {
        Some(path) => Some((path, file(values, "token.private_key_file", path, dir)?)),
        None => None,
    };
    if settings.environment != Environment::Production {
        return Ok(());
    }
    let token = &settings.token;
    https_issuer(token, values)?;
    strong(values, "token.secret", token.secret.as_ref())?;
    let key_encryption_secret = token.key_encryption_secret.as_ref();
    strong(values, "token.key_encryption_secret", key_encryption_secret)?;
    encrypted_keys(token, values)?;
    match key_file {
        Some((path, metadata)) => private_file(values, path, &metadata),
        None => Ok(()),
    }
}

fn tls_pair(settings: &Settings, values: &Values, dir: &Path) -> Result<(), ConfigError> {
    let server = &settings.server;
    match (&server.tls_cert, &server.tls_key) {
        (None, None) => Ok(()),
        (Some(_), None) => {
            let fault = "is set without server.tls_key";
            Err(values.fault("server.tls_cert", fault, "both or none"))
        }
        (None, Some(_)) => {
            let fault = "is set without server.tls_cert";
            Err(values.fault("server.tls_key", fault, "both or none"))
        }
        (Some(cert), Some(key)) => {
            file(values, "server.tls_cert", cert, dir)?;
            file(values, "server.tls_key", key, dir).map(drop)
        }
    }
}

fn read_replica(database: &DatabaseSettings, values: &Values) -> Result<(), ConfigError> {
    let key = "database.read_url";
    match (&database.url, &database.read_url) {
        (_, Some(DatabaseUrl::Sqlite(_))) => Err(values.fault(
            key,
            "names a SQLite file, which has no replicas",
            "postgres://USER:PASSWORD@HOST:PORT/NAME",
        )),
        (DatabaseUrl::Sqlite(_), Some(DatabaseUrl::Postgres(_))) => Err(values.fault(
            key,
            "database.url is SQLite, which has no replicas",
            "unset it, or set both to PostgreSQL",
        )),
        _ => Ok(()),
    }
}

/// The metrics are not for those whom the service is for.
fn metrics_address(settings: &Settings, values: &Values) -> Result<(), ConfigError> {
    let bind = settings.server.bind;
    let Some(metrics) = settings.server.metrics_bind else { return Ok(()) };
    let is_same_ip = metrics.ip() == bind.ip() || metrics.ip().is_unspecified() || bind.ip().is_unspecified();
    // Port 0 is a free one each time.
    if metrics.port() == 0 || metrics.port() != bind.port() || !is_same_ip {
        return Ok(());
    }
    let (fault, allowed) = ("is the address of server.bind", "another port");
    Err(values.wrong("server.metrics_bind", &metrics.to_string(), fault, allowed))
}

/// A key that the algorithm does not use is a mistake: whoever set it believes that it signs.
fn key_source(token: &TokenSettings, values: &Values) -> Result<(), ConfigError> {
    let algorithm = token.algorithm;
    if token.secret.is_some() && algorithm != Algorithm::HS256 {
        let fault = format!("only HS256 uses it, and token.algorithm is {algorithm}");
        return Err(values.fault("token.secret", fault, "unset it, or set HS256"));
    }
    if token.private_key_file.is_some() && algorithm == Algorithm::HS256 {
        let allowed = "unset it, or set token.algorithm to EdDSA, ES256 or RS256";
        return Err(values.fault("token.private_key_file", "HS256 does not use it", allowed));
    }
    Ok(())
}

fn file(values: &Values, key: &str, path: &Path, dir: &Path) -> Result<Metadata, ConfigError> {
    let wrong = |fault: &str| values.wrong(key, &path.to_string_lossy(), fault, "a PEM file");
    match fs::metadata(dir.join(path)) {
        Ok(metadata) if metadata.is_dir() => Err(wrong("is a directory")),
        Ok(metadata) => Ok(metadata),
        Err(error) => Err(wrong(&format!("cannot be read: {error}"))),
    }
}

fn https_issuer(token: &TokenSettings, values: &Values) -> Result<(), ConfigError> {
    if token.issuer.starts_with("https://") {
        return Ok(());
    }
    let fault = "is plain HTTP, which production refuses";
    Err(values.wrong("token.issuer", &token.issuer, fault, "https://…"))
}

fn strong(values: &Values, key: &str, secret: Option<&SecretString>) -> Result<(), ConfigError> {
    match secret.and_then(|secret| weakness(secret.expose_secret())) {
        Some(weakness) => {
            let fault = format!("{weakness}, which production refuses");
            let allowed = "random bytes, such as `openssl rand -base64 48` makes";
            Err(values.fault(key, fault, allowed))
        }
        None => Ok(()),
    }
}

/// What a guesser would try: known words, few characters, one block again and again, characters in
/// a row.
fn weakness(secret: &str) -> Option<&'static str> {
    let lower = secret.to_lowercase();
    if EXAMPLE_WORDS.split(' ').any(|word| lower.contains(word)) {
        return Some("looks like an example");
    }
    let bytes = secret.as_bytes();
    let distinct: BTreeSet<&u8> = bytes.iter().collect();
    let shifted = |by| bytes.iter().zip(bytes.iter().skip(by));
    let repeats = (1..=bytes.len() / 2).any(|period| shifted(period).all(|(a, b)| a == b));
    let in_a_row = shifted(1).filter(|(a, b)| a.abs_diff(**b) <= 1).count();
    let is_weak = distinct.len() < DISTINCT_BYTES || repeats || in_a_row * 2 >= bytes.len();
    is_weak.then_some("is weak")
}

/// Keys kept in the database are in its backups too.
fn encrypted_keys(token: &TokenSettings, values: &Values) -> Result<(), ConfigError> {
    let has_own_key = token.private_key_file.is_some() || token.secret.is_some();
    if has_own_key || token.key_encryption_secret.is_some() {
        return Ok(());
    }
    let own = match token.algorithm {
        Algorithm::HS256 => "token.secret",
        Algorithm::EdDSA | Algorithm::ES256 | Algorithm::RS256 => "token.private_key_file",
    };
    let fault = "is not set, so keys would lie in the database unencrypted, which production refuses";
    let allowed = format!("at least 32 random bytes, or set {own}");
    Err(values.fault("token.key_encryption_secret", fault, &allowed))
}

#[cfg(unix)]
fn private_file(values: &Values, path: &Path, metadata: &Metadata) -> Result<(), ConfigError> {
    use std::os::unix::fs::PermissionsExt;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    let fault = format!("is open to other users (mode {mode:04o}), which production refuses");
    let (key, path) = ("token.private_key_file", path.to_string_lossy());
    Err(values.wrong(key, &path, &fault, "mode 0600 (chmod 600)"))
}

#[cfg(not(unix))]
fn private_file(_: &Values, _: &Path, _: &Metadata) -> Result<(), ConfigError> {
    Ok(())
}
