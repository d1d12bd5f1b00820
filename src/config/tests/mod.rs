//! Helpers for all tests of settings, and tests of every key.

mod check;
mod dotenv;
mod layers;
mod mail;
mod urls;
mod values;

use std::fs;

use tempfile::TempDir;

use super::keys::KEYS;
use super::*;

const GOOD_SECRET: &str = "q7XcV1mZ0LwRt9Yb2NfKs4GhJd6PaUeT";
const DIGITS: &str = "01234567890123456789012345678901234567";

/// A directory with these files (path, text).
fn place(files: &[(&str, &str)]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    dir
}

fn load_in(dir: &TempDir, env: &[(&str, &str)]) -> Result<Settings, ConfigError> {
    let env = env.iter().map(|(name, value)| (name.to_string(), value.to_string()));
    Settings::load_from(dir.path(), env)
}

fn load(files: &[(&str, &str)], env: &[(&str, &str)]) -> Result<Settings, ConfigError> {
    load_in(&place(files), env)
}

fn with_env(env: &[(&str, &str)]) -> Settings {
    load(&[], env).unwrap()
}

/// The one-line error for this environment.
fn line(env: &[(&str, &str)]) -> String {
    line_of(load(&[], env))
}

fn line_of(result: Result<Settings, ConfigError>) -> String {
    let line = result.unwrap_err().to_string();
    assert_eq!(line.lines().count(), 1, "one line: {line}");
    assert!(!line.chars().any(char::is_control), "no control character: {line}");
    line
}

/// Settings of a production that starts, with changes applied; an empty value unsets.
fn production(changes: &[(&str, &str)]) -> Result<Settings, ConfigError> {
    let mut env = vec![
        ("KEYFOB_ENV", "production"),
        ("KEYFOB__TOKEN__ISSUER", "https://id.test"),
        ("KEYFOB__TOKEN__KEY_ENCRYPTION_SECRET", GOOD_SECRET),
    ];
    for change in changes {
        env.retain(|(name, _)| name != &change.0);
        env.push(*change);
    }
    load(&[], &env)
}

#[test]
fn nothing_set_gives_the_defaults() {
    let Settings {
        environment,
        server,
        log,
        database,
        sessions,
        accounts,
        bootstrap,
        mail,
        password,
        rate_limit,
        audit,
        token: _,
    } = with_env(&[]);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);

    assert_eq!(environment, Environment::Development);
    assert_eq!(server.bind, "127.0.0.1:8000".parse().unwrap());
    assert_eq!((server.workers, server.max_body_bytes), (cores, 262_144));
    assert_eq!((server.request_seconds, server.keep_alive_seconds), (30, 5));
    assert_eq!((server.tls_cert, server.tls_key), (None, None));
    assert_eq!((server.metrics_bind, log.otlp_endpoint), (None, None));
    assert!(server.trusted_proxies.is_empty() && server.cors_origins.is_empty() && server.root_path.is_empty());

    assert_eq!(database.url.to_string(), "sqlite://keyfob.db");
    assert_eq!((database.pool_size, database.pool_wait_seconds), (8, 5));

    assert_eq!(sessions.max_per_account, 200);
    assert_eq!((accounts.signup, accounts.link_base_url), (SignUpMode::Open, None));
    assert!(!accounts.neutral_signup && !accounts.require_verified_email);
    assert_eq!((accounts.verification_ttl_seconds, accounts.invitation_ttl_seconds), (86_400, 604_800));
    assert_eq!(accounts.delete_grace_days, 0);
    assert_eq!((bootstrap.admin_email, bootstrap.admin_password_file), (None, None));
    assert!(mail.smtp_url.is_none() && mail.from.is_none() && mail.ehlo_name.is_none());
    assert_eq!((mail.timeout_seconds, mail.max_per_hour), (30, 1000));
    assert_eq!((mail.outbox_dir.to_str(), mail.templates_dir), (Some("outbox"), None));
    assert_eq!((password.min_score, password.breached_file), (2, None));
    assert_eq!(password.bcrypt_cost, 12);
    assert_eq!((password.hash_threads, password.queue_length), (cores, 64));

    assert!(rate_limit.enabled && rate_limit.window_seconds == 300);
    assert_eq!((rate_limit.account_failures, rate_limit.address_failures), (10, 100));
    assert_eq!(audit.retention_days, 365);
}

