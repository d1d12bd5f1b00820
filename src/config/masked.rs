//! The effective settings as TOML, for `keyfob config`.
//!
//! Written line by line: the values alone, in the order of `config/default.toml`, each on a line that can be searched
//! for. With `toml_edit`, a dependency that nothing else needs, the default file could be filled in; but then all its
//! comments would stand between the values, and unset keys would need a case of their own as well.

use std::fmt::Display;
use std::path::PathBuf;

use secrecy::SecretString;

use super::postgres_url::MASK;
use super::{
    AccountSettings, DatabaseSettings, MailSettings, PasswordSettings, RateLimitSettings, ServerSettings, Settings,
    TokenSettings,
};

/// Every key, in the order of `config/default.toml`.
pub(super) fn masked(settings: &Settings) -> String {
    let mut toml = Toml { text: format!("# KEYFOB_ENV is {}\n", settings.environment) };
    server(&mut toml, &settings.server);
    toml.section("log");
    toml.optional("otlp_endpoint", settings.log.otlp_endpoint.as_ref());
    database(&mut toml, &settings.database);
    token(&mut toml, &settings.token);
    toml.section("sessions");
    toml.plain("max_per_account", settings.sessions.max_per_account);
    accounts(&mut toml, &settings.accounts);
    toml.section("bootstrap");
    toml.optional("admin_email", settings.bootstrap.admin_email.as_ref());
    toml.path("admin_password_file", settings.bootstrap.admin_password_file.as_ref());
    mail(&mut toml, &settings.mail);
    password(&mut toml, &settings.password);
    rate_limit(&mut toml, &settings.rate_limit);
    toml.section("audit");
    toml.plain("retention_days", settings.audit.retention_days);
    toml.text
}

fn server(toml: &mut Toml, server: &ServerSettings) {
    toml.section("server");
    toml.text("bind", server.bind);
    toml.plain("workers", server.workers);
    toml.plain("max_body_bytes", server.max_body_bytes);
    toml.plain("request_seconds", server.request_seconds);
    toml.plain("keep_alive_seconds", server.keep_alive_seconds);
    toml.plain("max_connections_per_address", server.max_connections_per_address);
    toml.path("tls_cert", server.tls_cert.as_ref());
    toml.path("tls_key", server.tls_key.as_ref());
    toml.optional("metrics_bind", server.metrics_bind);
    toml.list("trusted_proxies", &server.trusted_proxies);
    toml.list("cors_origins", &server.cors_origins);
    toml.text("root_path", &server.root_path);
}

fn database(toml: &mut Toml, database: &DatabaseSettings) {
    toml.section("database");
    toml.text("url", &database.url);
    match &database.read_url {
        Some(url) => toml.text("read_url", url),
        None => toml.unset("read_url"),
    }
    toml.plain("pool_size", database.pool_size);
    toml.plain("pool_wait_seconds", database.pool_wait_seconds);
}

fn token(toml: &mut Toml, token: &TokenSettings) {
    toml.section("token");
    toml.text("algorithm", token.algorithm);
    toml.secret("secret", token.secret.as_ref());
    toml.path("private_key_file", token.private_key_file.as_ref());
    toml.text("issuer", &token.issuer);
    toml.text("audience", &token.audience);
    toml.plain("access_ttl_seconds", token.access_ttl_seconds);
    toml.plain("refresh_ttl_seconds", token.refresh_ttl_seconds);
    toml.plain("session_ttl_seconds", token.session_ttl_seconds);
    toml.plain("refresh_grace_seconds", token.refresh_grace_seconds);
    toml.secret("key_encryption_secret", token.key_encryption_secret.as_ref());
    toml.plain("key_rotation_days", token.key_rotation_days);
    toml.text("revocation_fail", token.revocation_fail.as_str());
    toml.plain("password_grant", token.password_grant);
    toml.plain("builtin_client", token.builtin_client);
}

