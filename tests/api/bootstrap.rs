//! Contract, "Configuration": the first admin, created from the settings.

use std::fs;
use std::sync::Arc;
use std::thread;

use serde_json::json;

use crate::support::{Home, PASSWORD, Server};

const EMAIL: &str = "root@example.com";

fn home(password: &str) -> Home {
    let home = Home::with(&[("bootstrap.admin_email", EMAIL), ("bootstrap.admin_password_file", "admin.txt")]);
    home.write("admin.txt", password);
    home
}

fn count(server: &Server, condition: &str) -> String {
    server.home.database.text(&format!("SELECT CAST(COUNT(*) AS TEXT) AS value FROM users WHERE {condition}"))
}

#[test]
fn the_first_start_creates_the_admin_who_can_log_in_and_act() {
    let server = Server::at(Arc::new(home(&format!("{PASSWORD}\nanother line\n"))));
    let root = server.log_in(EMAIL);
    let me = root.get("/me").expect_json(200);
    assert_eq!(json!([me["is_admin"], me["email_verified"]]), json!([true, true]));
    let page = root.get("/audit?type=user_created").expect_json(200);
    assert_eq!(page["items"].as_array().unwrap().len(), 1, "{page}");
    let event = &page["items"][0];
    assert_eq!(json!([event["user_id"], event["actor_id"]]), json!([root.id(), null]), "{event}");
    assert_eq!(event["details"], json!({"by": "service", "is_admin": true}));
    assert!(!server.whole_log().iter().any(|line| line.contains(PASSWORD)), "{:?}", server.log());
}

#[test]
fn a_later_start_creates_none_even_when_the_admin_is_gone_and_needs_no_file() {
    let home = Arc::new(home(PASSWORD));
    let server = Server::at(Arc::clone(&home));
    let other = server.admin("eve@example.com");
    let id = server.log_in(EMAIL).id();
    other.delete(&format!("/users/{id}")).expect(204);
    drop(server);
    fs::remove_file(home.folder().join("admin.txt")).expect("the file");
    home.database.execute("UPDATE users SET is_admin = FALSE");
    let server = Server::at(home);
    assert_eq!(count(&server, "is_admin"), "0");
    server.login(&[("username", EMAIL), ("password", PASSWORD)]).expect(400);
}

#[test]
fn where_there_is_an_admin_none_is_created_also_one_made_by_hand_or_by_import() {
    let hash = "$2b$04$Fz3WHKg9WUUKG7dwkyNCk.6AuQU3J9R73xG7urDmAi/tXHVwWl0em";
    let by_command: fn(&Home) = |home| {
        let input = format!("{PASSWORD}\n");
        home.run(&["user", "create", "--email", "eve@example.com", "--admin"], &input).expect_success();
        home.database.execute("DELETE FROM users");
    };
    let by_hand: fn(&Home) = |home| {
        home.run(&["user", "create", "--email", "eve@example.com"], &format!("{PASSWORD}\n")).expect_success();
        home.database.execute("UPDATE users SET is_admin = TRUE, is_active = FALSE");
    };
    for make in [by_command, by_hand] {
        let home = home(PASSWORD);
        make(&home);
        let server = Server::at(Arc::new(home));
        assert_eq!(count(&server, &format!("email = '{EMAIL}'")), "0");
    }
    let home = home(PASSWORD);
    home.write("users.csv", &format!("email,password_hash,is_admin\neve@example.com,{hash},true\n"));
    home.run(&["user", "import", "users.csv"], "").expect_success();
    home.database.execute("DELETE FROM users");
    let server = Server::at(Arc::new(home));
    assert_eq!(count(&server, "1 = 1"), "0");
}

/// Otherwise whoever signs up first with the address would become an admin.
#[test]
fn an_account_that_has_the_address_is_not_made_an_admin_and_the_log_warns() {
    let home = home(PASSWORD);
    home.run(&["user", "create", "--email", "ROOT@example.com"], "another-Kettle 77\n").expect_success();
    let server = Server::at(Arc::new(home));
    assert_eq!(count(&server, "is_admin"), "0");
    let log = server.whole_log();
    let warning = log.iter().find(|line| line.contains("bootstrap.admin_email")).expect("a warning");
    assert!(warning.contains("WARN") && warning.contains("keyfob user make-admin"), "{warning}");
    server.login(&[("username", EMAIL), ("password", PASSWORD)]).expect(400);
    server.login(&[("username", EMAIL), ("password", "another-Kettle 77")]).expect(200);
}

#[test]
fn of_processes_that_start_at_once_one_creates_the_admin() {
    let home = Arc::new(home(PASSWORD));
    home.run(&["migrate"], "").expect_success();
    let servers: Vec<Server> = thread::scope(|scope| {
        let starts: Vec<_> = (0..3).map(|_| scope.spawn(|| Server::at(Arc::clone(&home)))).collect();
        starts.into_iter().map(|start| start.join().expect("a server")).collect()
    });
    assert_eq!(count(&servers[0], "is_admin"), "1");
    for server in &servers {
        server.log_in(EMAIL).get("/users").expect(200);
        assert!(!server.whole_log().iter().any(|line| line.contains("WARN")), "{:?}", server.log());
    }
}

#[test]
fn a_file_that_cannot_be_used_stops_the_start_with_one_line_without_the_password() {
    for (text, fault) in [
        ("", "its first line is empty"),
        ("\nviolet-Kettle 88", "its first line is empty"),
        ("short7!", "at least 8"),
        ("password", "too common"),
        (EMAIL, "e-mail address"),
    ] {
        let home = home(text);
        let line = home.run(&[], "").expect_failure();
        assert!(line.contains("bootstrap.admin_password_file: ") && line.contains(fault), "{text:?}: {line}");
        assert!(!line.contains("short7!"), "{line}");
        assert_eq!(home.database.text("SELECT CAST(COUNT(*) AS TEXT) AS value FROM users"), "0");
    }
    let home = home(PASSWORD);
    fs::remove_file(home.folder().join("admin.txt")).expect("the file");
    let line = home.run(&[], "").expect_failure();
    assert!(line.contains("bootstrap.admin_password_file: admin.txt: "), "{line}");
    let mut home = self::home(PASSWORD);
    home.set("bootstrap.admin_email", "nonsense");
    let line = home.run(&[], "").expect_failure();
    assert!(line.contains("bootstrap.admin_email: "), "{line}");
}

#[test]
fn one_of_the_two_settings_alone_stops_the_start() {
    for (key, value) in [("bootstrap.admin_email", EMAIL), ("bootstrap.admin_password_file", "admin.txt")] {
        let line = Home::with(&[(key, value)]).run(&["config"], "").expect_failure();
        assert!(
            line.contains(&format!("{key}: is set without bootstrap.")) && line.contains("both or neither"),
            "{line}"
        );
    }
}

#[test]
fn the_variables_may_begin_like_keyfob_env() {
    let mut home = Home::new();
    home.write("admin.txt", PASSWORD);
    home.set_variable("KEYFOB_BOOTSTRAP__ADMIN_EMAIL", EMAIL);
    home.set_variable("KEYFOB_BOOTSTRAP__ADMIN_PASSWORD_FILE", "admin.txt");
    Server::at(Arc::new(home)).log_in(EMAIL).get("/users").expect(200);
}
