//! Refused logins: recorded with their reason, and never so many that they fill the disk.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::{PATIENCE, events, refusals};
use crate::support::{Client, PASSWORD, Server, until};

/// A login that is refused.
#[track_caller]
fn fail(client: &Client, username: &str, status: u16) {
    let form = [("username", username), ("password", "wrong-Kettle 1")];
    let request = client.request("POST", "/login").form(&form);
    request.header("user-agent", "Guesser/1").header("x-request-id", "guess").send().expect(status);
}

/// The reasons of refused logins, with the account that each concerns, sorted.
fn reasons(events: &[Value]) -> Vec<(String, Value)> {
    let reason = |event: &Value| event["details"]["reason"].as_str().expect("a reason").to_owned();
    let mut reasons: Vec<_> = events.iter().map(|event| (reason(event), event["user_id"].clone())).collect();
    reasons.sort_by_key(|(reason, _)| reason.clone());
    reasons
}

#[test]
fn a_refused_login_is_recorded_with_its_reason() {
    let server = Server::start();
    let root = server.admin("root@example.com");
    let (ada, bob) = (server.sign_up("ada@example.com"), server.sign_up("bob@example.com"));
    server.home.database.execute(&format!("UPDATE users SET is_active = FALSE WHERE id = {}", bob.id()));
    for name in ["ada@example.com", "bob@example.com", "nobody@example.com"] {
        fail(&server, name, 400);
    }
    let found = refusals(&root, "", 3);
    let expected =
        [("disabled", json!(bob.id())), ("unknown_account", Value::Null), ("wrong_password", json!(ada.id()))];
    assert_eq!(reasons(&found), expected.map(|(reason, id)| (reason.to_owned(), id)));
    for event in &found {
        assert_eq!(event["actor_id"], Value::Null, "{event}");
        let origin = json!([event["ip"], event["user_agent"], event["request_id"], event["client_id"]]);
        assert_eq!(origin, json!(["127.0.0.1", "Guesser/1", "guess", "keyfob"]), "{event}");
    }
}

/// A stolen access token does not tell its thief the password.
#[test]
fn a_refused_password_of_a_logged_in_account_is_recorded_with_who_typed_it() {
    let server = Server::with(&[("rate_limit.enabled", "true"), ("rate_limit.account_failures", "1")]);
    let root = server.admin("root@example.com");
    let ada = server.sign_up("ada@example.com");
    let change = json!({"current_password": "wrong-Kettle 1", "new_password": "orange-Kettle 99"});
    ada.post("/me/password", change).expect_error(403);
    ada.request("DELETE", "/me").json(&json!({"password": "wrong-Kettle 2"})).send().expect_error(429);
    let query = format!("type=password_refused&user_id={}", ada.id());
    until("both are recorded", PATIENCE, || events(&root, &query).len() == 2);
    let found = events(&root, &query);
    let expected = [("too_many_attempts", json!(ada.id())), ("wrong_password", json!(ada.id()))];
    assert_eq!(reasons(&found), expected.map(|(reason, id)| (reason.to_owned(), id)));
    let log_in = &events(&root, &format!("type=log_in&user_id={}", ada.id()))[0];
    for event in &found {
        assert_eq!(event["actor_id"], json!(ada.id()), "{event}");
        assert_eq!(event["session_id"], log_in["session_id"], "{event}");
        assert_eq!(event["ip"], "127.0.0.1", "{event}");
    }
}

#[test]
fn the_owner_sees_refused_logins_at_the_own_account_only() {
    let server = Server::start();
    let (ada, bob) = (server.sign_up("ada@example.com"), server.sign_up("bob@example.com"));
    fail(&server, "ada@example.com", 400);
    fail(&server, "nobody@example.com", 400);
    let types = |client: &Client| {
        let page = client.get("/me/activity").expect_json(200);
        let types = page["items"].as_array().expect("items").iter();
        types.map(|event| event["type"].as_str().expect("a type").to_owned()).collect::<Vec<_>>()
    };
    until("it is there", PATIENCE, || types(&ada).contains(&"log_in_refused".to_owned()));
    assert_eq!(types(&ada), ["log_in_refused", "log_in", "signed_up"]);
    assert_eq!(types(&bob), ["log_in", "signed_up"]);
}

