//! TLS between the service and PostgreSQL, with certificates of the test's own.
//!
//! Without the cargo feature `postgres-tls` there is none: this is said on standard error and the tests are left out.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Once;
use std::time::Duration;

use diesel::{Connection, PgConnection};
use tempfile::TempDir;

use crate::postgres::{DATABASE_PASSWORD, Postgres, start_postgres};
use crate::support::{Home, PASSWORD, Server, until};

/// For the server to take a new certificate, and for the service to notice.
const PATIENCE: Duration = Duration::from_secs(40);
/// Nothing goes in without TLS, and nobody without a password.
const ONLY_TLS: &str = "hostssl all all 127.0.0.1/32 scram-sha-256\n";

/// Makes certificates, and keeps them for as long as a test runs.
struct Authority {
    folder: TempDir,
}

impl Authority {
    fn new() -> Self {
        let authority = Self { folder: tempfile::tempdir().expect("a temporary folder") };
        authority.issue("ca", &["basicConstraints = critical, CA:TRUE", "keyUsage = critical, keyCertSign"], &[]);
        authority
    }

    /// The file with the authority's own certificate.
    fn certificate(&self) -> PathBuf {
        self.folder.path().join("ca.crt")
    }

    /// A certificate for a server of this name, and its key, both PEM.
    fn certify(&self, name: &str) -> (String, String) {
        let extensions = ["basicConstraints = CA:FALSE".to_owned(), format!("subjectAltName = DNS:{name}")];
        self.issue("server", &extensions, &["-CA", "ca.crt", "-CAkey", "ca.key"]);
        let read = |file: &str| fs::read_to_string(self.folder.path().join(file)).expect("what openssl wrote");
        (read("server.crt"), read("server.key"))
    }

