//! Checks that settings agree with each other.

use std::path::Path;

use super::files::file;
use super::values::Values;
use super::{Algorithm, ConfigError, DatabaseSettings, DatabaseUrl, Settings, TokenSettings, mail};

const PEM: &str = "expected a PEM file";

/// Checks the settings against each other, and the files they name; relative paths start at `dir`.
pub(super) fn check(settings: &Settings, values: &Values, dir: &Path) -> Result<(), ConfigError> {
    tls_pair(settings, values, dir)?;
    bootstrap_pair(settings, values)?;
    read_replica(&settings.database, values)?;
    metrics_address(settings, values)?;
    traces_are_known(settings, values)?;
    key_source(&settings.token, values)?;
    mail::check(&settings.mail, values, dir)?;
    if let Some(path) = &settings.token.private_key_file {
        file(values, "token.private_key_file", (path, PEM), dir)?;
    }
    if let Some(path) = &settings.password.breached_file {
        let expected = "expected a file with a sorted line for each SHA-1";
        file(values, "password.breached_file", (path, expected), dir)?;
    }
    Ok(())
}

fn tls_pair(settings: &Settings, values: &Values, dir: &Path) -> Result<(), ConfigError> {
    let server = &settings.server;
    match (&server.tls_cert, &server.tls_key) {
        (None, None) => Ok(()),
        (Some(_), None) => {
            let fault = "is set without server.tls_key";
            Err(values.fault("server.tls_cert", fault, "set both or neither"))
        }
        (None, Some(_)) => {
            let fault = "is set without server.tls_cert";
            Err(values.fault("server.tls_key", fault, "set both or neither"))
        }
        (Some(cert), Some(key)) => {
            file(values, "server.tls_cert", (cert, PEM), dir)?;
            file(values, "server.tls_key", (key, PEM), dir)
        }
    }
}

/// The file itself is read only if there has never been an admin: it may be removed afterwards.
fn bootstrap_pair(settings: &Settings, values: &Values) -> Result<(), ConfigError> {
    let bootstrap = &settings.bootstrap;
    let (email, file) = ("bootstrap.admin_email", "bootstrap.admin_password_file");
    let alone = |key: &str, other: &str| values.fault(key, format!("is set without {other}"), "set both or neither");
    match (&bootstrap.admin_email, &bootstrap.admin_password_file) {
        (Some(_), None) => Err(alone(email, file)),
        (None, Some(_)) => Err(alone(file, email)),
        (Some(_), Some(_)) | (None, None) => Ok(()),
    }
}

fn read_replica(database: &DatabaseSettings, values: &Values) -> Result<(), ConfigError> {
    let key = "database.read_url";
    match (&database.url, &database.read_url) {
        (_, Some(DatabaseUrl::Sqlite(_))) => Err(values.fault(
            key,
            "names a SQLite file, which has no replicas",
            "expected postgres://USER:PASSWORD@HOST:PORT/NAME",
        )),
        (DatabaseUrl::Sqlite(_), Some(DatabaseUrl::Postgres(_))) => Err(values.fault(
            key,
            "database.url is SQLite, which has no replicas",
            "unset it, or set both to PostgreSQL",
        )),
        _ => Ok(()),
    }
}

/// Metrics are not for the service's clients, so they need an address of their own.
fn metrics_address(settings: &Settings, values: &Values) -> Result<(), ConfigError> {
    let bind = settings.server.bind;
    let Some(metrics) = settings.server.metrics_bind else { return Ok(()) };
    let is_same_ip = metrics.ip() == bind.ip() || metrics.ip().is_unspecified() || bind.ip().is_unspecified();
    // Port 0 is a different free port each time.
    if metrics.port() == 0 || metrics.port() != bind.port() || !is_same_ip {
        return Ok(());
    }
    let (fault, remedy) = ("is the address of server.bind", "use another port");
    Err(values.wrong("server.metrics_bind", &metrics.to_string(), fault, remedy))
}

/// Refuses an endpoint that a build without traces would ignore.
fn traces_are_known(settings: &Settings, values: &Values) -> Result<(), ConfigError> {
    if cfg!(feature = "otlp") || settings.log.otlp_endpoint.is_none() {
        return Ok(());
    }
    let fault = "this build does not support traces";
    Err(values.fault("log.otlp_endpoint", fault, "unset it, or build with `cargo build --release --features otlp`"))
}

/// Refuses a key that the algorithm does not use: the operator believes that it signs.
fn key_source(token: &TokenSettings, values: &Values) -> Result<(), ConfigError> {
    let algorithm = token.algorithm;
    if token.secret.is_some() && algorithm != Algorithm::HS256 {
        let fault = format!("only HS256 uses it, and token.algorithm is {algorithm}");
        return Err(values.fault("token.secret", fault, "unset it, or set token.algorithm to HS256"));
    }
    if token.private_key_file.is_some() && algorithm == Algorithm::HS256 {
        let remedy = "unset it, or set token.algorithm to EdDSA, ES256 or RS256";
        return Err(values.fault("token.private_key_file", "HS256 does not use it", remedy));
    }
    Ok(())
}
