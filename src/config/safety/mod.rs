//! Unsafe settings. One list for two readers: `KEYFOB_ENV=production` refuses to start with some of them, and `keyfob
//! doctor` reports them all.

mod database;
mod mail;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::Path;

use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use super::error::quoted;
use super::values::Values;
use super::{Algorithm, ConfigError, DatabaseUrl, Environment, Settings, TokenSettings};

/// Parts of secrets that were copied or typed in a hurry, blank-separated; the number begins the sample key in
/// `FastAPI`'s tutorial.
const EXAMPLE_WORDS: &str = "secret example changeme change-me change_me password passw0rd bench \
    keyfob default sample dummy insecure placeholder replace letmein qwerty testing development \
    09d25e094faa6ca2";

/// Fewest distinct bytes of a good secret. Not more: every fourth string of 64 random hex digits lacks one of the 16.
const DISTINCT_BYTES: usize = 8;

/// Below it, guessing from a leaked hash is too fast.
const LEAST_BCRYPT_COST: u32 = 10;

/// The settings that may hold a secret.
const SECRET_KEYS: [&str; 5] =
    ["token.secret", "token.key_encryption_secret", "database.url", "database.read_url", "mail.smtp_url"];

/// Permission bits of everyone but the owner, and of everyone outside the group as well.
const ALL_OTHERS: u32 = 0o077;
const THE_WORLD: u32 = 0o007;

const TLS: &str = "RFC 9700 §2.6; OWASP ASVS 5.0 12.2.1";
const STRONG_KEYS: &str = "RFC 8725 §3.5; OWASP ASVS 5.0 13.2.3";
pub(crate) const KEYS_AT_REST: &str = "OWASP ASVS 5.0 13.3.1";
const TLS_INSIDE: &str = "OWASP ASVS 5.0 12.3.1, 12.3.2";
const LEAST_PRIVILEGE: &str = "OWASP ASVS 5.0 13.3.2";
const PASSWORD_HASHES: &str = "OWASP ASVS 5.0 11.4.2";
const BRUTE_FORCE: &str = "RFC 6749 §4.3.2; OWASP ASVS 5.0 6.3.1";
const PROXIES: &str = "RFC 9700 §4.13; OWASP ASVS 5.0 4.1.3";
const ORIGINS: &str = "OWASP ASVS 5.0 3.4.2";
const MONITORING: &str = "OWASP ASVS 5.0 13.4.5";
pub(crate) const UNIQUE_NAMES: &str = "OWASP ASVS 5.0 2.2.3";
pub(crate) const PASSWORD_GRANT: &str = "RFC 9700 §2.4; OWASP ASVS 5.0 10.4.4";

/// An unsafe setting, file or client; never contains the value of a secret.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Finding {
    /// The setting, file or client.
    pub subject: String,
    /// What is wrong with it.
    pub fault: String,
    /// What to set or do instead.
    pub remedy: String,
    /// The document with the rule.
    pub rule: &'static str,
    /// Whether production refuses to start with it.
    pub is_refused_in_production: bool,
}

impl Finding {
    /// A finding that production tolerates.
    pub(crate) fn new(
        subject: impl Into<String>,
        fault: impl Into<String>,
        remedy: impl Into<String>,
        rule: &'static str,
    ) -> Self {
        let (subject, fault, remedy) = (subject.into(), fault.into(), remedy.into());
        Self { subject, fault, remedy, rule, is_refused_in_production: false }
    }

    fn refused(self) -> Self {
        Self { is_refused_in_production: true, ..self }
    }
}

/// Stops production's startup at the first finding that it refuses.
pub(super) fn refuse(settings: &Settings, values: &Values, dir: &Path) -> Result<(), ConfigError> {
    match findings(settings, values, dir).into_iter().find(|finding| finding.is_refused_in_production) {
        Some(Finding { subject, fault, remedy, .. }) => {
            Err(values.fault(&subject, format!("{fault}, which production refuses"), &remedy))
        }
        None => Ok(()),
    }
}

