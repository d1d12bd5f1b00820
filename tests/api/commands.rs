//! Contract, "Command line".

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use serde_json::Value;

use crate::support::{Home, PASSWORD, Server};

fn create(home: &Home, arguments: &[&str], input: &str) -> crate::support::Run {
    home.run(&[&["user", "create"], arguments].concat(), input)
}

#[test]
fn user_create_makes_an_account_that_can_log_in() {
    let home = Arc::new(Home::new());
    create(&home, &["--email", "bob@example.com"], &format!("{PASSWORD}\n")).expect_success();
    let server = Server::at(home);
    let bob = server.log_in("bob@example.com");
    assert_eq!(bob.get("/me").expect_json(200)["is_admin"], false);
}

#[test]
fn user_create_with_admin_makes_an_administrator() {
    let home = Arc::new(Home::new());
    create(&home, &["--email", "root@example.com", "--admin"], &format!("{PASSWORD}\n")).expect_success();
    let server = Server::at(home);
    let admin = server.log_in_for("root@example.com", "admin");
    assert_eq!(admin.grant["scope"], "admin");
}

#[test]
fn user_create_works_beside_a_running_service() {
    let server = Server::start();
    create(&server.home, &["--email", "bob@example.com"], &format!("{PASSWORD}\n")).expect_success();
    server.log_in("bob@example.com").get("/me").expect_json(200);
}

#[test]
fn the_password_is_one_line_of_standard_input_blanks_and_all() {
    let home = Arc::new(Home::new());
    let password = "  blanks around it ";
    create(&home, &["--email", "a@example.com"], &format!("{password}\nanother line\n")).expect_success();
    create(&home, &["--email", "b@example.com"], password).expect_success();
    create(&home, &["--email", "c@example.com"], &format!("{password}\r\n")).expect_success();
    let server = Server::at(home);
    for email in ["a@example.com", "b@example.com", "c@example.com"] {
        server.login(&[("username", email), ("password", password)]).expect_json(200);
    }
}

#[test]
fn user_create_prints_no_password_and_no_hash() {
    let home = Home::new();
    let output = create(&home, &["--email", "bob@example.com"], &format!("{PASSWORD}\n")).expect_success();
    assert!(!output.contains(PASSWORD) && !output.contains("$2"), "{output}");
}

#[test]
fn user_create_refuses_a_taken_e_mail() {
    let home = Home::new();
    create(&home, &["--email", "bob@example.com"], &format!("{PASSWORD}\n")).expect_success();
    for email in ["bob@example.com", "BOB@Example.com"] {
        let line = create(&home, &["--email", email], &format!("{PASSWORD}\n")).expect_failure();
        assert!(line.to_lowercase().contains("bob@example.com"), "{line}");
    }
}

#[test]
fn user_create_has_the_rules_of_sign_up() {
    let home = Home::new();
    let long = "x7-".repeat(25);
    for (email, password) in [
        ("no address", PASSWORD),
        ("bob@example.com", "short"),
        ("bob@example.com", ""),
        ("bob@example.com", "password"),
        ("bob@example.com", "bob@example.com"),
        ("bob@example.com", "null\0character"),
        ("bob@example.com", long.as_str()),
    ] {
        create(&home, &["--email", email], &format!("{password}\n")).expect_failure();
    }
    create(&home, &["--email", "bob@example.com"], "").expect_failure();
}

#[test]
fn config_shows_the_effective_settings() {
    let home = Home::with(&[("token.access_ttl_seconds", "123"), ("token.audience", "the-audience")]);
    let output = home.run(&["config"], "").expect_success();
    for expected in ["access_ttl_seconds", "123", "the-audience", "bcrypt_cost", "max_body_bytes", "262144"] {
        assert!(output.contains(expected), "{expected} in {output}");
    }
}

#[test]
fn config_masks_secrets() {
    let secret = "kZ7-Quite-A-Long-Secret-For-HMAC-9x";
    let home = Home::with(&[
        ("token.algorithm", "HS256"),
        ("token.secret", secret),
        ("database.url", "postgres://keyfob:hunter2hunter2@127.0.0.1:1/keyfob"),
    ]);
    let output = home.run(&["config"], "").expect_success();
    for hidden in [secret, "hunter2hunter2"] {
        assert!(!output.contains(hidden), "{output}");
    }
    assert!(output.contains("127.0.0.1:1/keyfob"), "{output}");
}