fn accounts(toml: &mut Toml, accounts: &AccountSettings) {
    toml.section("accounts");
    toml.text("signup", accounts.signup.as_str());
    toml.plain("neutral_signup", accounts.neutral_signup);
    toml.plain("require_verified_email", accounts.require_verified_email);
    toml.optional("link_base_url", accounts.link_base_url.as_ref());
    toml.plain("verification_ttl_seconds", accounts.verification_ttl_seconds);
    toml.plain("invitation_ttl_seconds", accounts.invitation_ttl_seconds);
    toml.plain("delete_grace_days", accounts.delete_grace_days);
}

fn mail(toml: &mut Toml, mail: &MailSettings) {
    toml.section("mail");
    toml.optional("smtp_url", mail.smtp_url.as_ref());
    toml.optional("username", mail.username.as_ref());
    toml.path("password_file", mail.password_file.as_ref());
    toml.optional("from", mail.from.as_ref());
    toml.path("ca_file", mail.ca_file.as_ref());
    toml.optional("ehlo_name", mail.ehlo_name.as_ref());
    toml.plain("timeout_seconds", mail.timeout_seconds);
    toml.text("outbox_dir", mail.outbox_dir.display());
    toml.path("templates_dir", mail.templates_dir.as_ref());
    toml.plain("max_per_hour", mail.max_per_hour);
}

fn password(toml: &mut Toml, password: &PasswordSettings) {
    toml.section("password");
    toml.plain("min_score", password.min_score);
    toml.path("breached_file", password.breached_file.as_ref());
    toml.plain("bcrypt_cost", password.bcrypt_cost);
    toml.plain("hash_threads", password.hash_threads);
    toml.plain("queue_length", password.queue_length);
    toml.plain("max_wait_seconds", password.max_wait_seconds);
}

fn rate_limit(toml: &mut Toml, rate_limit: &RateLimitSettings) {
    toml.section("rate_limit");
    toml.plain("enabled", rate_limit.enabled);
    toml.plain("account_failures", rate_limit.account_failures);
    toml.plain("account_total_failures", rate_limit.account_total_failures);
    toml.plain("address_failures", rate_limit.address_failures);
    toml.plain("address_signups", rate_limit.address_signups);
    toml.plain("window_seconds", rate_limit.window_seconds);
}

/// TOML text, built line by line.
struct Toml {
    text: String,
}

impl Toml {
    fn section(&mut self, name: &str) {
        self.line(&format!("\n[{name}]"));
    }

    fn plain(&mut self, key: &str, value: impl Display) {
        self.line(&format!("{key} = {value}"));
    }

    fn text(&mut self, key: &str, value: impl Display) {
        self.plain(key, toml_string(&value.to_string()));
    }

    fn list(&mut self, key: &str, items: &[impl Display]) {
        let items: Vec<String> = items.iter().map(|item| toml_string(&item.to_string())).collect();
        self.plain(key, format!("[{}]", items.join(", ")));
    }

    fn optional(&mut self, key: &str, value: Option<impl Display>) {
        match value {
            Some(value) => self.text(key, value),
            None => self.unset(key),
        }
    }

    fn path(&mut self, key: &str, path: Option<&PathBuf>) {
        match path {
            Some(path) => self.text(key, path.display()),
            None => self.unset(key),
        }
    }

    fn secret(&mut self, key: &str, secret: Option<&SecretString>) {
        match secret {
            Some(_) => self.text(key, MASK),
            None => self.unset(key),
        }
    }

    fn unset(&mut self, key: &str) {
        self.line(&format!("# {key} = \"\""));
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }
}

/// A basic string: quotes, backslashes and control characters escaped (TOML 1.0, "String").
fn toml_string(value: &str) -> String {
    let mut quoted = String::with_capacity(value.len() + 2);
    quoted.push('"');
    for c in value.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => quoted.extend(format!("\\u{:04X}", u32::from(c)).chars()),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