/// All findings in the settings and the files that they name; relative paths start at `dir`.
pub(super) fn findings(settings: &Settings, values: &Values, dir: &Path) -> Vec<Finding> {
    let token = &settings.token;
    let mut all = Vec::new();
    all.extend(plain_url(settings, "token.issuer", &token.issuer));
    let links = settings.accounts.link_base_url.as_ref();
    all.extend(links.and_then(|url| plain_url(settings, "accounts.link_base_url", url)));
    all.extend(weak_secret("token.secret", token.secret.as_ref()));
    all.extend(weak_secret("token.key_encryption_secret", token.key_encryption_secret.as_ref()));
    all.extend(unencrypted_keys(token));
    let key_file = token.private_key_file.as_deref();
    all.extend(open_file("token.private_key_file", key_file, dir, ALL_OTHERS).map(Finding::refused));
    all.extend(open_file("server.tls_key", settings.server.tls_key.as_deref(), dir, THE_WORLD));
    let bootstrap = settings.bootstrap.admin_password_file.as_deref();
    all.extend(open_file("bootstrap.admin_password_file", bootstrap, dir, THE_WORLD));
    all.extend(open_settings(settings, values, dir));
    if let DatabaseUrl::Sqlite(path) = &settings.database.url {
        all.extend(open_file("database.url", Some(path), dir, THE_WORLD));
    }
    all.extend(database::unproven_servers(settings, values));
    all.extend(cheap_hashes(settings));
    all.extend(no_limits(settings));
    all.extend(exposed_server(settings));
    all.extend(anybody_is_a_proxy(settings));
    all.extend(plain_origins(settings));
    all.extend(mail::findings(settings, dir));
    all
}

/// Plain HTTP on this machine alone is normal for a first try; production never runs so.
fn plain_url(settings: &Settings, key: &str, url: &str) -> Option<Finding> {
    let host = url.strip_prefix("http://")?;
    let is_at_home = is_loopback(host) && settings.environment != Environment::Production;
    let fault = format!("{} is plain HTTP", quoted(url));
    (!is_at_home).then(|| Finding::new(key, fault, "use an https:// URL", TLS).refused())
}

fn weak_secret(key: &str, secret: Option<&SecretString>) -> Option<Finding> {
    let weakness = weakness(secret?.expose_secret())?;
    let remedy = "use random bytes, such as those from `openssl rand -base64 48`";
    Some(Finding::new(key, weakness, remedy, STRONG_KEYS).refused())
}

/// Secrets that are easy to guess: known words, few distinct characters, one block repeated, characters in sequence.
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

/// Backups of the database contain its keys too.
fn unencrypted_keys(token: &TokenSettings) -> Option<Finding> {
    let has_own_key = token.private_key_file.is_some() || token.secret.is_some();
    if has_own_key || token.key_encryption_secret.is_some() {
        return None;
    }
    let own = match token.algorithm {
        Algorithm::HS256 => "token.secret",
        Algorithm::EdDSA | Algorithm::ES256 | Algorithm::RS256 => "token.private_key_file",
    };
    let fault = "is not set, so the database would hold unencrypted keys";
    let remedy = format!("set it to at least 32 random bytes, or set {own}");
    Some(Finding::new("token.key_encryption_secret", fault, remedy, KEYS_AT_REST).refused())
}

/// A file that users other than its owner can read or write.
#[cfg(unix)]
fn open_file(subject: &str, path: Option<&Path>, dir: &Path, others: u32) -> Option<Finding> {
    use std::os::unix::fs::PermissionsExt;
    let path = path?;
    let mode = std::fs::metadata(dir.join(path)).ok()?.permissions().mode() & 0o777;
    let fault = format!("{} is accessible to other users (mode {mode:04o})", quoted(&path.to_string_lossy()));
    (mode & others != 0).then(|| Finding::new(subject, fault, "set its mode to 0600 (chmod 600)", LEAST_PRIVILEGE))
}

#[cfg(not(unix))]
fn open_file(_: &str, _: Option<&Path>, _: &Path, _: u32) -> Option<Finding> {
    None
}

