//! From values to settings, key by key, in the order of `config/default.toml`.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::thread;

use ipnet::IpNet;

use super::values::Values;
use super::{
    AccountSettings, Algorithm, AuditSettings, BootstrapSettings, ConfigError, DatabaseSettings, DatabaseUrl,
    Environment, LogSettings, MailSettings, PasswordSettings, RateLimitSettings, RevocationFail, ServerSettings,
    SessionSettings, Settings, SignUpMode, TokenSettings, database_url, mail, url,
};

const DAY_SECONDS: u64 = 86_400;
const YEAR_SECONDS: u64 = 365 * DAY_SECONDS;
const BODY_MAX_BYTES: u64 = 100 * 1024 * 1024;
const THREADS_MAX: u64 = 1024;
/// For all clients together (`http::limits`).
const CONNECTIONS_MAX: u64 = 16_384;
/// For one account, so that listing and ending them stays fast.
const SESSIONS_MAX: u64 = 10_000;
const ADDRESS: &str = "expected an IP address and a port, such as 127.0.0.1:8000 or [::1]:8000";

/// Reads every section; `check` compares values with each other.
pub(super) fn settings(environment: Environment, values: &Values) -> Result<Settings, ConfigError> {
    Ok(Settings {
        environment,
        server: server(values)?,
        log: log(values)?,
        database: database(values)?,
        token: token(values)?,
        sessions: sessions(values)?,
        accounts: accounts(values)?,
        bootstrap: bootstrap(values)?,
        mail: mail(values)?,
        password: password(values)?,
        rate_limit: rate_limit(values)?,
        audit: audit(values)?,
    })
}

fn server(values: &Values) -> Result<ServerSettings, ConfigError> {
    Ok(ServerSettings {
        bind: values.parsed("server.bind", ADDRESS)?,
        workers: threads(values, "server.workers")?,
        max_body_bytes: values.integer("server.max_body_bytes", 1..=BODY_MAX_BYTES)?,
        request_seconds: values.integer("server.request_seconds", 1..=3600)?,
        keep_alive_seconds: values.integer("server.keep_alive_seconds", 1..=3600)?,
        max_connections_per_address: values.integer("server.max_connections_per_address", 0..=CONNECTIONS_MAX)?,
        tls_cert: values.path("server.tls_cert")?,
        tls_key: values.path("server.tls_key")?,
        metrics_bind: optional_address(values, "server.metrics_bind")?,
        trusted_proxies: networks(values, "server.trusted_proxies")?,
        cors_origins: origins(values, "server.cors_origins")?,
        root_path: root_path(values, "server.root_path")?,
    })
}

fn log(values: &Values) -> Result<LogSettings, ConfigError> {
    Ok(LogSettings { otlp_endpoint: collector(values, "log.otlp_endpoint")? })
}

/// A collector runs beside the service, or in its network: no TLS is used.
fn collector(values: &Values, key: &str) -> Result<Option<String>, ConfigError> {
    let Some(text) = values.optional_text(key)? else { return Ok(None) };
    let expected = "expected http://host:port of a collector, without a path";
    // Without the value: some collectors expect a token in their URL.
    let wrong = |fault: &str| values.fault(key, fault, expected);
    let authority = text.strip_prefix("http://").ok_or_else(|| wrong("does not start with http://"))?;
    url::check_issuer(&text).map_err(wrong)?;
    if authority.contains('/') {
        return Err(wrong("has a path"));
    }
    Ok(Some(text))
}

fn database(values: &Values) -> Result<DatabaseSettings, ConfigError> {
    Ok(DatabaseSettings {
        url: database_url(values, "database.url")?,
        read_url: read_url(values, "database.read_url")?,
        pool_size: values.integer("database.pool_size", 1..=256)?,
        pool_wait_seconds: values.integer("database.pool_wait_seconds", 1..=60)?,
    })
}

