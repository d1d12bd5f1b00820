//! The names of all settings, and suggestions for unknown ones.

/// Every key, also those that no file sets; a test compares it with `config/default.toml` and `keyfob config`.
pub(super) const KEYS: &[&str] = &[
    "server.bind",
    "server.workers",
    "server.max_body_bytes",
    "server.request_seconds",
    "server.keep_alive_seconds",
    "server.max_connections_per_address",
    "server.tls_cert",
    "server.tls_key",
    "server.metrics_bind",
    "server.trusted_proxies",
    "server.cors_origins",
    "server.root_path",
    "log.otlp_endpoint",
    "database.url",
    "database.read_url",
    "database.pool_size",
    "database.pool_wait_seconds",
    "token.algorithm",
    "token.secret",
    "token.private_key_file",
    "token.issuer",
    "token.audience",
    "token.access_ttl_seconds",
    "token.refresh_ttl_seconds",
    "token.session_ttl_seconds",
    "token.refresh_grace_seconds",
    "token.key_encryption_secret",
    "token.key_rotation_days",
    "token.revocation_fail",
    "token.password_grant",
    "token.builtin_client",
    "sessions.max_per_account",
    "accounts.signup",
    "accounts.neutral_signup",
    "accounts.require_verified_email",
    "accounts.link_base_url",
    "accounts.verification_ttl_seconds",
    "accounts.invitation_ttl_seconds",
    "accounts.delete_grace_days",
    "bootstrap.admin_email",
    "bootstrap.admin_password_file",
    "mail.smtp_url",
    "mail.username",
    "mail.password_file",
    "mail.from",
    "mail.ca_file",
    "mail.ehlo_name",
    "mail.timeout_seconds",
    "mail.outbox_dir",
    "mail.templates_dir",
    "mail.max_per_hour",
    "password.min_score",
    "password.breached_file",
    "password.bcrypt_cost",
    "password.hash_threads",
    "password.queue_length",
    "password.max_wait_seconds",
    "rate_limit.enabled",
    "rate_limit.account_failures",
    "rate_limit.account_total_failures",
    "rate_limit.address_failures",
    "rate_limit.address_signups",
    "rate_limit.window_seconds",
    "audit.retention_days",
];

/// Names that other programs use for a setting, too different for [`nearest`] to find it.
const OTHER_NAMES: [(&str, &str); 4] = [
    ("server.port", "server.bind"),
    ("server.host", "server.bind"),
    ("server.address", "server.bind"),
    ("server.listen", "server.bind"),
];

/// Names under which people look for the log's filter, which is no setting.
const LOG_FILTERS: [&str; 4] = ["log.level", "log.filter", "log_level", "logging.level"];

/// Least similarity (0 to 1) of two names for one to be suggested for the other.
const ALIKE: f64 = 0.6;

/// Whether `key` is a setting.
pub(super) fn is_key(key: &str) -> bool {
    KEYS.contains(&key)
}

/// Whether `name` is a section, such as `server`.
pub(super) fn is_section(name: &str) -> bool {
    KEYS.iter().any(|key| section(key) == name)
}

/// The fault of a key that is not in [`KEYS`], with a suggestion.
pub(super) fn unknown_fault(key: &str) -> String {
    if is_section(key) {
        let of_section = KEYS.iter().copied().filter(|known| section(known) == key);
        let names: Vec<&str> = of_section.collect();
        return format!("is a section, not a key; its keys are {}", names.join(", "));
    }
    if LOG_FILTERS.contains(&key) {
        return "unknown key; the variable RUST_LOG sets the log level, such as RUST_LOG=warn".to_owned();
    }
    let other = OTHER_NAMES.iter().find(|(name, _)| *name == key).map(|(_, known)| *known);
    match other.or_else(|| nearest(key)) {
        Some(known) => format!("unknown key, did you mean `{known}`?"),
        None => "unknown key; `keyfob config` lists all keys".to_owned(),
    }
}

/// The environment variable of a key.
pub(super) fn variable_name(key: &str) -> String {
    format!("KEYFOB__{}", key.replace('.', "__").to_uppercase())
}

/// The key meant by a variable that starts with a single underscore, `KEYFOB_SERVER__BIND`.
///
/// Only an exact match counts: orchestrators set variables such as `KEYFOB_SERVICE_HOST` on their own.
pub(super) fn misspelt_variable(name: &str) -> Option<&'static str> {
    let name = name.to_lowercase();
    let rest = name.strip_prefix("keyfob_")?.replace("__", "_");
    KEYS.iter().copied().find(|key| key.replace('.', "_") == rest)
}

/// The most similar key, compared by the whole name or by its last part: the right name in a wrong section is similar
/// too.
fn nearest(key: &str) -> Option<&'static str> {
    let key = key.to_lowercase();
    let likeness = |known: &str| {
        let whole = strsim::normalized_damerau_levenshtein(&key, known);
        let last = strsim::normalized_damerau_levenshtein(last_part(&key), last_part(known));
        // The whole name breaks ties between sections that share a last part.
        (whole.max(last), whole)
    };
    KEYS.iter()
        .map(|known| (likeness(known), *known))
        .filter(|((score, _), _)| *score >= ALIKE)
        .max_by(|(a, _), (b, _)| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)))
        .map(|(_, known)| known)
}

fn section(key: &str) -> &str {
    key.split_once('.').map_or(key, |(section, _)| section)
}

fn last_part(key: &str) -> &str {
    key.rsplit_once('.').map_or(key, |(_, last)| last)
}