    #[track_caller]
    fn issue(&self, name: &str, extensions: &[impl AsRef<str>], issuer: &[&str]) {
        let mut config = String::from("[req]\nprompt = no\ndistinguished_name = dn\nx509_extensions = ext\n");
        config.push_str(&format!("[dn]\nCN = Keyfob test {name}\n[ext]\n"));
        extensions.iter().for_each(|line| config.push_str(&format!("{}\n", line.as_ref())));
        fs::write(self.folder.path().join("config"), config).expect("a file");
        let (certificate, key) = (format!("{name}.crt"), format!("{name}.key"));
        let mut command = Command::new("openssl");
        command.args(["req", "-x509", "-config", "config", "-days", "2", "-noenc"]);
        command.args(["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]);
        command.args(["-out", &certificate, "-keyout", &key]).args(issuer);
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        let output = command.output().expect("openssl starts");
        assert!(output.status.success(), "openssl: {}", String::from_utf8_lossy(&output.stderr));
    }
}

/// A server that takes TLS alone and is certified as `localhost`; `None` where this build cannot speak it.
fn start_tls_postgres(authority: &Authority) -> Option<Postgres> {
    if !cfg!(feature = "postgres-tls") {
        static SAID: Once = Once::new();
        // Not by a macro: the test harness would keep it to itself.
        let note = "\nLEFT OUT: TLS to PostgreSQL, since this build is without `--features postgres-tls`\n";
        SAID.call_once(|| std::io::stderr().write_all(note.as_bytes()).expect("standard error"));
        return None;
    }
    let postgres = start_postgres()?;
    show(&postgres, &authority.certify("localhost"));
    postgres.execute("ALTER SYSTEM SET ssl = on");
    postgres.write_file("pg_hba.conf", ONLY_TLS);
    postgres.execute("SELECT pg_reload_conf()");
    let plain = service_url(&postgres, "localhost", "sslmode=disable");
    until("nothing goes in without TLS", PATIENCE, || PgConnection::establish(&plain).is_err());
    Some(postgres)
}

/// Has the server show this certificate from its next reload on.
fn show(postgres: &Postgres, (certificate, key): &(String, String)) {
    postgres.write_file("server.crt", certificate);
    postgres.write_file("server.key", key);
}

fn service_url(postgres: &Postgres, host: &str, parameters: &str) -> String {
    format!("postgres://keyfob:{DATABASE_PASSWORD}@{host}:{}/keyfob?{parameters}", postgres.port())
}

fn verify_full(postgres: &Postgres, authority: &Authority) -> String {
    let parameters = format!("sslmode=verify-full&sslrootcert={}", authority.certificate().display());
    service_url(postgres, "localhost", &parameters)
}

/// The line that a start with this URL ends with.
#[track_caller]
fn refusal(url: &str) -> String {
    let line = Home::with(&[("database.url", url)]).run(&[], "").expect_failure();
    assert!(!line.contains(DATABASE_PASSWORD), "{line}");
    line
}

#[test]
fn with_verify_full_the_service_speaks_to_postgresql_through_tls_alone() {
    let authority = Authority::new();
    let Some(postgres) = start_tls_postgres(&authority) else { return };
    let server = Server::with(&[("database.url", &verify_full(&postgres, &authority))]);
    server.sign_up("ada@example.com");
    let ada = server.log_in("ada@example.com");
    assert_eq!(ada.get("/me").expect_json(200)["email"], "ada@example.com");
    let connections = "SELECT string_agg(DISTINCT ssl || ' ' || version, ', ') AS value \
                       FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = 'keyfob'";
    assert_eq!(postgres.text(connections), "true TLSv1.3");
}

#[test]
fn each_mode_of_tls_connects_and_binds_the_password_to_the_channel() {
    let authority = Authority::new();
    let Some(postgres) = start_tls_postgres(&authority) else { return };
    let root = format!("sslrootcert={}", authority.certificate().display());
    for parameters in [
        "sslmode=require&channel_binding=require".to_owned(),
        format!("sslmode=verify-ca&{root}&channel_binding=require"),
        format!("sslmode=verify-full&{root}&channel_binding=require"),
        "sslmode=prefer".to_owned(),
        String::new(),
    ] {
        let url = service_url(&postgres, "localhost", &parameters);
        let output = Home::with(&[("database.url", &url)]).run(&["migrate"], "").expect_success();
        assert!(output.contains("is up to date") && !output.contains(DATABASE_PASSWORD), "{output}");
    }
}

#[test]
fn a_command_that_ends_while_the_pool_opens_a_connection_exits_with_its_own_status() {
    let authority = Authority::new();
    let Some(postgres) = start_tls_postgres(&authority) else { return };
    let home = Home::with(&[("database.url", &verify_full(&postgres, &authority))]);
    for _ in 0..10 {
        home.run(&["migrate"], "").expect_success();
    }
}

#[test]
fn startup_refuses_a_server_whose_certificate_is_not_trusted() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let Some(postgres) = start_tls_postgres(&authority) else { return };

    let line = refusal(&verify_full(&postgres, &stranger));
    assert!(line.contains("certificate verify failed"), "another authority: {line}");

    let parameters = format!("sslmode=verify-full&sslrootcert={}", authority.certificate().display());
    let line = refusal(&service_url(&postgres, "127.0.0.1", &parameters));
    assert!(line.contains("server certificate for \"localhost\""), "{line}");
    assert!(line.contains("does not match host name \"127.0.0.1\""), "{line}");

    let line = refusal(&service_url(&postgres, "localhost", "sslmode=verify-full&sslrootcert=/nowhere/ca.pem"));
    assert!(line.contains(r#"root certificate file "/nowhere/ca.pem" does not exist"#), "{line}");
}

#[test]
fn a_server_that_requires_tls_refuses_a_service_without_it() {
    let authority = Authority::new();
    let Some(postgres) = start_tls_postgres(&authority) else { return };
    let line = refusal(&service_url(&postgres, "localhost", "sslmode=disable"));
    assert!(line.contains("no pg_hba.conf entry") && line.contains("no encryption"), "{line}");
}

#[test]
fn an_impostor_in_place_of_the_database_gets_nothing_until_the_right_server_is_back() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let Some(postgres) = start_tls_postgres(&authority) else { return };
    let url = verify_full(&postgres, &authority);
    let server = Server::with(&[("database.url", &url), ("database.pool_wait_seconds", "1")]);
    let ada = server.sign_up("ada@example.com");

    show(&postgres, &stranger.certify("localhost"));
    postgres.execute("SELECT pg_reload_conf()");
    until("the stranger answers", PATIENCE, || PgConnection::establish(&url).is_err());
    postgres.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'keyfob'");
    ada.get("/me").expect(503).need("retry-after");
    let refused = server.login(&[("username", "ada@example.com"), ("password", PASSWORD)]).expect_json(503);
    assert_eq!(refused["error"], "temporarily_unavailable");
    let log = server.whole_log().join("\n");
    assert!(log.contains("certificate verify failed") && !log.contains(DATABASE_PASSWORD), "{log}");

    show(&postgres, &authority.certify("localhost"));
    postgres.execute("SELECT pg_reload_conf()");
    until("the service is back", PATIENCE, || ada.get("/me").status == 200);
}
