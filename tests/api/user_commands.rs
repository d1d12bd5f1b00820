//! Contract, "Command line": `keyfob user`, beside a running service and on its database.

use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Actor, Home, PASSWORD, Run, Server, is_time, until};

const NEW: &str = "orange-Kettle 99";
const PATIENCE: Duration = Duration::from_secs(30);

fn run(home: &Home, arguments: &[&str]) -> Run {
    home.run(&[&["user"], arguments].concat(), "")
}

/// The events of an account by a command, oldest first: type and details without who did it.
#[track_caller]
fn told(admin: &Actor, user_id: i64) -> Vec<(String, Value)> {
    let page = admin.get(&format!("/audit?limit=100&user_id={user_id}")).expect_json(200);
    let by_command = |event: &&Value| event["details"]["by"] == "command line";
    let events = page["items"].as_array().unwrap().iter().rev().filter(by_command);
    let one = |event: &Value| {
        assert!(event["actor_id"].is_null() && event["ip"].is_null(), "{event}");
        let mut details = event["details"].clone();
        details.as_object_mut().unwrap().remove("by");
        (event["type"].as_str().unwrap().to_owned(), details)
    };
    events.map(one).collect()
}

#[test]
fn an_account_is_disabled_enabled_verified_made_an_admin_and_deleted_each_with_its_event() {
    let server = Server::start();
    let (root, bob) = (server.admin("root@example.com"), server.sign_up("bob@example.com"));
    let id = bob.id();
    let ends = |actor: &Actor| until("the session ends", PATIENCE, || actor.get("/me").status == 401);
    let login = || server.login(&[("username", "bob@example.com"), ("password", PASSWORD)]).status;

    assert_eq!(run(&server.home, &["verify", "bob@example.com"]).expect_success().lines().count(), 1);
    assert_eq!(bob.get("/me").expect_json(200)["email_verified"], true);
    run(&server.home, &["disable", "BOB@example.com"]).expect_success();
    ends(&bob);
    assert_eq!(login(), 400);
    run(&server.home, &["enable", &id.to_string()]).expect_success();
    let bob = server.log_in("bob@example.com");
    run(&server.home, &["make-admin", "bob@example.com"]).expect_success();
    bob.get("/me").expect(200);
    let bob = server.log_in("bob@example.com");
    bob.get("/users").expect(200);
    run(&server.home, &["make-admin", "bob@example.com", "--revoke"]).expect_success();
    ends(&bob);
    let bob = server.log_in("bob@example.com");
    bob.get("/users").expect_insufficient_scope("admin");
    let expected = [
        ("email_verified", json!({})),
        ("user_disabled", json!({"sessions_ended": 1})),
        ("user_enabled", json!({})),
        ("admin_granted", json!({})),
        ("admin_revoked", json!({"sessions_ended": 2})),
    ];
    assert_eq!(told(&root, id), expected.map(|(kind, details)| (kind.to_owned(), details)));
    run(&server.home, &["delete", "bob@example.com"]).expect_success();
    ends(&bob);
    assert_eq!(login(), 400);
    root.get(&format!("/users/{id}")).expect_error(404);
    // What the older events told of the account went with it.
    assert_eq!(told(&root, id), [("user_deleted".to_owned(), json!({"sessions_ended": 1}))]);
}

#[test]
fn the_events_of_commands_count_the_sessions_that_they_end() {
    let server = Server::start();
    let (root, bob) = (server.admin("root@example.com"), server.sign_up("bob@example.com"));
    server.log_in("bob@example.com");
    run(&server.home, &["disable", "bob@example.com"]).expect_success();
    run(&server.home, &["enable", "bob@example.com"]).expect_success();
    server.log_in("bob@example.com");
    server.home.run(&["user", "set-password", "bob@example.com"], &format!("{NEW}\n")).expect_success();
    let expected = [
        ("user_disabled".to_owned(), json!({"sessions_ended": 2})),
        ("user_enabled".to_owned(), json!({})),
        ("password_changed".to_owned(), json!({"sessions_ended": 1})),
    ];
    assert_eq!(told(&root, bob.id()), expected);
}

