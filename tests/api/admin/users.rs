//! Reading, creating, changing and deleting accounts.

use serde_json::{Value, json};

use super::{PATIENCE, path_of};
use crate::recovery::token_of;
use crate::support::{PASSWORD, Server, Wire, is_time, until};

const NEW: &str = "orange-Kettle 99";

#[test]
fn an_admin_creates_an_account_that_can_log_in() {
    let server = Server::start();
    let root = server.admin("root@example.com");
    let body = json!({"email": "Bob@Example.com", "password": PASSWORD, "full_name": "Bob", "email_verified": true});
    let answer = root.post("/users", body);
    let location = answer.need("location").to_owned();
    assert_eq!(answer.need("cache-control"), "no-store", "{answer}");
    let user = answer.expect_json(201);
    assert_eq!(location, format!("/users/{}", user["id"]));
    let shown = json!([user["email"], user["full_name"], user["is_active"], user["is_admin"], user["email_verified"]]);
    assert_eq!(shown, json!(["Bob@Example.com", "Bob", true, false, true]));
    assert!(user["created_at"].as_str().is_some_and(is_time) && user.get("password_hash").is_none(), "{user}");
    let bob = server.log_in("bob@example.com");
    assert_eq!(bob.get("/me").expect_json(200), root.get(&location).expect_json(200));
    root.post("/users", json!({"email": "bob@example.com"})).expect_error(409);
}

#[test]
fn an_admin_creates_accounts_while_sign_up_is_closed_also_of_admins() {
    let server = Server::with(&[("accounts.signup", "closed")]);
    let root = server.admin("root@example.com");
    let body = json!({"email": "eve@example.com", "password": PASSWORD, "is_admin": true});
    assert_eq!(root.post("/users", body).expect_json(201)["is_admin"], true);
    server.log_in("eve@example.com").get("/users").expect(200);
}

#[test]
fn without_a_password_nobody_logs_in_until_the_owner_has_set_one() {
    let server = Server::start();
    let root = server.admin("root@example.com");
    let user = root.post("/users", json!({"email": "bob@example.com", "password": null})).expect_json(201);
    for password in ["!", "", " ", PASSWORD] {
        let form = [("username", "bob@example.com"), ("password", password)];
        let code = if password.is_empty() { "invalid_request" } else { "invalid_grant" };
        server.login(&form).expect_oauth_error(400, code);
    }
    let link = root.post(&format!("/users/{}/reset-link", user["id"]), json!({})).expect_json(201);
    let token = token_of(link["url"].as_str().unwrap(), "http://127.0.0.1:8000/password-reset/confirm");
    server.post("/password-reset/confirm", json!({"token": token, "new_password": NEW})).expect(204);
    let bob = server.actor(server.login(&[("username", "bob@example.com"), ("password", NEW)]).expect_json(200));
    assert_eq!(bob.get("/me").expect_json(200)["email_verified"], true);
    assert!(!server.whole_log().iter().any(|line| line.contains("unreadable")), "{:?}", server.log());
}

#[test]
fn the_rules_of_sign_up_hold_and_all_faults_are_named_at_once() {
    let server = Server::start();
    let root = server.admin("root@example.com");
    let wrong = json!({"email": "bob", "password": "short", "full_name": 1, "is_admin": "yes", "email_verified": 1});
    root.post("/users", wrong).expect_faults(&[
        &["body", "email"],
        &["body", "password"],
        &["body", "full_name"],
        &["body", "is_admin"],
        &["body", "email_verified"],
    ]);
    let same = json!({"email": "robert@example.com", "password": "Robert@example.com"});
    root.post("/users", same).expect_faults(&[&["body", "password"]]);
    root.post("/users", json!({})).expect_faults(&[&["body", "email"]]);
}

#[test]
fn an_admin_changes_an_account_and_absent_fields_keep_their_value() {
    let server = Server::start();
    let (root, bob) = (server.admin("root@example.com"), server.sign_up("bob@example.com"));
    let path = path_of(&bob);
    let change = json!({"full_name": "Bob", "email_verified": true, "email": "eve@example.com", "id": 99});
    let user = root.patch(&path, change).expect_json(200);
    let shown = json!([user["id"], user["email"], user["full_name"], user["email_verified"], user["is_active"]]);
    assert_eq!(shown, json!([bob.id(), "bob@example.com", "Bob", true, true]));
    assert_eq!(root.patch(&path, json!({})).expect_json(200), user);
    let cleared = root.patch(&path, json!({"full_name": null, "email_verified": false})).expect_json(200);
    assert_eq!((&cleared["full_name"], &cleared["email_verified"]), (&Value::Null, &json!(false)));
    bob.get("/me").expect(200);
    let wrong = json!({"is_active": null, "is_admin": "true", "full_name": "x".repeat(201), "email_verified": 1});
    root.patch(&path, wrong).expect_faults(&[
        &["body", "is_active"],
        &["body", "is_admin"],
        &["body", "full_name"],
        &["body", "email_verified"],
    ]);
}

#[test]
fn disabling_an_account_ends_its_sessions_and_links_and_enabling_revives_neither() {
    let server = Server::start();
    let (root, bob) = (server.admin("root@example.com"), server.sign_up("bob@example.com"));
    let path = path_of(&bob);
    let link = root.post(&format!("{path}/reset-link"), json!({})).expect_json(201);
    let token = link["url"].as_str().unwrap().split_once("token=").expect("a token").1.to_owned();
    assert_eq!(root.patch(&path, json!({"is_active": false})).expect_json(200)["is_active"], false);
    bob.get("/me").expect_invalid_token();
    let login = [("username", "bob@example.com"), ("password", PASSWORD)];
    server.login(&login).expect_oauth_error(400, "invalid_grant");
    assert_eq!(root.patch(&path, json!({"is_active": true})).expect_json(200)["is_active"], true);
    bob.get("/me").expect_invalid_token();
    server.post("/password-reset/confirm", json!({"token": token, "new_password": NEW})).expect_error(400);
    server.login(&login).expect(200);
}

