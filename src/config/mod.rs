//! Settings: what the service is told from outside, read once at the start.
//!
//! This module alone reads configuration files, `.env` and the environment. Layers, the later wins:
//! the built-in `config/default.toml`, the same file in the working directory,
//! `config/{KEYFOB_ENV}.toml`, `.env`, the environment (`KEYFOB__SECTION__KEY`). What comes out is
//! checked: code that holds a [`Settings`] need not look twice.

mod check;
mod database_url;
mod dotenv;
mod keys;
mod layers;
mod masked;
mod postgres_url;
mod read;
pub(crate) mod safety;
#[cfg(test)]
mod tests;
mod url;
mod values;

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use ipnet::IpNet;
use secrecy::SecretString;

pub use database_url::DatabaseUrl;
pub(crate) use postgres_url::PostgresUrl;
use safety::Finding;
use values::Values;

/// The effective settings, complete and checked; `Debug` shows no secret.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What kind of place this is, from `KEYFOB_ENV`.
    pub environment: Environment,
    /// `server.*`: how the service is reached.
    pub server: ServerSettings,
    /// `log.*`: who is told of the requests.
    pub log: LogSettings,
    /// `database.*`: where everything is kept.
    pub database: DatabaseSettings,
    /// `token.*`: how tokens are made and how long they live.
    pub token: TokenSettings,
    /// `sessions.*`: how many there may be.
    pub sessions: SessionSettings,
    /// `password.*`: what hashing a password costs.
    pub password: PasswordSettings,
    /// `rate_limit.*`: how much guessing is put up with.
    pub rate_limit: RateLimitSettings,
}

/// What `KEYFOB_ENV` names: it picks `config/{name}.toml`, and `production` turns the strict checks
/// on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Environment {
    /// `development`, also when `KEYFOB_ENV` is unset or empty.
    Development,
    /// `production`: unsafe settings stop the start.
    Production,
    /// Any other name; its file must exist.
    Other(String),
}

/// How the service is reached.
#[derive(Clone, Debug)]
pub struct ServerSettings {
    /// Address and port to listen on; port 0 takes a free one.
    pub bind: SocketAddr,
    /// Threads that serve requests, 1 to 1024 (0 in a file: the number of cores, already filled in
    /// here).
    pub workers: usize,
    /// Largest request body in bytes, 1 to 104,857,600.
    pub max_body_bytes: usize,
    /// Seconds that a client may take to send the head of a request, as many again for its body, and as many in which it
    /// reads nothing of an answer, 1 to 3,600.
    pub request_seconds: u64,
    /// Seconds for which a connection without a request is kept open, 1 to 3,600.
    pub keep_alive_seconds: u64,
    /// Connections that one client address may have at a time, 0 to 16,384; 0 is any number.
    pub max_connections_per_address: u32,
    /// Certificate chain for HTTPS, a PEM file; set together with `tls_key` or not at all.
    pub tls_cert: Option<PathBuf>,
    /// Private key for HTTPS, a PEM file; set together with `tls_cert` or not at all.
    pub tls_key: Option<PathBuf>,
    /// Address and port of `GET /metrics`; unset: nothing is measured.
    pub metrics_bind: Option<SocketAddr>,
    /// Networks whose `X-Forwarded-For` is believed; a plain address is a network of one.
    pub trusted_proxies: Vec<IpNet>,
    /// Browser origins that may call, exactly as browsers send them: `scheme://host[:port]`, lower
    /// case.
    pub cors_origins: Vec<String>,
    /// The path under which a proxy shows the service, such as `/auth`; empty: the root.
    pub root_path: String,
}

/// Who is told of the requests, beside the log.
#[derive(Clone, Debug)]
pub struct LogSettings {
    /// The base URL of an OpenTelemetry collector, plain HTTP; unset: no traces are made. Needs the cargo feature `otlp`.
    pub otlp_endpoint: Option<String>,
}

/// Where everything is kept.
#[derive(Clone, Debug)]
pub struct DatabaseSettings {
    /// Which database: SQLite or PostgreSQL.
    pub url: DatabaseUrl,
    /// A read replica, PostgreSQL only: answers reads of strangers that may lag.
    pub read_url: Option<DatabaseUrl>,
    /// Connections, 1 to 256: the readers on SQLite; all of them on PostgreSQL, where a quarter is kept for reads.
    pub pool_size: u32,
    /// Seconds that a request waits for a free connection, 1 to 60.
    pub pool_wait_seconds: u64,
}

