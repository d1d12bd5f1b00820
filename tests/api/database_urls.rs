//! Contract, "Conventions": no error holds a password. What libpq says of a URL would, so no command lets it be said.

use crate::support::Home;

/// Passwords where libpq would quote them, or where a mask might not look.
const URLS: [&str; 6] = [
    "postgres://keyfob:hunter2%zz@127.0.0.1:1/keyfob",
    "postgres://keyfob@127.0.0.1:1/keyfob?passwd=hunter2",
    "postgres://keyfob@127.0.0.1:1/keyfob?PASSWORD=hunter2",
    "postgres://keyfob@127.0.0.1:1/keyfob? password=hunter2",
    "postgres://keyfob:hunter2@[::1/keyfob",
    "postgres://keyfob@127.0.0.1:1/keyfob?password=hunter2=x",
];

const COMMANDS: [&[&str]; 9] = [
    &["serve"],
    &["migrate"],
    &["config"],
    &["doctor"],
    &["backup", "copy.db"],
    &["copy", "--to", "sqlite://copy.db"],
    &["client", "list"],
    &["key", "list"],
    &["user", "sign-out", "1"],
];

#[test]
fn a_database_url_that_cannot_be_read_is_refused_by_every_command_without_its_password() {
    for url in URLS {
        let home = Home::with(&[("database.url", url)]);
        let replica = Home::with(&[("database.url", "postgres://127.0.0.1:1/keyfob"), ("database.read_url", url)]);
        for (home, key) in [(home, "database.url: "), (replica, "database.read_url: ")] {
            for command in COMMANDS {
                let run = home.run(command, "");
                assert!(!run.stdout.contains("hunter2"), "{command:?}: {run:?}");
                let line = run.expect_failure();
                assert!(line.contains(key) && line.contains("; expected "), "{command:?}: {line}");
                assert!(!line.contains("hunter2"), "{command:?}: {line}");
            }
        }
    }
}

#[test]
fn a_copy_refuses_such_a_target_without_its_password() {
    let home = Home::new();
    for url in URLS {
        let line = home.run(&["copy", "--to", url], "").expect_failure();
        assert!(line.contains("database URL: ") && !line.contains("hunter2"), "{line}");
        // In the wrong place.
        let line = home.run(&["copy", url], "").expect_failure();
        assert!(!line.contains("hunter2"), "{line}");
    }
}

#[test]
fn a_password_that_is_one_argument_too_many_is_not_repeated() {
    let home = Home::new();
    for command in [&["user", "create", "--email", "mia@example.com", "hunter2"][..], &["migrate", "hunter2"]] {
        let line = home.run(command, "").expect_failure();
        assert!(line.contains(" --help)") && !line.contains("hunter2"), "{line}");
    }
}

#[test]
fn a_collector_s_url_that_is_refused_is_not_repeated() {
    for url in ["http://collector:4318/v1/traces?key=hunter2", "https://collector/hunter2", "http://hunter2@collector"]
    {
        let line = Home::with(&[("log.otlp_endpoint", url)]).run(&["config"], "").expect_failure();
        assert!(line.contains("log.otlp_endpoint: ") && !line.contains("hunter2"), "{line}");
    }
}