#[test]
fn what_is_so_already_is_said_and_leaves_no_event() {
    let server = Server::start();
    let (root, bob) = (server.admin("root@example.com"), server.sign_up("bob@example.com"));
    for (arguments, word) in [
        (&["enable", "bob@example.com"][..], "is not disabled"),
        (&["make-admin", "bob@example.com", "--revoke"], "is no admin"),
        (&["make-admin", "root@example.com"], "is already an admin"),
    ] {
        let said = run(&server.home, arguments).expect_success();
        assert!(said.contains(word), "{said}");
    }
    bob.get("/me").expect(200);
    assert_eq!(told(&root, bob.id()), []);
}

#[test]
fn set_password_takes_it_from_standard_input_by_the_rules_and_ends_all_sessions() {
    let server = Server::start();
    let bob = server.sign_up("bob@example.com");
    let token = run(&server.home, &["reset-link", "bob@example.com"]).expect_success();
    let token = token.trim().split_once("token=").expect("a token").1.to_owned();
    let set = |password: &str| server.home.run(&["user", "set-password", "bob@example.com"], &format!("{password}\n"));
    for wrong in ["", "short", "password", "bob@example.com", &"x7-".repeat(25)] {
        set(wrong).expect_failure();
    }
    bob.get("/me").expect(200);
    let said = set(NEW).expect_success();
    assert!(!said.contains(NEW) && said.contains("bob@example.com"), "{said}");
    until("the session ends", PATIENCE, || bob.get("/me").status == 401);
    server.login(&[("username", "bob@example.com"), ("password", PASSWORD)]).expect(400);
    server.login(&[("username", "bob@example.com"), ("password", NEW)]).expect(200);
    let reset = json!({"token": token, "new_password": PASSWORD});
    server.post("/password-reset/confirm", reset).expect_error(400);
    let refused = server.home.run(&["user", "set-password", "bob@example.com", NEW], "");
    assert!(!refused.stderr.contains(NEW), "{refused:?}");
    refused.expect_failure();
}

#[test]
fn list_prints_every_account_and_finds_them_by_a_part_of_the_address() {
    let server = Server::start();
    server.admin("root@example.com");
    let bob = server.sign_up("Bob@Example.org");
    bob.patch("/me", json!({"full_name": "Bob\n\u{1b}[2J"})).expect(200);
    run(&server.home, &["verify", "bob@example.org"]).expect_success();
    server.sign_up("mia@example.org");
    run(&server.home, &["disable", "mia@example.org"]).expect_success();
    let lines = |arguments: &[&str]| -> Vec<String> {
        run(&server.home, arguments).expect_success().lines().map(str::to_owned).collect()
    };
    let all = [
        "1\troot@example.com\tadmin\t-".to_owned(),
        r"2	Bob@Example.org	verified	Bob\n\u{1b}[2J".to_owned(),
        "3\tmia@example.org\tdisabled\t-".to_owned(),
    ];
    assert_eq!(lines(&["list"]), all);
    assert_eq!(lines(&["list", "--email", "EXAMPLE.org"]), all[1..]);
    assert_eq!(lines(&["list", "--email", "nobody"]), Vec::<String>::new());
    let root = server.log_in("root@example.com");
    let printed: Vec<Value> =
        lines(&["list", "--json"]).iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(Value::from(printed), root.get("/users").expect_json(200)["items"]);
}

#[test]
fn list_prints_more_accounts_than_it_reads_at_a_time() {
    let home = Home::new();
    home.run(&["migrate"], "").expect_success();
    let rows: Vec<String> =
        (1..=1200).map(|number| format!("('u{number}@x.org', 'u{number}@x.org', '!', 0, 0)")).collect();
    let insert = "INSERT INTO users (email, email_key, password_hash, created_at, updated_at) VALUES";
    home.database.execute(&format!("{insert} {}", rows.join(", ")));
    for arguments in [&["list"][..], &["list", "--email", "u"], &["list", "--json"]] {
        assert_eq!(run(&home, arguments).expect_success().lines().count(), 1200, "{arguments:?}");
    }
}

