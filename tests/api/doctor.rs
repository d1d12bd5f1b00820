//! Contract, "Command line": `keyfob doctor`, and what it has in common with production's refusal.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use crate::support::{Home, PASSWORD, Server};

const SECRET: &str = "u7Rk2-Tm9x_Qe4Wz8Lp1Vb6Nc3Hy5Jd0Gs";
const EXAMPLE: &str = "my-example-key-4f8a1c9e77b2d0c3f8e1a9b5";

/// A set-up with nothing to find, with changes on top.
fn home(changes: &[(&str, &str)]) -> Home {
    let sound = [
        ("token.issuer", "https://id.example.com"),
        ("token.key_encryption_secret", SECRET),
        ("password.bcrypt_cost", "12"),
        ("rate_limit.enabled", "true"),
    ];
    let mut home = Home::with(&sound);
    for (key, value) in changes {
        home.set(key, value);
    }
    home
}

/// What is found: subjects and whole findings.
#[track_caller]
fn findings(home: &Home, arguments: &[&str]) -> Vec<Value> {
    let run = home.run(&[&["doctor", "--format", "json"], arguments].concat(), "");
    assert_eq!(run.code, Some(i32::from(run.stdout.trim() != "[]")), "{run:?}");
    let found: Value = serde_json::from_str(&run.stdout).unwrap_or_else(|_| panic!("no JSON: {run:?}"));
    found.as_array().expect("an array").clone()
}

/// Exactly these subjects, each finding with a remedy and a rule.
#[track_caller]
fn expect(home: &Home, subjects: &[&str]) -> Vec<Value> {
    let found = findings(home, &[]);
    let found_subjects: Vec<&str> = found.iter().map(|one| one["subject"].as_str().expect("a subject")).collect();
    assert_eq!(found_subjects, subjects, "{found:#?}");
    for finding in &found {
        assert!(finding["remedy"].as_str().is_some_and(|text| !text.is_empty()), "{finding}");
        assert!(
            finding["rule"].as_str().is_some_and(|rule| rule.contains("RFC ") || rule.contains("ASVS ")),
            "{finding}"
        );
    }
    found
}

/// Starts the service and ends it.
fn serve_once(home: Home) -> Home {
    let server = Server::at(Arc::new(home));
    let home = Arc::clone(&server.home);
    drop(server);
    Arc::try_unwrap(home).unwrap_or_else(|_| panic!("another process uses the same folder"))
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a mode");
}

#[test]
fn a_sound_set_up_has_no_findings() {
    let server = Server::at(Arc::new(home(&[])));
    server.sign_up("bob@example.com");
    let output = server.home.run(&["doctor"], "").expect_success();
    assert_eq!(output, "no findings\n");
    assert!(findings(&server.home, &[]).is_empty());
}

#[test]
fn findings_give_status_1_one_line_on_standard_error_and_the_list_on_standard_output() {
    let run = home(&[("rate_limit.enabled", "false"), ("password.bcrypt_cost", "8")]).run(&["doctor"], "");
    let listed = run.stdout.clone();
    assert_eq!(run.expect_failure(), "keyfob: 2 findings\n");
    for part in ["password.bcrypt_cost: is 8", "rate_limit.enabled: ", "remedy: ", "rule: OWASP ASVS 5.0 11.4.2"] {
        assert!(listed.contains(part), "{part} in {listed}");
    }
}

#[test]
fn each_unsafe_setting_is_found() {
    for (key, value) in [
        ("token.issuer", "http://id.example.com"),
        ("token.key_encryption_secret", EXAMPLE),
        ("token.key_encryption_secret", ""),
        ("password.bcrypt_cost", "9"),
        ("rate_limit.enabled", "false"),
        ("server.bind", "0.0.0.0:8000"),
        ("server.metrics_bind", "0.0.0.0:9464"),
        ("server.trusted_proxies", "0.0.0.0/0"),
        ("server.trusted_proxies", "10.0.0.0/8,::/0"),
        ("server.cors_origins", "https://a.example.com,http://b.example.com"),
    ] {
        expect(&home(&[(key, value)]), &[key]);
    }
    expect(&home(&[("token.algorithm", "HS256"), ("token.secret", EXAMPLE)]), &["token.secret"]);
}

