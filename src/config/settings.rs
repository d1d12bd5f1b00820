//! The settings of each section. Every range is checked when they are read.

use std::net::SocketAddr;
use std::path::PathBuf;

use ipnet::IpNet;
use secrecy::SecretString;

use super::choices::{Algorithm, Environment, RevocationFail, SignUpMode};
use super::database_url::DatabaseUrl;
use super::smtp_url::SmtpUrl;

/// The effective settings, complete and checked; `Debug` shows no secret.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The deployment environment, from `KEYFOB_ENV`.
    pub environment: Environment,
    /// `server.*`: how clients reach the service.
    pub server: ServerSettings,
    /// `log.*`: where traces of requests go.
    pub log: LogSettings,
    /// `database.*`: where all data is stored.
    pub database: DatabaseSettings,
    /// `token.*`: how tokens are issued and how long they live.
    pub token: TokenSettings,
    /// `sessions.*`: limits on sessions.
    pub sessions: SessionSettings,
    /// `accounts.*`: who may sign up, and the links that accounts are sent.
    pub accounts: AccountSettings,
    /// `bootstrap.*`: the first admin.
    pub bootstrap: BootstrapSettings,
    /// `mail.*`: how mails are sent.
    pub mail: MailSettings,
    /// `password.*`: which passwords may be chosen, and the cost of hashing one.
    pub password: PasswordSettings,
    /// `rate_limit.*`: limits on failed logins and on sign-ups.
    pub rate_limit: RateLimitSettings,
    /// `audit.*`: the audit trail.
    pub audit: AuditSettings,
}

/// How clients reach the service.
#[derive(Clone, Debug)]
pub struct ServerSettings {
    /// Address and port to listen on; port 0 picks a free one.
    pub bind: SocketAddr,
    /// Threads that serve requests, 1 to 1024 (0 in a file: the number of cores, already resolved here).
    pub workers: usize,
    /// Largest request body in bytes, 1 to 104,857,600.
    pub max_body_bytes: usize,
    /// Seconds that a client may take to send the head of a request, the same again for its body, and the same without
    /// reading any of a response, 1 to 3,600.
    pub request_seconds: u64,
    /// Seconds to keep a connection open without a request, 1 to 3,600.
    pub keep_alive_seconds: u64,
    /// Connections that one client address may have at a time, 0 to 16,384; 0 means no limit.
    pub max_connections_per_address: u32,
    /// Certificate chain for HTTPS, a PEM file; set together with `tls_key` or not at all.
    pub tls_cert: Option<PathBuf>,
    /// Private key for HTTPS, a PEM file; set together with `tls_cert` or not at all.
    pub tls_key: Option<PathBuf>,
    /// Address and port of `GET /metrics`; unset: no metrics.
    pub metrics_bind: Option<SocketAddr>,
    /// Networks whose `X-Forwarded-For` is trusted; a plain address is a network of one.
    pub trusted_proxies: Vec<IpNet>,
    /// Browser origins that may call the service, exactly as browsers send them: `scheme://host[:port]`, lower case.
    pub cors_origins: Vec<String>,
    /// The path under which a proxy exposes the service, such as `/auth`; empty: the root.
    pub root_path: String,
}

/// Where traces of requests go, beside the log.
#[derive(Clone, Debug)]
pub struct LogSettings {
    /// The base URL of an OpenTelemetry collector, plain HTTP; unset: no traces. Needs the cargo feature `otlp`.
    pub otlp_endpoint: Option<String>,
}

/// Where all data is stored.
#[derive(Clone, Debug)]
pub struct DatabaseSettings {
    /// Which database: SQLite or PostgreSQL.
    pub url: DatabaseUrl,
    /// A read replica, PostgreSQL only: serves anonymous reads that may lag.
    pub read_url: Option<DatabaseUrl>,
    /// Connections, 1 to 256: the readers on SQLite; all of them on PostgreSQL, a quarter of which is kept for reads.
    pub pool_size: u32,
    /// Seconds that a request waits for a free connection, 1 to 60.
    pub pool_wait_seconds: u64,
}

/// How tokens are issued and how long they live.
#[derive(Clone, Debug)]
pub struct TokenSettings {
    /// Signature algorithm of access tokens.
    pub algorithm: Algorithm,
    /// The HS256 secret, at least 32 bytes of UTF-8; if unset, a key in the database.
    pub secret: Option<SecretString>,
    /// The private key of the other algorithms, an existing PEM file; if unset, a key in the database.
    pub private_key_file: Option<PathBuf>,
    /// The `iss` claim: an HTTP(S) URL without query, fragment and trailing slash.
    pub issuer: String,
    /// The `aud` claim, not empty.
    pub audience: String,
    /// Lifetime of an access token in seconds, 1 to [`Self::MAX_ACCESS_TTL_SECONDS`].
    pub access_ttl_seconds: u64,
    /// Lifetime of an unused refresh token in seconds, 1 to 31,536,000.
    pub refresh_ttl_seconds: u64,
    /// Lifetime of a session in seconds, even if it is refreshed, 1 to 315,360,000.
    pub session_ttl_seconds: u64,
    /// Seconds for which the previous refresh token is still accepted, 0 to 300.
    pub refresh_grace_seconds: u64,
    /// Encrypts the keys in the database, at least 32 bytes of UTF-8.
    pub key_encryption_secret: Option<SecretString>,
    /// Age in days at which to replace a key in the database, 0 to 3,650; 0 means never.
    pub key_rotation_days: u32,
    /// What happens to access tokens while revocations cannot be read.
    pub revocation_fail: RevocationFail,
    /// Whether `/login` accepts a user's password.
    pub password_grant: bool,
    /// Whether a request without a client counts as the public client `keyfob`.
    pub builtin_client: bool,
}