#[test]
fn whoever_loses_admin_rights_loses_sessions_and_links() {
    let server = Server::start();
    let (root, eve) = (server.admin("root@example.com"), server.admin("eve@example.com"));
    let (path, second) = (path_of(&eve), server.second());
    let link = root.post(&format!("{path}/reset-link"), json!({})).expect_json(201);
    let token = link["url"].as_str().unwrap().split_once("token=").expect("a token").1.to_owned();
    assert_eq!(root.patch(&path, json!({"is_admin": false})).expect_json(200)["is_admin"], false);
    eve.get("/users").expect_invalid_token();
    let at_another_process = second.with_token(&eve.token);
    until("the other process knows", PATIENCE, || at_another_process.get("/users").status == 401);
    server.post("/password-reset/confirm", json!({"token": token, "new_password": NEW})).expect_error(400);
    let eve = server.log_in("eve@example.com");
    eve.get("/users").expect_insufficient_scope("admin");
    root.patch(&path, json!({"is_admin": true})).expect(200);
    eve.get("/me").expect(200);
    server.log_in("eve@example.com").get("/users").expect(200);
}

#[test]
fn an_admin_deletes_an_account_with_its_posts_and_sessions() {
    let server = Server::start();
    let (root, bob) = (server.admin("root@example.com"), server.sign_up("bob@example.com"));
    let (path, post) = (path_of(&bob), bob.write_post("mine"));
    root.delete(&path).expect_empty(204);
    bob.get("/me").expect_invalid_token();
    server.get(&post).expect_error(404);
    for answer in [
        root.get(&path),
        root.delete(&path),
        root.patch(&path, json!({"full_name": "Bob"})),
        root.get(&format!("{path}/sessions")),
        root.delete(&format!("{path}/sessions")),
        root.post(&format!("{path}/reset-link"), json!({})),
    ] {
        answer.expect_error(404);
    }
    server.sign_up("bob@example.com");
}

#[test]
fn an_account_is_read_by_its_id_disabled_or_not() {
    let server = Server::start();
    let (root, bob) = (server.admin("root@example.com"), server.sign_up("bob@example.com"));
    let before = bob.get("/me").expect_json(200);
    assert_eq!(root.get(&path_of(&bob)).expect_json(200), before);
    root.patch(&path_of(&bob), json!({"is_active": false})).expect(200);
    assert_eq!(root.get(&path_of(&bob)).expect_json(200)["is_active"], false);
    root.get("/users/x").expect_faults(&[&["path", "id"]]);
    root.get("/users/999").expect_error(404);
}

#[test]
fn an_admin_who_is_demoted_while_the_body_is_on_its_way_changes_nothing() {
    let server = Server::start();
    let root = server.admin("root@example.com");
    let (eve, bob) = (server.admin("eve@example.com"), server.sign_up("bob@example.com"));
    let of_bob = path_of(&bob);
    for (method, path) in [("POST", "/users"), ("PATCH", of_bob.as_str())] {
        root.patch(&path_of(&eve), json!({"is_admin": true})).expect(200);
        let eve = server.log_in("eve@example.com");
        let body = json!({"email": "late@example.com", "full_name": "too late"}).to_string();
        let (begin, rest) = body.split_at(10);
        let mut wire = Wire::open(&server.address);
        wire.send(
            format!(
                "{method} {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
                 content-length: {}\r\n\r\n{begin}",
                eve.token,
                body.len()
            )
            .as_bytes(),
        );
        // The use is noted when the token has been checked, so this request has come so far.
        until("the token was checked", PATIENCE, || {
            let sessions = root.get(&format!("{}/sessions", path_of(&eve))).expect_json(200);
            sessions["items"].as_array().unwrap().iter().any(|item| item["last_used_at"] != item["created_at"])
        });
        root.patch(&path_of(&eve), json!({"is_admin": false})).expect(200);
        wire.send(rest.as_bytes());
        wire.answer(false).expect_invalid_token();
    }
    assert_eq!(root.get(&of_bob).expect_json(200)["full_name"], Value::Null);
    assert_eq!(root.get("/users?email=late").expect_json(200)["items"], json!([]));
}

/// As if the session had been left over by a fault: the rights of the account are what counts.
#[test]
fn a_token_with_the_scope_is_not_enough_to_write_once_the_account_has_no_rights() {
    let server = Server::start();
    let (eve, bob) = (server.admin("eve@example.com"), server.sign_up("bob@example.com"));
    server.home.database.execute("UPDATE users SET is_admin = FALSE");
    server.home.database.execute("DELETE FROM revocations");
    server.home.database.execute("UPDATE sessions SET revoked_at = NULL");
    let second = server.second();
    let eve = second.with_token(&eve.token);
    eve.get("/me").expect(200);
    let of_bob = path_of(&bob);
    for (method, path) in [
        ("POST", "/users".to_owned()),
        ("PATCH", of_bob.clone()),
        ("DELETE", of_bob.clone()),
        ("DELETE", format!("{of_bob}/sessions")),
        ("POST", format!("{of_bob}/reset-link")),
    ] {
        let body = json!({"email": "late@example.com", "full_name": "too late"});
        eve.request(method, &path).json(&body).send().expect_insufficient_scope("admin");
    }
    assert_eq!(bob.get("/me").expect_json(200)["full_name"], Value::Null);
}