/// How tokens are made and how long they live.
#[derive(Clone, Debug)]
pub struct TokenSettings {
    /// Signature of access tokens.
    pub algorithm: Algorithm,
    /// The HS256 secret, at least 32 bytes of UTF-8; unset means a key kept in the database.
    pub secret: Option<SecretString>,
    /// The private key of the other algorithms, a PEM file that exists; unset means a key kept in
    /// the database.
    pub private_key_file: Option<PathBuf>,
    /// The `iss` claim: an HTTP(S) URL without query, fragment and trailing slash.
    pub issuer: String,
    /// The `aud` claim, not empty.
    pub audience: String,
    /// Life of an access token in seconds, 1 to [`Self::MAX_ACCESS_TTL_SECONDS`].
    pub access_ttl_seconds: u64,
    /// Life of a refresh token that is not used, in seconds, 1 to 31,536,000.
    pub refresh_ttl_seconds: u64,
    /// Life of a session, however often it is refreshed, in seconds, 1 to 315,360,000.
    pub session_ttl_seconds: u64,
    /// Seconds for which the refresh token just before the live one is still answered, 0 to 300.
    pub refresh_grace_seconds: u64,
    /// Encrypts the keys kept in the database, at least 32 bytes of UTF-8.
    pub key_encryption_secret: Option<SecretString>,
    /// Age in days at which a key kept in the database is replaced, 0 to 3,650; 0 is never.
    pub key_rotation_days: u32,
    /// What happens to access tokens while revocations cannot be read.
    pub revocation_fail: RevocationFail,
    /// Whether `/login` takes a user's password.
    pub password_grant: bool,
    /// Whether a request that names no client is taken as the public client `keyfob`.
    pub builtin_client: bool,
}

impl TokenSettings {
    /// The longest that any access token lives, whatever the settings were when it was issued: 1 day. The migrations know
    /// this number too.
    pub const MAX_ACCESS_TTL_SECONDS: u64 = 86_400;
}

/// How many sessions there may be.
#[derive(Clone, Debug)]
pub struct SessionSettings {
    /// Sessions that an account may have at a time, 1 to 10,000: a log-in beyond it ends the oldest.
    pub max_per_account: u32,
}

/// A signature algorithm of access tokens, spelt as in the JOSE registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// Ed25519 (RFC 8037).
    EdDSA,
    /// ECDSA on P-256 with SHA-256 (RFC 7518 §3.4).
    ES256,
    /// RSASSA-PKCS1-v1_5 with SHA-256 (RFC 7518 §3.3).
    RS256,
    /// HMAC with SHA-256 (RFC 7518 §3.2): whoever can check a token can also make one.
    HS256,
}

/// What happens to access tokens while revocations cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevocationFail {
    /// Tokens not known to be revoked are accepted.
    Open,
    /// Every token is refused.
    Closed,
}

/// What hashing a password costs.
#[derive(Clone, Debug)]
pub struct PasswordSettings {
    /// bcrypt's cost, 4 to 31: the work doubles with each step; up to 16 is sensible.
    pub bcrypt_cost: u32,
    /// Threads that hash, 1 to 1024 (0 in a file: the number of cores, already filled in here).
    pub hash_threads: usize,
    /// Logins and sign-ups that may wait for a hash before 503, 1 to 4096.
    pub queue_length: usize,
    /// Seconds that one may wait for a hash before 503, 1 to 60.
    pub max_wait_seconds: u64,
}

/// How much guessing is put up with.
#[derive(Clone, Debug)]
pub struct RateLimitSettings {
    /// Whether failed attempts are counted at all.
    pub enabled: bool,
    /// Failed attempts allowed to one account, or client, from one address in a window, at least 1.
    pub account_failures: u32,
    /// Failed attempts at one account from all addresses in a window, at least 1, from which on an address that the
    /// account was not logged in from before has one.
    pub account_total_failures: u32,
    /// Failed attempts allowed to one address in a window, at least 1.
    pub address_failures: u32,
    /// Sign-ups allowed to one address in a window, at least 1.
    pub address_signups: u32,
    /// Length of a window in seconds, 1 to 86,400.
    pub window_seconds: u64,
}

