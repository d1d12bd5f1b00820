//! `accounts.delete_grace_days`: an account whose owner deleted it comes back with a login, or is deleted.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::recovery::token_of;
use crate::support::{Actor, Answer, PASSWORD, Server, until};

const BOB: &str = "bob@example.com";
const NEW: &str = "orange-Kettle 99";
const RESET: &str = "/password-reset/confirm";
const PATIENCE: Duration = Duration::from_secs(30);

fn with_grace() -> Server {
    Server::with(&[("accounts.delete_grace_days", "30")])
}

fn leave(actor: &Actor) {
    actor.request("DELETE", "/me").json(&json!({"password": PASSWORD})).send().expect_empty(204);
}

fn log_in(server: &Server, password: &str) -> Answer {
    server.login(&[("username", BOB), ("password", password)])
}

fn reset_token(server: &Server) -> String {
    let link = server.home.run(&["user", "reset-link", BOB], "").expect_success();
    token_of(&link, "http://127.0.0.1:8000/password-reset/confirm")
}

/// The types of an account's events, oldest first.
fn kinds(actor: &Actor) -> Vec<String> {
    let page = actor.get("/me/activity?limit=100").expect_json(200);
    let kinds = page["items"].as_array().expect("events").iter().rev();
    kinds.map(|event| event["type"].as_str().expect("a type").to_owned()).collect()
}

/// Lets the time of everybody who is leaving be over, and upkeep begin, which it does with the process.
fn when_the_time_is_over(server: Server) -> Server {
    server.home.database.execute("UPDATE users SET delete_after = 1000 WHERE delete_after IS NOT NULL");
    let home = Arc::clone(&server.home);
    drop(server);
    Server::at(home)
}

#[test]
fn without_a_grace_an_account_is_deleted_at_once() {
    let server = Server::start();
    let bob = server.sign_up(BOB);
    leave(&bob);
    log_in(&server, PASSWORD).expect_oauth_error(400, "invalid_grant");
    server.sign_up(BOB);
}

#[test]
fn leaving_ends_all_sessions_and_makes_links_worthless() {
    let server = with_grace();
    let (bob, other) = (server.sign_up(BOB), server.log_in(BOB));
    let token = reset_token(&server);
    leave(&bob);
    for session in [&bob, &other] {
        session.get("/me").expect_invalid_token();
        let refresh_token = session.grant["refresh_token"].as_str().expect("a token");
        let form = [("grant_type", "refresh_token"), ("refresh_token", refresh_token)];
        server.login(&form).expect_oauth_error(400, "invalid_grant");
    }
    server.post(RESET, json!({"token": token, "new_password": NEW})).expect_error(400);
}

#[test]
fn a_login_brings_the_account_back_as_it_was() {
    let server = with_grace();
    let bob = server.sign_up(BOB);
    let (before, post) = (bob.get("/me").expect_json(200), bob.write_post("mine"));
    leave(&bob);
    let bob = server.log_in(BOB);
    let mut after = bob.get("/me").expect_json(200);
    after["updated_at"] = before["updated_at"].clone();
    assert_eq!(after, before);
    server.get(&post).expect_json(200);
    assert_eq!(kinds(&bob), ["signed_up", "log_in", "deletion_asked", "account_restored", "log_in"]);
    let server = when_the_time_is_over(server);
    server.log_in(BOB);
}

#[test]
fn whoever_is_not_the_owner_gets_the_answers_of_a_disabled_account() {
    let server = with_grace();
    let root = server.admin("root@example.com");
    let (bob, eve) = (server.sign_up(BOB), server.sign_up("eve@example.com"));
    let (profile, post) = (bob.profile_url(), bob.write_post("mine"));
    server.home.database.execute("UPDATE users SET is_active = FALSE WHERE email = 'eve@example.com'");
    leave(&bob);
    for password in ["wrong-Kettle 1", ""] {
        let [of_bob, of_eve] = [BOB, "eve@example.com"]
            .map(|email| server.login(&[("username", email), ("password", password)]).expect(400).text().to_owned());
        assert_eq!(of_bob, of_eve);
    }
    assert_eq!(root.get(&profile).expect_json(200)["is_active"], false);
    let mia = server.sign_up("mia@example.com");
    assert_eq!(mia.get(&profile).expect(403).text(), mia.get(&eve.profile_url()).expect(403).text());
    server.post("/signup", json!({"email": BOB, "password": PASSWORD})).expect_error(409);
    server.get(&post).expect_json(200);
}