#[test]
fn migrate_may_be_run_again() {
    let home = Arc::new(Home::new());
    home.run(&["migrate"], "").expect_success();
    create(&home, &["--email", "bob@example.com"], &format!("{PASSWORD}\n")).expect_success();
    home.run(&["migrate"], "").expect_success();
    home.run(&["migrate"], "").expect_success();
    Server::at(home).log_in("bob@example.com");
}

#[test]
fn migrate_may_be_run_by_several_processes_at_once() {
    let home = Arc::new(Home::new());
    thread::scope(|scope| {
        let runs: Vec<_> = (0..4).map(|_| scope.spawn(|| home.run(&["migrate"], ""))).collect();
        for run in runs {
            run.join().unwrap().expect_success();
        }
    });
    Server::at(home).sign_up("bob@example.com");
}

#[test]
fn several_processes_may_start_on_an_empty_database_at_once() {
    let home = Arc::new(Home::new());
    let servers: Vec<Server> = thread::scope(|scope| {
        let starts: Vec<_> = (0..3).map(|_| scope.spawn(|| Server::at(Arc::clone(&home)))).collect();
        starts.into_iter().map(|start| start.join().unwrap()).collect()
    });
    let bob = servers[0].sign_up("bob@example.com");
    for server in &servers {
        server.with_token(&bob.token).get("/me").expect_json(200);
    }
}

#[test]
fn openapi_prints_the_document_that_the_service_gives() {
    let server = Server::start();
    let printed: Value = serde_json::from_str(&server.home.run(&["openapi"], "").expect_success()).expect("JSON");
    assert_eq!(printed, server.get("/openapi.json").expect_json(200));
}

#[test]
fn the_committed_openapi_document_is_up_to_date() {
    let printed = Home::new().run(&["openapi"], "").expect_success();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/api/openapi.json");
    let committed = fs::read_to_string(path).expect("tests/api/openapi.json");
    assert_eq!(
        printed.trim_end(),
        committed.trim_end(),
        "renew it with: cargo run -- openapi > tests/api/openapi.json"
    );
}

#[test]
fn openapi_needs_no_database() {
    let home = Home::with(&[("database.url", "postgres://keyfob@127.0.0.1:1/keyfob")]);
    home.run(&["openapi"], "").expect_success();
}

#[test]
fn serve_is_the_command_when_none_is_given() {
    let home = Arc::new(Home::new());
    let help = home.run(&["--help"], "").expect_success();
    for command in ["serve", "migrate", "user", "openapi", "config"] {
        assert!(help.contains(command), "{command} in {help}");
    }
    Server::at(home).get("/healthz").expect(200);
}

#[test]
fn an_unknown_command_or_argument_fails_without_starting_anything() {
    let home = Home::new();
    for arguments in [
        &["nonsense"][..],
        &["--nonsense"],
        &["user"],
        &["user", "create"],
        &["user", "create", "--email"],
        &["user", "create", "--password", "x"],
    ] {
        let run = home.run(arguments, "");
        assert!(run.code.is_some_and(|code| code != 0), "{run:?}");
        assert!(!run.stderr.is_empty() && !run.stderr.contains("panicked"), "{run:?}");
    }
}

#[test]
fn wrong_arguments_are_explained_in_one_line() {
    let home = Home::new();
    for (arguments, parts) in [
        (&["user", "create"][..], &["--email <EMAIL>", "keyfob user create --help"][..]),
        (&["user"], &["requires a subcommand", "create, list, show, set-password, disable", "keyfob user --help"]),
        (&["user", "create", "--emial", "x"], &["'--emial'", "similar argument exists: '--email'"]),
        (&["doctor", "--format", "yaml"], &["'yaml'", "possible values: text, json", "keyfob doctor --help"]),
        (&["serv"], &["'serv'", "'serve'", "keyfob --help"]),
    ] {
        let line = home.run(arguments, "").expect_failure();
        assert!(line.starts_with("keyfob: "), "{line}");
        for part in parts {
            assert!(line.contains(part), "{part} in {line}");
        }
    }
}

#[test]
fn an_empty_password_is_called_empty() {
    let line = Home::new().run(&["user", "create", "--email", "mia@example.com"], "\n").expect_failure();
    assert!(line.contains("the password is empty"), "{line}");
}
