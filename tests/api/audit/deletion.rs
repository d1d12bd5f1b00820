//! How long events are kept, and what becomes of those of a deleted account.

use std::sync::Arc;

use serde_json::json;

use super::{PATIENCE, events, refusals, types};
use crate::support::{Home, PASSWORD, Server, now_seconds, until};

const DAY_MILLIS: i64 = 86_400_000;

#[test]
fn the_events_of_a_deleted_account_keep_what_happened_and_lose_from_where() {
    let server = Server::start();
    let root = server.admin("root@example.com");
    let (ada, bob) = (server.sign_up("ada@example.com"), server.sign_up("bob@example.com"));
    server.login(&[("username", "ada@example.com"), ("password", "wrong-Kettle 1")]).expect(400);
    refusals(&root, &format!("user_id={}", ada.id()), 1);
    let by_admin = format!(
        "INSERT INTO events (at, kind, user_id, actor_id, ip, details) VALUES (1795294680000, 'email_verified', {}, {}, \
         '192.0.2.7', '{{}}')",
        ada.id(),
        root.id()
    );
    server.home.database.execute(&by_admin);
    ada.request("DELETE", "/me").json(&json!({"password": PASSWORD})).send().expect(204);

    let of_ada = events(&root, &format!("user_id={}", ada.id()));
    let kinds: Vec<&str> = of_ada.iter().filter_map(|event| event["type"].as_str()).collect();
    assert_eq!(kinds, ["signed_up", "log_in", "log_in_refused", "email_verified", "user_deleted"]);
    for event in of_ada.iter().filter(|event| event["actor_id"] != root.id()) {
        let origin = json!([event["ip"], event["user_agent"], event["details"]]);
        assert_eq!(origin, json!([null, null, {}]), "{event}");
    }
    let by_admin = events(&root, "type=email_verified");
    assert_eq!(by_admin[0]["ip"], "192.0.2.7", "what an admin did is left as it was");
    assert!(events(&root, &format!("user_id={}", bob.id())).iter().all(|event| event["ip"] == "127.0.0.1"));
}

/// Inserts events of an age.
fn insert(home: &Home, number: u32, age_days: i64) {
    let at = now_seconds() * 1000 - age_days * DAY_MILLIS;
    let rows = vec![format!("({at}, 'log_out', '{{}}')"); usize::try_from(number).expect("a number")].join(", ");
    home.database.execute(&format!("INSERT INTO events (at, kind, details) VALUES {rows}"));
}

#[test]
fn events_are_kept_for_the_days_that_are_set() {
    let home = Home::with(&[("audit.retention_days", "30")]);
    home.run(&["migrate"], "").expect_success();
    insert(&home, 1200, 31);
    insert(&home, 3, 29);
    let server = Server::at(Arc::new(home));
    let root = server.admin("root@example.com");
    until("the old ones are deleted", PATIENCE, || events(&root, "type=log_out").len() <= 3);
    assert_eq!(types(&root, "type=log_out").len(), 3);
}

#[test]
fn the_days_are_a_number_from_1_to_3650() {
    for wrong in ["0", "3651", "a year"] {
        let line = Home::with(&[("audit.retention_days", wrong)]).run(&[], "").expect_failure();
        assert!(line.contains("audit.retention_days") && line.contains("1 to 3650"), "{line}");
    }
    let shown = Home::new().run(&["config"], "").expect_success();
    assert!(shown.contains("[audit]\nretention_days = 365\n"), "{shown}");
}

#[test]
fn the_id_of_a_deleted_event_is_not_given_out_again() {
    let server = Server::start();
    let root = server.admin("root@example.com");
    let before = events(&root, "").last().expect("an event")["id"].as_i64();
    server.home.database.execute("DELETE FROM events");
    server.sign_up("ada@example.com");
    assert!(events(&root, "").iter().all(|event| event["id"].as_i64() > before));
}