#[test]
fn show_prints_an_account_and_sessions_its_sessions_without_secrets() {
    let server = Server::start();
    let (root, bob) = (server.admin("root@example.com"), server.sign_up("bob@example.com"));
    let shown = run(&server.home, &["show", "bob@example.com"]).expect_success();
    let value = |name: &str| {
        let line = shown.lines().find(|line| line.split_whitespace().next() == Some(name));
        line.and_then(|line| line.split_once(' ')).map(|(_, value)| value.trim().to_owned())
    };
    for (name, expected) in
        [("email", "bob@example.com"), ("is_active", "yes"), ("is_admin", "no"), ("has_password", "yes")]
    {
        assert_eq!(value(name).as_deref(), Some(expected), "{shown}");
    }
    assert!(value("created_at").is_some_and(|at| is_time(&at)) && !shown.contains("$2"), "{shown}");
    let id = root.post("/users", json!({"email": "new@example.com"})).expect_json(201)["id"].to_string();
    assert!(run(&server.home, &["show", &id]).expect_success().contains("has_password    no"));
    let as_json: Value = serde_json::from_str(&run(&server.home, &["show", "2", "--json"]).expect_success()).unwrap();
    assert_eq!(as_json, bob.get("/me").expect_json(200));

    server.log_in("bob@example.com");
    let sessions = run(&server.home, &["sessions", "bob@example.com"]).expect_success();
    assert_eq!(sessions.lines().count(), 2, "{sessions}");
    assert!(sessions.lines().all(|line| line.contains("\tkeyfob\t127.0.0.1\t")), "{sessions}");
    let lines = run(&server.home, &["sessions", "bob@example.com", "--json"]).expect_success();
    let newest: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert_eq!(newest["id"], bob.get("/me/sessions").expect_json(200)["items"][0]["id"]);
    assert!(!lines.contains("hash") && !lines.contains("kfr_"), "{lines}");
}

#[test]
fn no_command_takes_the_last_active_admin_away() {
    let server = Server::start();
    let root = server.admin("root@example.com");
    server.admin("eve@example.com");
    run(&server.home, &["disable", "eve@example.com"]).expect_success();
    for arguments in [
        &["disable", "root@example.com"][..],
        &["make-admin", "root@example.com", "--revoke"],
        &["delete", "root@example.com", "--yes"],
    ] {
        let line = run(&server.home, arguments).expect_failure();
        assert!(line.contains("account 1 (root@example.com) is the last active admin"), "{line}");
    }
    root.get("/users").expect(200);
}

#[test]
fn an_admin_by_a_route_and_a_command_at_once_leave_one_admin() {
    let server = Server::start();
    server.admin("root@example.com");
    server.admin("eve@example.com");
    for _ in 0..5 {
        let root = server.log_in("root@example.com");
        let eve = root.get("/users?email=eve").expect_json(200)["items"][0]["id"].to_string();
        let (by_route, by_command) = thread::scope(|scope| {
            let by_route = scope.spawn(|| root.patch(&format!("/users/{eve}"), json!({"is_admin": false})).status);
            let by_command = scope.spawn(|| run(&server.home, &["make-admin", "root@example.com", "--revoke"]).code);
            (by_route.join().expect("an answer"), by_command.join().expect("an end"))
        });
        let count = "SELECT CAST(COUNT(*) AS TEXT) AS value FROM users WHERE is_admin AND is_active";
        assert_eq!(server.home.database.text(count), "1", "{by_route} {by_command:?}");
        assert!([200, 401].contains(&by_route), "{by_route}");
        server.home.database.execute("UPDATE users SET is_admin = TRUE");
    }
}

#[test]
fn an_unknown_account_is_refused_in_one_line() {
    let home = Home::new();
    home.run(&["migrate"], "").expect_success();
    for command in [
        "show",
        "set-password",
        "disable",
        "enable",
        "make-admin",
        "verify",
        "sessions",
        "sign-out",
        "reset-link",
        "delete",
    ] {
        let line = home.run(&["user", command, "eve@example.com"], &format!("{NEW}\n")).expect_failure();
        assert!(line.contains("no account has the e-mail address eve@example.com"), "{line}");
        let line = home.run(&["user", command, "7"], &format!("{NEW}\n")).expect_failure();
        assert!(line.contains("no account has the id 7"), "{line}");
        let line = home.run(&["user", command, "nonsense"], "").expect_failure();
        assert!(line.contains("expected an e-mail address or an id"), "{line}");
        home.run(&["user", command], "").expect_failure();
    }
}