#[test]
fn nothing_set_gives_the_defaults_of_tokens() {
    let token = with_env(&[]).token;
    assert_eq!(token.algorithm, Algorithm::EdDSA);
    assert!(token.secret.is_none() && token.key_encryption_secret.is_none());
    assert_eq!(token.private_key_file, None);
    assert_eq!((token.issuer.as_str(), token.audience.as_str()), ("http://127.0.0.1:8000", "keyfob"));
    assert_eq!((token.access_ttl_seconds, token.refresh_ttl_seconds), (900, 2_592_000));
    assert_eq!((token.session_ttl_seconds, token.refresh_grace_seconds), (31_536_000, 10));
    assert_eq!((token.key_rotation_days, token.revocation_fail), (0, RevocationFail::Open));
    assert!(token.password_grant && token.builtin_client);
}

#[test]
fn the_shipped_file_alone_gives_the_same_as_nothing() {
    let shipped = include_str!("../../../config/default.toml");
    let settings = load(&[("config/default.toml", shipped)], &[]).unwrap();
    assert_eq!(settings.masked(), with_env(&[]).masked());
}

/// `section.key` of each `key =` line, commented out or not.
fn listed_keys(toml: &str) -> Vec<String> {
    let mut section = "";
    let mut listed = Vec::new();
    for line in toml.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name;
        }
        let name = line.trim_start_matches("# ").split_once(" = ").map(|(name, _)| name);
        if let Some(name) = name.filter(|name| !name.contains(' ')) {
            listed.push(format!("{section}.{name}"));
        }
    }
    listed
}

#[test]
fn every_key_stands_in_the_shipped_file_and_in_the_masked_text() {
    assert_eq!(listed_keys(include_str!("../../../config/default.toml")), KEYS);
    assert_eq!(listed_keys(&with_env(&[]).masked()), KEYS);
}

#[test]
fn every_key_is_read() {
    // A table is not a valid value of any setting.
    for key in KEYS {
        let file = format!("[{key}]\nx = 1\n");
        let line = line_of(load(&[("config/default.toml", &file)], &[]));
        assert!(line.starts_with(&format!("{key}: is not a ")), "{line}");
        assert!(line.ends_with("(config/default.toml)"), "{line}");
    }
}

#[test]
fn errors_stay_one_line_and_short_whatever_was_typed() {
    let long = "x\n".repeat(1000);
    let line = line(&[("KEYFOB__SERVER__BIND", &long)]);
    assert!(line.len() < 400, "{line}");
    assert!(line_of(load(&[("config/default.toml", "\"a\\nb\" = 1")], &[])).starts_with("a\\nb: unknown key"));
}

#[test]
fn masked_text_shows_no_secret_and_can_be_read_again() {
    let files = [("c \"1\".pem", ""), ("k.pem", "")];
    let env = [
        ("KEYFOB__SERVER__TLS_CERT", "c \"1\".pem"),
        ("KEYFOB__SERVER__TLS_KEY", "k.pem"),
        ("KEYFOB__SERVER__TRUSTED_PROXIES", "10.0.0.0/8,::1"),
        ("KEYFOB__SERVER__CORS_ORIGINS", "https://a.test,https://b.test"),
        ("KEYFOB__TOKEN__AUDIENCE", "tab\tand \\ \"quotes\" \u{7f}"),
        ("KEYFOB__TOKEN__REVOCATION_FAIL", "closed"),
        ("KEYFOB__TOKEN__BUILTIN_CLIENT", "false"),
    ];
    let text = load(&files, &env).unwrap().masked();
    let again = load(&[files[0], files[1], ("config/default.toml", &text)], &[]).unwrap();
    assert_eq!(again.masked(), text);
    assert_eq!(again.token.audience, env[4].1);

    let settings = with_env(&[
        ("KEYFOB__DATABASE__URL", "postgres://ann:hunter2@db.test/k"),
        ("KEYFOB__TOKEN__ALGORITHM", "HS256"),
        ("KEYFOB__TOKEN__SECRET", GOOD_SECRET),
        ("KEYFOB__TOKEN__KEY_ENCRYPTION_SECRET", DIGITS),
    ]);
    let text = settings.masked();
    assert!(text.contains("url = \"postgres://ann:********@db.test/k\"\n"), "{text}");
    assert!(text.contains("\nsecret = \"********\"\n"), "{text}");
    assert!(text.contains("\nkey_encryption_secret = \"********\"\n"), "{text}");
    assert!(text.contains("# tls_cert = \"\"\n"), "{text}");
    for shown in [text, format!("{settings:?}")] {
        assert!(!shown.contains("hunter2") && !shown.contains(GOOD_SECRET) && !shown.contains(DIGITS));
    }
}