fn token(values: &Values) -> Result<TokenSettings, ConfigError> {
    Ok(TokenSettings {
        algorithm: values.parsed("token.algorithm", Algorithm::EXPECTED)?,
        secret: values.secret("token.secret")?,
        private_key_file: values.path("token.private_key_file")?,
        issuer: issuer(values, "token.issuer")?,
        audience: values.text("token.audience")?,
        access_ttl_seconds: values.integer("token.access_ttl_seconds", 1..=TokenSettings::MAX_ACCESS_TTL_SECONDS)?,
        refresh_ttl_seconds: values.integer("token.refresh_ttl_seconds", 1..=YEAR_SECONDS)?,
        session_ttl_seconds: values.integer("token.session_ttl_seconds", 1..=10 * YEAR_SECONDS)?,
        refresh_grace_seconds: values.integer("token.refresh_grace_seconds", 0..=300)?,
        key_encryption_secret: values.secret("token.key_encryption_secret")?,
        key_rotation_days: values.integer("token.key_rotation_days", 0..=3650)?,
        revocation_fail: revocation_fail(values, "token.revocation_fail")?,
        password_grant: values.switch("token.password_grant")?,
        builtin_client: values.switch("token.builtin_client")?,
    })
}

fn sessions(values: &Values) -> Result<SessionSettings, ConfigError> {
    Ok(SessionSettings { max_per_account: values.integer("sessions.max_per_account", 1..=SESSIONS_MAX)? })
}

fn accounts(values: &Values) -> Result<AccountSettings, ConfigError> {
    let link_seconds = 60..=30 * DAY_SECONDS;
    Ok(AccountSettings {
        signup: sign_up_mode(values, "accounts.signup")?,
        neutral_signup: values.switch("accounts.neutral_signup")?,
        require_verified_email: values.switch("accounts.require_verified_email")?,
        link_base_url: link_base_url(values, "accounts.link_base_url")?,
        verification_ttl_seconds: values.integer("accounts.verification_ttl_seconds", link_seconds.clone())?,
        invitation_ttl_seconds: values.integer("accounts.invitation_ttl_seconds", link_seconds)?,
        delete_grace_days: values.integer("accounts.delete_grace_days", 0..=365)?,
    })
}

fn bootstrap(values: &Values) -> Result<BootstrapSettings, ConfigError> {
    Ok(BootstrapSettings {
        admin_email: values.optional_text("bootstrap.admin_email")?,
        admin_password_file: values.path("bootstrap.admin_password_file")?,
    })
}

fn mail(values: &Values) -> Result<MailSettings, ConfigError> {
    Ok(MailSettings {
        smtp_url: mail::smtp_url(values, "mail.smtp_url")?,
        username: values.optional_text("mail.username")?,
        password_file: values.path("mail.password_file")?,
        from: mail::sender(values, "mail.from")?,
        ca_file: values.path("mail.ca_file")?,
        ehlo_name: mail::ehlo_name(values, "mail.ehlo_name")?,
        timeout_seconds: values.integer("mail.timeout_seconds", 1..=60)?,
        outbox_dir: PathBuf::from(values.text("mail.outbox_dir")?),
        templates_dir: values.path("mail.templates_dir")?,
        max_per_hour: values.integer("mail.max_per_hour", 10..=1_000_000)?,
    })
}

fn password(values: &Values) -> Result<PasswordSettings, ConfigError> {
    Ok(PasswordSettings {
        min_score: values.integer("password.min_score", 0..=4)?,
        breached_file: values.path("password.breached_file")?,
        bcrypt_cost: values.integer("password.bcrypt_cost", 4..=31)?,
        hash_threads: threads(values, "password.hash_threads")?,
        queue_length: values.integer("password.queue_length", 1..=4096)?,
        max_wait_seconds: values.integer("password.max_wait_seconds", 1..=60)?,
    })
}

fn rate_limit(values: &Values) -> Result<RateLimitSettings, ConfigError> {
    let count = 1..=u64::from(u32::MAX);
    Ok(RateLimitSettings {
        enabled: values.switch("rate_limit.enabled")?,
        account_failures: values.integer("rate_limit.account_failures", count.clone())?,
        account_total_failures: values.integer("rate_limit.account_total_failures", count.clone())?,
        address_failures: values.integer("rate_limit.address_failures", count.clone())?,
        address_signups: values.integer("rate_limit.address_signups", count)?,
        window_seconds: values.integer("rate_limit.window_seconds", 1..=DAY_SECONDS)?,
    })
}