impl TokenSettings {
    /// The longest lifetime of any access token, whatever the settings when it was issued: 1 day. The migrations
    /// contain this number too.
    pub const MAX_ACCESS_TTL_SECONDS: u64 = 86_400;
}

/// Limits on sessions.
#[derive(Clone, Debug)]
pub struct SessionSettings {
    /// Sessions that an account may have at a time, 1 to 10,000: a login beyond that ends the oldest.
    pub max_per_account: u32,
}

/// The first admin, created at startup if there is none and never was one.
#[derive(Clone, Debug)]
pub struct BootstrapSettings {
    /// The e-mail address; set together with `admin_password_file` or not at all.
    pub admin_email: Option<String>,
    /// The file whose first line is the password; set together with `admin_email` or not at all.
    pub admin_password_file: Option<PathBuf>,
}

/// Who may sign up, and the links that accounts are sent.
#[derive(Clone, Debug)]
pub struct AccountSettings {
    /// Who may sign up.
    pub signup: SignUpMode,
    /// Whether `POST /signup` answers the same for every address. The address is then proven first, too.
    pub neutral_signup: bool,
    /// Whether an account is created only once its address is proven, and only verified accounts can log in.
    pub require_verified_email: bool,
    /// The app whose pages the links open, an HTTP(S) URL like the issuer; unset: the pages of this service.
    pub link_base_url: Option<String>,
    /// Seconds that a link to confirm an address is good, 60 to 2,592,000.
    pub verification_ttl_seconds: u64,
    /// Seconds that an invitation is good, 60 to 2,592,000.
    pub invitation_ttl_seconds: u64,
    /// Days in which an owner who deleted the account can come back, 0 to 365; 0 means that it is deleted at once.
    pub delete_grace_days: u32,
}

/// How mails are sent.
#[derive(Clone, Debug)]
pub struct MailSettings {
    /// The mail server; unset: mails are written to files.
    pub smtp_url: Option<SmtpUrl>,
    /// The user name for the mail server, if not in the URL.
    pub username: Option<String>,
    /// An existing file with the password of that user.
    pub password_file: Option<PathBuf>,
    /// From whom mails come; always set if `smtp_url` is.
    pub from: Option<Sender>,
    /// Certificates that the mail server's must be signed by, an existing PEM file; unset: those of the system.
    pub ca_file: Option<PathBuf>,
    /// The name in EHLO; unset: the issuer's host.
    pub ehlo_name: Option<String>,
    /// Seconds that sending one mail may take, 1 to 60.
    pub timeout_seconds: u64,
    /// Where mails are written if there is no mail server.
    pub outbox_dir: PathBuf,
    /// Templates that replace the built-in ones, an existing folder.
    pub templates_dir: Option<PathBuf>,
    /// Most mails in an hour, 10 to 1,000,000.
    pub max_per_hour: u32,
}

/// From whom mails come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    /// The display name.
    pub name: Option<String>,
    /// The e-mail address.
    pub address: String,
}

impl AccountSettings {
    /// Whether a sign-up waits until its address is proven.
    #[must_use]
    pub fn proves_addresses_first(&self) -> bool {
        self.neutral_signup || self.require_verified_email
    }
}

/// Which passwords may be chosen, and the cost of hashing one.
#[derive(Clone, Debug)]
pub struct PasswordSettings {
    /// How hard to guess a new password must be, 0 to 4; 0 means any.
    pub min_score: u8,
    /// A sorted file with the SHA-1 of breached passwords, which may not be chosen; unset: no such check.
    pub breached_file: Option<PathBuf>,
    /// bcrypt's cost, 4 to 31: each step doubles the work; up to 16 is sensible.
    pub bcrypt_cost: u32,
    /// Threads that hash, 1 to 1024 (0 in a file: the number of cores, already resolved here).
    pub hash_threads: usize,
    /// Logins and sign-ups that may wait for a hash before 503, 1 to 4096.
    pub queue_length: usize,
    /// Seconds that a login or sign-up may wait for a hash before 503, 1 to 60.
    pub max_wait_seconds: u64,
}

/// Limits on failed logins and on sign-ups.
#[derive(Clone, Debug)]
pub struct RateLimitSettings {
    /// Whether failed attempts are counted and refused with 429.
    pub enabled: bool,
    /// Failed attempts on one account, or client, allowed to one address in a window, at least 1.
    pub account_failures: u32,
    /// Failed attempts on one account from all addresses in a window, at least 1. From then on, an address that the
    /// account never logged in from is allowed one.
    pub account_total_failures: u32,
    /// Failed attempts allowed to one address in a window, at least 1.
    pub address_failures: u32,
    /// Sign-ups allowed to one address in a window, at least 1.
    pub address_signups: u32,
    /// Length of a window in seconds, 1 to 86,400.
    pub window_seconds: u64,
}

/// The audit trail.
#[derive(Clone, Debug)]
pub struct AuditSettings {
    /// Days to keep an event, 1 to 3,650.
    pub retention_days: u32,
}
