//! Each act of an admin leaves its event, with the admin as the actor.

use serde_json::{Value, json};

use super::path_of;
use crate::audit::whole::without_events;
use crate::support::{Actor, Answer, Server};

const BROWSER: &str = "Browser/1.0 (Test)";

/// Sends a request with a name to find it by.
fn send(admin: &Actor, method: &str, path: &str, name: &str, body: &Value) -> Answer {
    let request = admin.request(method, path).header("user-agent", BROWSER).header("x-request-id", name);
    request.json(body).send()
}

/// The events of the request with that name, oldest first: type and details. Each tells who acted, on whom, and from where.
#[track_caller]
fn told(admin: &Actor, user_id: i64, name: &str) -> Vec<(String, Value)> {
    let page = admin.get(&format!("/audit?limit=100&user_id={user_id}")).expect_json(200);
    let mut found = Vec::new();
    for event in page["items"].as_array().unwrap().iter().rev().filter(|event| event["request_id"] == name) {
        let who = json!([event["user_id"], event["actor_id"], event["ip"], event["user_agent"], event["client_id"]]);
        assert_eq!(who, json!([user_id, admin.id(), "127.0.0.1", BROWSER, "keyfob"]), "{event}");
        found.push((event["type"].as_str().unwrap().to_owned(), event["details"].clone()));
    }
    found
}

#[test]
fn every_act_of_an_admin_is_recorded_with_the_admin_as_the_actor() {
    let server = Server::start();
    let root = server.admin("root@example.com");
    let created = send(&root, "POST", "/users", "create", &json!({"email": "bob@example.com"})).expect_json(201);
    let id = created["id"].as_i64().unwrap();
    let path = format!("/users/{id}");
    let event = |kind: &str, details: Value| vec![(kind.to_owned(), details)];
    assert_eq!(told(&root, id, "create"), event("user_created", json!({})));
    let link = send(&root, "POST", &format!("{path}/reset-link"), "link", &json!({})).expect_json(201);
    assert_eq!(told(&root, id, "link"), event("reset_link_made", json!({})));
    let token = link["url"].as_str().unwrap().split_once("token=").expect("a token").1;
    let password = json!({"token": token, "new_password": crate::support::PASSWORD});
    server.post("/password-reset/confirm", password).expect(204);
    for (name, change, expected) in [
        ("grant", json!({"is_admin": true}), event("admin_granted", json!({}))),
        ("unverify", json!({"email_verified": false}), event("user_changed", json!({"fields": ["email_verified"]}))),
        ("verify", json!({"email_verified": true}), event("email_verified", json!({}))),
        ("name", json!({"full_name": "Bob"}), event("user_changed", json!({"fields": ["full_name"]}))),
        ("nothing", json!({"full_name": "Bob", "is_active": true}), Vec::new()),
    ] {
        send(&root, "PATCH", &path, name, &change).expect(200);
        assert_eq!(told(&root, id, name), expected, "{name}");
    }
    for _ in 0..2 {
        server.log_in("bob@example.com");
    }
    send(&root, "PATCH", &path, "both", &json!({"is_admin": false, "is_active": false})).expect(200);
    let both = [("user_disabled".to_owned(), json!({"sessions_ended": 2})), ("admin_revoked".to_owned(), json!({}))];
    assert_eq!(told(&root, id, "both"), both);
    send(&root, "PATCH", &path, "enable", &json!({"is_active": true})).expect(200);
    assert_eq!(told(&root, id, "enable"), event("user_enabled", json!({})));
    server.log_in("bob@example.com");
    server.log_in("bob@example.com");
    send(&root, "DELETE", &format!("{path}/sessions"), "sign-out", &json!({})).expect(204);
    assert_eq!(told(&root, id, "sign-out"), event("session_ended", json!({"sessions_ended": 2})));
    server.log_in("bob@example.com");
    send(&root, "DELETE", &path, "delete", &json!({})).expect(204);
    assert_eq!(told(&root, id, "delete"), event("user_deleted", json!({"sessions_ended": 1})));
    assert_eq!(told(&root, id, "link"), event("reset_link_made", json!({})), "it outlives the account");
}

#[test]
fn an_act_that_cannot_be_recorded_does_not_happen() {
    let server = Server::start();
    let (root, bob) = (server.admin("root@example.com"), server.sign_up("bob@example.com"));
    let path = path_of(&bob);
    let before = root.get(&path).expect_json(200);
    without_events(&server, || {
        root.post("/users", json!({"email": "new@example.com"})).expect_error(500);
        root.post(&format!("{path}/reset-link"), json!({})).expect_error(500);
        for change in [json!({"full_name": "Bob"}), json!({"is_admin": true}), json!({"is_active": false})] {
            root.patch(&path, change).expect_error(500);
        }
        root.delete(&format!("{path}/sessions")).expect_error(500);
        root.delete(&path).expect_error(500);
    });
    assert_eq!(root.get(&path).expect_json(200), before);
    bob.get("/me").expect(200);
    root.post("/users", json!({"email": "new@example.com"})).expect(201);
    let tokens = "SELECT CAST(COUNT(*) AS TEXT) AS value FROM one_time_tokens";
    assert_eq!(server.home.database.text(tokens), "0");
}

#[test]
fn what_an_admin_does_to_the_own_account_tells_nothing_of_them_once_it_is_deleted() {
    let server = Server::start();
    let (root, eve) = (server.admin("root@example.com"), server.admin("eve@example.com"));
    send(&eve, "DELETE", &path_of(&eve), "delete", &json!({})).expect(204);
    let page = root.get(&format!("/audit?type=user_deleted&user_id={}", eve.id())).expect_json(200);
    let event = &page["items"][0];
    assert_eq!(json!([event["ip"], event["user_agent"], event["details"]]), json!([null, null, {}]), "{event}");
}

#[test]
fn a_sign_up_by_invitation_and_a_link_made_by_a_command_are_recorded() {
    let server = Server::start();
    let root = server.admin("root@example.com");
    let link = server.home.run(&["user", "invite", "mia@example.com"], "").expect_success();
    let token = link.trim().split_once("token=").expect("a token").1;
    let body = json!({"token": token, "password": crate::support::PASSWORD});
    let id = server.post("/invitation", body).expect_json(201)["id"].clone();
    server.home.run(&["user", "reset-link", "mia@example.com"], "").expect_success();
    let page = root.get(&format!("/audit?user_id={id}")).expect_json(200);
    let told: Vec<Value> =
        page["items"].as_array().unwrap().iter().map(|e| json!([e["type"], e["actor_id"], e["details"]])).collect();
    let expected =
        [json!(["reset_link_made", null, {"by": "command line"}]), json!(["signed_up", id, {"invited": true}])];
    assert_eq!(told, expected);
}