/// A setting that stops the start; `Display` is one line: the key, its fault, what is allowed,
/// where it came from.
///
/// The value of a secret is never in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{line}")]
pub struct ConfigError {
    line: String,
}

impl Settings {
    /// Reads the settings from the working directory and the process environment.
    ///
    /// # Errors
    /// On the first unreadable file, unknown key, wrong value or, in production, unsafe value.
    pub fn load() -> Result<Settings, ConfigError> {
        // The empty path joins to relative ones, so that messages and settings keep them as they
        // were typed.
        Self::load_from(Path::new(""), layers::process_variables()?)
    }

    /// Reads the settings from the files in `dir` and from `env` in place of the process
    /// environment.
    ///
    /// # Errors
    /// As [`Settings::load`].
    pub fn load_from(dir: &Path, env: impl IntoIterator<Item = (String, String)>) -> Result<Settings, ConfigError> {
        let (settings, values) = Self::read(dir, env)?;
        if settings.environment == Environment::Production {
            safety::refuse(&settings, &values, dir)?;
        }
        Ok(settings)
    }

    /// As [`Settings::load`], but tells what is unsafe, also what production would refuse.
    pub(crate) fn examine() -> Result<(Settings, Vec<Finding>), ConfigError> {
        let dir = Path::new("");
        let (settings, values) = Self::read(dir, layers::process_variables()?)?;
        let findings = safety::findings(&settings, &values, dir);
        Ok((settings, findings))
    }

    fn read(dir: &Path, env: impl IntoIterator<Item = (String, String)>) -> Result<(Settings, Values), ConfigError> {
        let (environment, values) = layers::gather(dir, env)?;
        let settings = read::settings(environment, &values)?;
        check::check(&settings, &values, dir)?;
        Ok((settings, values))
    }

    /// The effective settings as TOML: secrets that are set read `********`, keys that are unset
    /// are commented out.
    #[must_use]
    pub fn masked(&self) -> String {
        masked::masked(self)
    }
}

impl Environment {
    /// The name, as in `KEYFOB_ENV` and in `config/{name}.toml`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Development => "development",
            Self::Production => "production",
            Self::Other(name) => name,
        }
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Algorithm {
    const ALL: [Self; 4] = [Self::EdDSA, Self::ES256, Self::RS256, Self::HS256];
    const ALLOWED: &str = "EdDSA, ES256, RS256, HS256";

    /// The name in JWT headers and JWKs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EdDSA => "EdDSA",
            Self::ES256 => "ES256",
            Self::RS256 => "RS256",
            Self::HS256 => "HS256",
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Algorithm {
    type Err = ConfigError;

    /// Takes the exact spelling only: `eddsa` in a JWT header is no algorithm either.
    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let mut all = Self::ALL.into_iter();
        let found = all.find(|algorithm| algorithm.as_str() == text);
        found.ok_or_else(|| {
            let fault = format!("{} is unknown; allowed: {}", quoted(text), Self::ALLOWED);
            ConfigError::new("algorithm", fault)
        })
    }
}

impl RevocationFail {
    /// The name in the settings.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
        }
    }
}

impl ConfigError {
    /// Writes the line; control characters are escaped, so that it stays one line whatever was
    /// typed.
    fn new(subject: impl fmt::Display, fault: impl fmt::Display) -> Self {
        let mut line = String::new();
        for c in format!("{subject}: {fault}").chars() {
            if c.is_control() {
                line.extend(c.escape_default());
            } else {
                line.push(c);
            }
        }
        Self { line }
    }
}

/// A value that is no secret, in backquotes, cut to a length that fits in a line.
fn quoted(value: &str) -> String {
    const LONGEST_CHARS: usize = 80;
    // `user:password@host` typed in the wrong place.
    if value.contains('@') {
        return "the value".to_owned();
    }
    let mut shown: String = value.chars().take(LONGEST_CHARS).collect();
    if shown.len() < value.len() {
        shown.push('…');
    }
    format!("`{shown}`")
}