#[test]
fn too_many_attempts_are_recorded_at_the_account_that_they_were_aimed_at() {
    let server = Server::with(&[("rate_limit.enabled", "true"), ("rate_limit.account_failures", "2")]);
    let root = server.admin("root@example.com");
    let ada = server.sign_up("ada@example.com");
    for password in ["guess-Kettle 1", "guess-Kettle 2"] {
        server.login(&[("username", "ada@example.com"), ("password", password)]).expect(400);
    }
    fail(&server, "ADA@example.com", 429);
    let is_it = |event: &Value| event["details"]["reason"] == "too_many_attempts";
    until("it is there", PATIENCE, || events(&root, "type=log_in_refused").iter().any(is_it));
    let found = events(&root, &format!("type=log_in_refused&user_id={}", ada.id()));
    assert_eq!(found.iter().filter(|event| is_it(event)).count(), 1, "{found:?}");
}

/// The number of refused logins that the events stand for.
fn count(events: &[Value]) -> u64 {
    events.iter().map(|event| event["details"]["count"].as_u64().unwrap_or(1)).sum()
}

#[test]
fn attempts_at_random_names_are_a_few_events_that_hold_their_number_and_no_name() {
    const ATTEMPTS: u64 = 60;
    let mut server = Server::start();
    let root = server.admin("root@example.com");
    for number in 0..ATTEMPTS {
        fail(&server, &format!("random-name-{number}"), 400);
    }
    // More may follow when the minute is over, or at the end of the service.
    refusals(&root, "", 1);
    server.signal("TERM");
    server.wait(Duration::from_secs(40));
    let server = Server::at(Arc::clone(&server.home));
    let found = events(&server.log_in("root@example.com"), "type=log_in_refused");
    assert_eq!(count(&found), ATTEMPTS, "{found:?}");
    // Two for each minute, of which there may be two.
    assert!(found.len() <= 4, "{found:?}");
    assert!(!json!(found).to_string().contains("random-name"), "{found:?}");
}

#[test]
fn wrong_passwords_for_one_account_are_counted_too_and_those_for_another_apart() {
    let mut server = Server::start();
    let root = server.admin("root@example.com");
    let (ada, bob) = (server.sign_up("ada@example.com"), server.sign_up("bob@example.com"));
    for _ in 0..5 {
        fail(&server, "ada@example.com", 400);
    }
    fail(&server, "bob@example.com", 400);
    refusals(&root, "", 2);
    server.signal("TERM");
    server.wait(Duration::from_secs(40));
    let server = Server::at(Arc::clone(&server.home));
    let root = server.log_in("root@example.com");
    for (actor, number) in [(&ada, 5), (&bob, 1)] {
        let found = events(&root, &format!("type=log_in_refused&user_id={}", actor.id()));
        assert_eq!(count(&found), number, "{found:?}");
        assert!(found.len() <= 4, "{found:?}");
    }
}

#[test]
fn a_login_does_not_wait_for_the_record_of_a_refusal() {
    let server = Server::start();
    let root = server.admin("root@example.com");
    server.sign_up("ada@example.com");
    server.home.database.execute("ALTER TABLE events RENAME TO mislaid");
    fail(&server, "ada@example.com", 400);
    fail(&server, "nobody@example.com", 400);
    server.home.database.execute("ALTER TABLE mislaid RENAME TO events");
    assert_eq!(count(&refusals(&root, "", 2)), 2, "both are recorded once that is possible");
}

#[test]
fn the_right_password_is_still_right_after_refused_ones() {
    let server = Server::start();
    server.sign_up("ada@example.com");
    fail(&server, "ada@example.com", 400);
    server.login(&[("username", "ada@example.com"), ("password", PASSWORD)]).expect_json(200);
}