fn audit(values: &Values) -> Result<AuditSettings, ConfigError> {
    Ok(AuditSettings { retention_days: values.integer("audit.retention_days", 1..=3650)? })
}

/// A number of threads; 0 means the number of cores, or 1 if that is unknown.
fn threads(values: &Values, key: &str) -> Result<usize, ConfigError> {
    match values.integer(key, 0..=THREADS_MAX)? {
        0 => Ok(thread::available_parallelism().map_or(1, usize::from)),
        threads => Ok(threads),
    }
}

fn optional_address(values: &Values, key: &str) -> Result<Option<SocketAddr>, ConfigError> {
    match values.optional_text(key)? {
        Some(_) => values.parsed(key, ADDRESS).map(Some),
        None => Ok(None),
    }
}

fn networks(values: &Values, key: &str) -> Result<Vec<IpNet>, ConfigError> {
    let network = |text: &String| {
        let address = text.parse::<IpAddr>().map(IpNet::from);
        let network = address.or_else(|_| text.parse::<IpNet>());
        network.map(|network| network.trunc()).map_err(|_| {
            let expected = "expected IP addresses and networks such as 10.0.0.0/8";
            values.wrong(key, text, "is not an IP address or network", expected)
        })
    };
    values.list(key)?.iter().map(network).collect()
}

fn origins(values: &Values, key: &str) -> Result<Vec<String>, ConfigError> {
    let items = values.list(key)?;
    for item in &items {
        let expected = "expected scheme://host[:port] in lower case, as browsers send it";
        url::check_origin(item).map_err(|fault| values.wrong(key, item, fault, expected))?;
    }
    Ok(items)
}

fn root_path(values: &Values, key: &str) -> Result<String, ConfigError> {
    let text = values.optional_text(key)?.unwrap_or_default();
    let expected = "expected a path such as /auth without a trailing slash, or nothing";
    url::check_root_path(&text).map_err(|fault| values.wrong(key, &text, fault, expected))?;
    Ok(text)
}

fn database_url(values: &Values, key: &str) -> Result<DatabaseUrl, ConfigError> {
    let text = values.optional_text(key)?.unwrap_or_default();
    // Without the value: it may contain a password.
    database_url::parse(&text).map_err(|fault| values.fault(key, fault, database_url::EXPECTED))
}

fn read_url(values: &Values, key: &str) -> Result<Option<DatabaseUrl>, ConfigError> {
    match values.optional_text(key)? {
        Some(_) => database_url(values, key).map(Some),
        None => Ok(None),
    }
}

fn issuer(values: &Values, key: &str) -> Result<String, ConfigError> {
    let text = values.text(key)?;
    let expected = "expected http(s)://host[:port][/path] without query, fragment or trailing slash";
    url::check_issuer(&text).map_err(|fault| values.wrong(key, &text, fault, expected))?;
    Ok(text)
}

fn link_base_url(values: &Values, key: &str) -> Result<Option<String>, ConfigError> {
    match values.optional_text(key)? {
        Some(_) => issuer(values, key).map(Some),
        None => Ok(None),
    }
}

fn sign_up_mode(values: &Values, key: &str) -> Result<SignUpMode, ConfigError> {
    let text = values.text(key)?;
    let found = SignUpMode::ALL.into_iter().find(|mode| mode.as_str() == text);
    found.ok_or_else(|| values.wrong(key, &text, "is unknown", "expected open, invited or closed"))
}

fn revocation_fail(values: &Values, key: &str) -> Result<RevocationFail, ConfigError> {
    let text = values.text(key)?;
    [RevocationFail::Open, RevocationFail::Closed]
        .into_iter()
        .find(|choice| choice.as_str() == text)
        .ok_or_else(|| values.wrong(key, &text, "is unknown", "expected open or closed"))
}