/// `.env` and the settings files, if a secret comes from them.
fn open_settings(settings: &Settings, values: &Values, dir: &Path) -> Vec<Finding> {
    let database = &settings.database;
    let holds_secret = |key: &&str| match *key {
        "token.secret" => settings.token.secret.is_some(),
        "token.key_encryption_secret" => settings.token.key_encryption_secret.is_some(),
        "mail.smtp_url" => settings.mail.smtp_url.as_ref().is_some_and(|url| url.credentials.is_some()),
        "database.url" => database.url.has_secret(),
        _ => database.read_url.as_ref().is_some_and(DatabaseUrl::has_secret),
    };
    let origins = SECRET_KEYS.into_iter().filter(holds_secret).filter_map(|key| values.origin(key));
    let files: BTreeSet<&str> = origins.filter_map(file_of).collect();
    files.into_iter().filter_map(|file| open_file(file, Some(Path::new(file)), dir, THE_WORLD)).collect()
}

/// The file of an origin, if it is one.
fn file_of(origin: &str) -> Option<&str> {
    if origin.ends_with(" in .env") {
        Some(".env")
    } else {
        Some(origin).filter(|origin| origin.starts_with("config/"))
    }
}

fn cheap_hashes(settings: &Settings) -> Option<Finding> {
    let cost = settings.password.bcrypt_cost;
    let fault = format!("is {cost}: leaked hashes can be cracked too quickly");
    let remedy = format!("set it to at least {LEAST_BCRYPT_COST}; a hash is renewed when its owner logs in");
    (cost < LEAST_BCRYPT_COST).then(|| Finding::new("password.bcrypt_cost", fault, remedy, PASSWORD_HASHES))
}

fn no_limits(settings: &Settings) -> Option<Finding> {
    let fault = "is false: attackers can guess passwords without limit";
    let finding = || Finding::new("rate_limit.enabled", fault, "set it to true", BRUTE_FORCE);
    (!settings.rate_limit.enabled).then(finding)
}

/// Addresses that other machines can reach but should not, or not without TLS.
fn exposed_server(settings: &Settings) -> Vec<Finding> {
    let server = &settings.server;
    let mut all = Vec::new();
    let has_tls = server.tls_cert.is_some() || !server.trusted_proxies.is_empty();
    if !server.bind.ip().is_loopback() && !has_tls {
        let fault = format!("`{}` can be reached from other machines, without TLS", server.bind);
        let remedy =
            "set server.tls_cert and server.tls_key, or name the proxy that does TLS in server.trusted_proxies";
        all.push(Finding::new("server.bind", fault, remedy, TLS));
    }
    if let Some(address) = server.metrics_bind.filter(|address| !address.ip().is_loopback()) {
        let fault = format!("`{address}` can be reached from other machines");
        let remedy = "use a loopback address, or an address in a network of the monitoring alone";
        all.push(Finding::new("server.metrics_bind", fault, remedy, MONITORING));
    }
    all
}

/// Any client in a trusted network can choose the address that limits count by.
fn anybody_is_a_proxy(settings: &Settings) -> Option<Finding> {
    let everybody = settings.server.trusted_proxies.iter().find(|network| network.prefix_len() == 0)?;
    let fault =
        format!("`{everybody}` covers every address, so any client can choose the address that limits apply to");
    Some(Finding::new("server.trusted_proxies", fault, "list only the addresses of the proxies", PROXIES))
}

/// Anyone on the network path can replace a page served over plain HTTP. (`*` is not an origin: the settings refuse
/// it.)
fn plain_origins(settings: &Settings) -> Vec<Finding> {
    let plain =
        settings.server.cors_origins.iter().filter_map(|origin| Some((origin, origin.strip_prefix("http://")?)));
    plain
        .filter(|(_, host)| !is_loopback(host))
        .map(|(origin, _)| {
            let fault = format!("{} is plain HTTP: anyone on the network path can change its pages", quoted(origin));
            Finding::new("server.cors_origins", fault, "use an https:// origin", ORIGINS)
        })
        .collect()
}

/// Whether `host[:port][/path]` is this machine.
fn is_loopback(rest: &str) -> bool {
    let authority = rest.split('/').next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(address) => address.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    let address: Option<IpAddr> = host.parse().ok();
    host == "localhost" || host.ends_with(".localhost") || address.is_some_and(|address| address.is_loopback())
}