#[test]
fn a_loopback_address_is_no_finding() {
    for (key, value) in [
        ("token.issuer", "http://127.0.0.1:8000"),
        ("token.issuer", "http://localhost:8000/path"),
        ("token.issuer", "http://[::1]:8000"),
        ("server.bind", "[::1]:8000"),
        ("server.metrics_bind", "127.0.0.1:9464"),
        ("server.cors_origins", "http://localhost:3000"),
    ] {
        expect(&home(&[(key, value)]), &[]);
    }
    expect(&home(&[("token.issuer", "http://localhost.example.com")]), &["token.issuer"]);
}

#[test]
fn a_public_address_needs_tls_here_or_at_a_proxy() {
    let public = ("server.bind", "0.0.0.0:8000");
    expect(&home(&[public, ("server.trusted_proxies", "10.0.0.0/8")]), &[]);
    let home = home(&[public, ("server.tls_cert", "c.pem"), ("server.tls_key", "k.pem")]);
    home.write("c.pem", "");
    home.write("k.pem", "");
    set_mode(&home.folder().join("k.pem"), 0o600);
    expect(&home, &[]);
    set_mode(&home.folder().join("k.pem"), 0o644);
    expect(&home, &["server.tls_key"]);
}

#[test]
fn files_that_others_can_read_are_found() {
    let mut home = home(&[("token.private_key_file", "key.pem")]);
    home.unset("token.key_encryption_secret");
    home.write("key.pem", "");
    home.write(".env", &format!("KEYFOB__TOKEN__KEY_ENCRYPTION_SECRET={SECRET}\n"));
    for name in ["key.pem", ".env"] {
        set_mode(&home.folder().join(name), 0o600);
    }
    expect(&home, &[]);
    for (name, subject) in [("key.pem", "token.private_key_file"), (".env", ".env")] {
        set_mode(&home.folder().join(name), 0o644);
        expect(&home, &[subject]);
        set_mode(&home.folder().join(name), 0o600);
    }
    home.write(".env", "");
    home.set_variable("KEYFOB_ENV", "staging");
    home.write("config/staging.toml", &format!("[token]\nkey_encryption_secret = \"{SECRET}\"\n"));
    set_mode(&home.folder().join(".env"), 0o644);
    set_mode(&home.folder().join("config/staging.toml"), 0o644);
    expect(&home, &["config/staging.toml"]);
}

/// Subjects found where the database is not there to be looked into.
fn found_without_database(home: &Home) -> Vec<String> {
    let run = home.run(&["doctor", "--format", "json"], "");
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(run.stderr.contains("database postgres://") && !run.stderr.contains("hunter2"), "{run:?}");
    let found: Value = serde_json::from_str(&run.stdout).unwrap_or_else(|_| panic!("no JSON: {run:?}"));
    let found = found.as_array().expect("an array").iter();
    found.map(|one| one["subject"].as_str().expect("a subject").to_owned()).collect()
}

#[test]
fn a_database_on_another_machine_that_need_not_prove_who_it_is_is_found() {
    let away = "postgres://keyfob:hunter2@database.invalid/keyfob";
    let here = "postgres://keyfob:hunter2@127.0.0.1:1/keyfob";
    for (url, read_url, subjects) in [
        (away, "", &["database.url"][..]),
        (&format!("{away}?sslmode=disable"), "", &["database.url"]),
        (here, away, &["database.read_url"]),
        (here, here, &[]),
    ] {
        let home = home(&[("database.url", url), ("database.read_url", read_url)]);
        assert_eq!(found_without_database(&home), subjects, "{url} {read_url}");
    }
}

#[test]
fn a_file_with_the_password_of_a_replica_that_others_can_read_is_found() {
    let here = "postgres://keyfob@127.0.0.1:1/keyfob";
    let home = home(&[("database.url", here)]);
    home.write(".env", "KEYFOB__DATABASE__READ_URL=postgres://keyfob:hunter2@127.0.0.1:1/keyfob\n");
    set_mode(&home.folder().join(".env"), 0o644);
    assert_eq!(found_without_database(&home), [".env"]);
    home.write(".env", "KEYFOB__DATABASE__READ_URL=postgres://keyfob@127.0.0.1:1/keyfob\n");
    assert!(found_without_database(&home).is_empty());
}