#[test]
fn a_reset_works_within_the_time_and_the_next_login_brings_the_account_back() {
    let server = with_grace();
    let root = server.admin("root@example.com");
    let bob = server.sign_up(BOB);
    let profile = bob.profile_url();
    leave(&bob);
    let token = reset_token(&server);
    server.post(RESET, json!({"token": token, "new_password": NEW})).expect_empty(204);
    assert_eq!(root.get(&profile).expect_json(200)["is_active"], false, "the reset alone brings nothing back");
    log_in(&server, PASSWORD).expect_oauth_error(400, "invalid_grant");
    let bob = server.actor(log_in(&server, NEW).expect_json(200));
    bob.get("/me").expect_json(200);
}

#[test]
fn after_the_time_the_account_is_deleted_and_nothing_brings_it_back() {
    let server = with_grace();
    let bob = server.sign_up(BOB);
    let (id, post) = (bob.id(), bob.write_post("mine"));
    leave(&bob);
    let token = reset_token(&server);
    let server = when_the_time_is_over(server);
    until("the account is deleted", PATIENCE, || server.get(&post).status == 404);
    log_in(&server, PASSWORD).expect_oauth_error(400, "invalid_grant");
    server.post(RESET, json!({"token": token, "new_password": NEW})).expect_error(400);
    let root = server.admin("root@example.com");
    let page = root.get(&format!("/audit?user_id={id}")).expect_json(200);
    assert_eq!(page["items"][0]["type"], "user_deleted");
    assert_eq!(page["items"][0]["details"], json!({"by": "service"}));
    assert!(server.sign_up(BOB).id() > id, "the address is free, the id is not");
}

#[test]
fn when_the_time_is_over_the_login_fails_even_before_upkeep_comes() {
    let server = with_grace();
    let bob = server.sign_up(BOB);
    leave(&bob);
    let token = reset_token(&server);
    server.home.database.execute("UPDATE users SET delete_after = 1000 WHERE delete_after IS NOT NULL");
    log_in(&server, PASSWORD).expect_oauth_error(400, "invalid_grant");
    server.post(RESET, json!({"token": token, "new_password": NEW})).expect_error(400);
}

#[test]
fn many_logins_at_once_bring_the_account_back_once() {
    let server = with_grace();
    leave(&server.sign_up(BOB));
    thread::scope(|scope| {
        let logins: Vec<_> = (0..8).map(|_| scope.spawn(|| log_in(&server, PASSWORD).status)).collect();
        assert!(logins.into_iter().all(|login| login.join().expect("an answer") == 200));
    });
    let restored = kinds(&server.log_in(BOB)).into_iter().filter(|kind| kind == "account_restored").count();
    assert_eq!(restored, 1);
}

#[test]
fn an_admin_can_bring_the_account_back_or_keep_its_owner_out() {
    let server = with_grace();
    let root = server.admin("root@example.com");
    let bob = server.sign_up(BOB);
    let url = format!("/users/{}", bob.id());
    leave(&bob);
    root.patch(&url, json!({"full_name": "Bob"})).expect_json(200);
    let left = "SELECT CAST(COUNT(*) AS TEXT) AS value FROM users WHERE delete_after IS NOT NULL";
    assert_eq!(server.home.database.text(left), "1", "another change leaves it as it is");
    root.patch(&url, json!({"is_active": true})).expect_json(200);
    let bob = server.log_in(BOB);
    assert_eq!(server.home.database.text(left), "0");

    leave(&bob);
    root.patch(&url, json!({"is_active": false})).expect_json(200);
    assert_eq!(server.home.database.text(left), "0");
    log_in(&server, PASSWORD).expect_oauth_error(400, "invalid_grant");
    let server = when_the_time_is_over(server);
    let root = server.log_in_for("root@example.com", "admin");
    let page = root.get(&format!("/audit?user_id={}", bob.id())).expect_json(200);
    let newest: Vec<&Value> = page["items"].as_array().expect("events").iter().map(|event| &event["type"]).collect();
    assert!(newest.contains(&&json!("user_disabled")) && !newest.contains(&&json!("user_deleted")), "{newest:?}");
    assert_eq!(root.get(&url).expect_json(200)["is_active"], false);
}

#[test]
fn the_last_active_admin_does_not_leave() {
    let server = with_grace();
    let root = server.admin("root@example.com");
    root.request("DELETE", "/me").json(&json!({"password": PASSWORD})).send().expect_error(409);
    root.get("/me").expect_json(200);
    let second = server.admin("second@example.com");
    leave(&second);
    root.request("DELETE", "/me").json(&json!({"password": PASSWORD})).send().expect_error(409);
    assert_eq!(server.log_in_for("second@example.com", "admin").grant["scope"], "admin", "with the same rights");
    leave(&root);
}

#[test]
fn enabling_by_hand_keeps_the_account() {
    let server = with_grace();
    leave(&server.sign_up(BOB));
    server.home.database.execute("UPDATE users SET is_active = TRUE");
    let server = when_the_time_is_over(server);
    server.log_in(BOB);
}
