//! An update that changes what accounts are looked up by: nobody is lost, and nothing is done twice.

use std::sync::Arc;

use serde_json::json;

use crate::support::{Answer, Home, Server, decode};

/// bcrypt of the password, cost 4.
const HASH: &str = "$2b$04$Fz3WHKg9WUUKG7dwkyNCk.6AuQU3J9R73xG7urDmAi/tXHVwWl0em";
const PASSWORD: &str = "correct-Horse 7";

/// A database as a version left it that looked accounts up by the address in lower case: id, address, age.
fn old_home(accounts: &[(u32, &str, u32)]) -> Home {
    let home = Home::new();
    home.run(&["migrate"], "").expect_success();
    for (id, email, created_at) in accounts {
        let key = email.to_lowercase();
        home.database.execute(&format!(
            "INSERT INTO users (id, email, email_key, password_hash, created_at, updated_at) \
             VALUES ({id}, '{email}', '{key}', '{HASH}', {created_at}, {created_at})"
        ));
    }
    home.database.execute("DROP TABLE email_keys_due");
    home.database.execute("DELETE FROM __diesel_schema_migrations WHERE version = '20261129140020'");
    home
}

fn log_in(server: &Server, username: &str) -> Answer {
    server.login(&[("username", username), ("password", PASSWORD)])
}

/// The id of the account that logs in by that name.
#[track_caller]
fn account(server: &Server, username: &str) -> u32 {
    let grant = log_in(server, username).expect_json(200);
    let (_, claims) = decode(grant["access_token"].as_str().expect("a token"));
    claims["sub"].as_str().expect("an id").parse().expect("a number")
}

fn key(home: &Home, id: u32) -> String {
    home.database.text(&format!("SELECT email_key AS value FROM users WHERE id = {id}"))
}

/// How many accounts are noted, and how many of them share an address.
fn noted(home: &Home) -> String {
    home.database.text(
        "SELECT CAST(count(*) AS TEXT) || ' ' || CAST(count(CASE WHEN is_shared THEN 1 END) AS TEXT) AS value \
         FROM email_keys_due",
    )
}

/// The lines of the log that tell of a shared address.
fn warnings(server: &Server) -> Vec<String> {
    server.whole_log().into_iter().filter(|line| line.contains("same e-mail address")).collect()
}

#[test]
fn accounts_from_before_an_update_are_found_in_every_form_of_their_address() {
    let home = old_home(&[
        (101, "Mia@Bücher.example", 1000),
        (102, "JOSÉ@example.com", 1000),
        (103, "mar\u{212a}@example.com", 1000),
        (104, "ΟΔΟΣ@example.com", 1000),
        (105, "ADA@example.com", 1000),
    ]);
    let server = Server::at(Arc::new(home));
    for (username, id) in [
        ("mia@bücher.example", 101),
        ("mia@xn--bcher-kva.example", 101),
        ("jose\u{301}@example.com", 102),
        ("mar\u{212a}@example.com", 103),
        ("οδοσ@example.com", 104),
        ("ada@example.com", 105),
    ] {
        assert_eq!(account(&server, username), id, "{username}");
    }
    assert_eq!(noted(&server.home), "0 0", "all is done");
    assert!(warnings(&server).is_empty());
    server.post("/signup", json!({"email": "mark@example.com", "password": PASSWORD})).expect(201);
}

#[test]
fn of_two_accounts_with_one_address_the_older_keeps_it_and_the_other_is_found_with_its_id() {
    let home = old_home(&[
        (11, "mia@xn--bcher-kva.example", 2000),
        (12, "Mia@bücher.example", 1000),
        (13, "bob@xn--bcher-kva.example", 1000),
        (14, "bob@BÜCHER.example", 2000),
    ]);
    let server = Server::at(Arc::new(home));
    for address in ["bücher.example", "xn--bcher-kva.example"] {
        assert_eq!(account(&server, &format!("mia@{address}")), 12);
        assert_eq!(account(&server, &format!("11:mia@{address}")), 11);
        assert_eq!(account(&server, &format!("bob@{address}")), 13);
        assert_eq!(account(&server, &format!("14:Bob@{address}")), 14);
    }
    let taken = json!({"email": "14:bob@bücher.example", "password": PASSWORD});
    server.post("/signup", taken).expect_faults(&[&["body", "email"]]);
    let lines = warnings(&server);
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines.iter().all(|line| !line.contains("cher") && !line.contains("bob")), "{lines:?}");
    let second = server.second();
    assert!(warnings(&second).is_empty(), "said once");
    let doctor = server.home.run(&["doctor"], "");
    assert_eq!(doctor.code, Some(1), "{doctor:?}");
    for (account, holder) in [("account 11:", "account 12"), ("account 14:", "account 13")] {
        let finding = doctor.stdout.lines().find(|line| line.starts_with(account));
        assert!(finding.is_some_and(|line| line.contains(holder)), "{doctor:?}");
    }
    assert!(!doctor.stdout.contains("cher.example"), "{doctor:?}");
}

#[test]
fn an_address_that_becomes_free_goes_to_the_account_that_shared_it() {
    let home = old_home(&[(11, "mia@bücher.example", 1000), (12, "mia@xn--bcher-kva.example", 2000)]);
    let server = Server::at(Arc::new(home));
    let grant = log_in(&server, "mia@bücher.example").expect_json(200);
    let older = server.with_token(grant["access_token"].as_str().expect("a token"));
    older.request("DELETE", "/me").json(&json!({"password": PASSWORD})).send().expect_empty(204);
    let restarted = server.second();
    assert_eq!(account(&restarted, "mia@bücher.example"), 12);
    assert_eq!(noted(&server.home), "0 0");
}

#[test]
fn keyfob_migrate_does_it_too_and_looks_only_at_addresses_beyond_ascii() {
    let home = old_home(&[(1, "mia@bücher.example", 1000), (2, "Ada@example.com", 1000)]);
    // What it would be were it looked at.
    home.database.execute("UPDATE users SET email_key = 'not looked at' WHERE id = 2");
    home.run(&["migrate"], "").expect_success();
    assert_eq!(key(&home, 1), "mia@xn--bcher-kva.example");
    assert_eq!(key(&home, 2), "not looked at");
    assert_eq!(noted(&home), "0 0");
}