#[test]
fn a_database_file_that_others_can_read_is_found() {
    let mut home = home(&[]);
    let path = home.folder().join("open.db");
    home.set("database.url", &format!("sqlite://{}", path.display()));
    home.run(&["migrate"], "").expect_success();
    expect(&home, &[]);
    set_mode(&path, 0o644);
    expect(&home, &["database.url"]);
}

#[test]
fn keys_in_clear_in_the_database_are_found_until_the_service_has_sealed_them() {
    let mut home = serve_once(home(&[("token.key_encryption_secret", "")]));
    expect(&home, &["token.key_encryption_secret"]);
    home.set("token.key_encryption_secret", SECRET);
    let url = home.run(&["config"], "").expect_success();
    let found = findings(&home, &[]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0]["fault"].as_str().is_some_and(|fault| fault.contains("not encrypted")), "{found:?}");
    assert!(url.contains(found[0]["subject"].as_str().expect("a subject")), "{found:?}");
    expect(&serve_once(home), &[]);
}

#[test]
fn clients_with_the_password_grant_are_found_unless_they_are_said_to_be_ones_own() {
    let home = home(&[]);
    home.run(&["client", "add", "--id", "mobile", "--public"], "").expect_success();
    home.run(&["client", "add", "--id", "partner"], "").expect_success();
    home.run(&["client", "add", "--id", "reader", "--grant", "refresh_token"], "").expect_success();
    let found = expect(&home, &["client mobile", "client partner"]);
    assert!(found.iter().all(|one| one["rule"].as_str().is_some_and(|rule| rule.contains("RFC 9700 §2.4"))));
    assert_eq!(findings(&home, &["--first-party", "mobile"]).len(), 1);
    assert!(findings(&home, &["--first-party", "mobile", "--first-party", "partner"]).is_empty());
}

#[test]
fn the_doctor_creates_no_database() {
    let mut home = home(&[]);
    let path = home.folder().join("none.db");
    home.set("database.url", &format!("sqlite://{}", path.display()));
    let output = home.run(&["doctor"], "").expect_success();
    assert!(output.starts_with("no findings\nnot checked: ") && output.contains("none.db"), "{output}");
    assert!(!path.exists());
}

#[test]
fn production_refuses_what_the_doctor_marks_and_nothing_else() {
    for (key, value) in [
        ("token.issuer", "http://127.0.0.1:8000"),
        ("token.key_encryption_secret", EXAMPLE),
        ("token.key_encryption_secret", ""),
        ("password.bcrypt_cost", "9"),
        ("rate_limit.enabled", "false"),
        ("server.trusted_proxies", "0.0.0.0/0"),
        ("mail.smtp_url", ""),
        ("mail.smtp_url", "smtp+plain://relay.example.com"),
        ("mail.smtp_url", "smtp+plain://ann:violet@relay.example.com"),
    ] {
        let server = [("mail.smtp_url", "smtp://mail.example.com"), ("mail.from", "accounts@example.com")];
        let mut home = home(&[server[0], server[1], (key, value)]);
        home.set_variable("KEYFOB_ENV", "production");
        let found = expect(&home, &[key]);
        let run = home.run(&["config"], "");
        if found[0]["is_refused_in_production"] == true {
            let line = run.expect_failure();
            let fault = found[0]["fault"].as_str().expect("a fault");
            assert!(line.contains(key) && line.contains(fault) && line.contains("which production refuses"), "{line}");
        } else {
            run.expect_success();
        }
    }
}

#[test]
fn no_finding_shows_a_secret() {
    let mut home = home(&[("token.algorithm", "HS256"), ("token.secret", EXAMPLE)]);
    home.set("token.key_encryption_secret", "abcabcabcabcabcabcabcabcabcabcabcabc");
    let run = home.run(&["doctor"], PASSWORD);
    assert!(
        !run.stdout.contains(EXAMPLE) && !run.stdout.contains("abcabc") && !run.stderr.contains(EXAMPLE),
        "{run:?}"
    );
    assert_eq!(run.code, Some(1));
}
