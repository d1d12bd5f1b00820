//! `/me/sessions`, and what ends sessions: signing out elsewhere, a new password, the end of the account.

use std::time::Duration;

use serde_json::{Value, json};

use crate::steps::{
    App, PATIENCE, access_token, expect_refused, expect_refused_in_time, let_pass, refresh_token, renew, session_id,
    time_until_refused,
};
use crate::support::{Actor, Client, PASSWORD, Server, is_time, until};

const BOB: &str = "bob@example.com";

#[track_caller]
fn list(actor: &Client) -> Vec<Value> {
    actor.get("/me/sessions").expect_json(200)["items"].as_array().expect("items").clone()
}

/// What one's own list says about a session.
#[track_caller]
fn listed(actor: &Client, id: i64) -> Value {
    let items = list(actor);
    let found = items.iter().find(|session| session["id"] == id);
    found.unwrap_or_else(|| panic!("no session {id}: {items:?}")).clone()
}

/// Nothing of a session is good any more.
#[track_caller]
fn expect_ended(server: &Server, actor: &Actor) {
    expect_refused(server, refresh_token(&actor.grant));
    time_until_refused(server, &actor.token);
}

#[track_caller]
fn expect_alive(server: &Server, actor: &Actor) {
    server.with_token(&actor.token).get("/me").expect_json(200);
    renew(server, refresh_token(&actor.grant));
}

#[test]
fn a_session_has_the_fields_of_the_contract() {
    let server = Server::start();
    let bob = server.sign_up(BOB);
    let sessions = list(&bob);
    assert_eq!(sessions.len(), 1);
    let session = sessions[0].as_object().unwrap();
    let names: Vec<_> = session.keys().map(String::as_str).collect();
    assert_eq!(names, ["client_id", "created_at", "current", "id", "ip", "last_used_at", "user_agent"]);
    assert_eq!(session["id"], session_id(&bob.token));
    assert_eq!(session["client_id"], "keyfob");
    assert_eq!(session["ip"], "127.0.0.1");
    assert_eq!(session["current"], true);
    for time in ["created_at", "last_used_at"] {
        assert!(is_time(session[time].as_str().unwrap()), "{session:?}");
    }
}

#[test]
fn every_sign_in_is_a_session_and_exactly_one_is_the_current_one() {
    let server = Server::start();
    let first = server.sign_up(BOB);
    let app = App::add(&server.home, "phone", &["--public"]);
    let phone = app.log_in(&server, BOB);
    let stranger = server.sign_up("eve@example.com");
    let sessions = list(&first);
    assert_eq!(sessions.len(), 2);
    let clients: Vec<_> = sessions.iter().map(|session| session["client_id"].as_str().unwrap()).collect();
    assert!(clients.contains(&"keyfob") && clients.contains(&"phone"), "{sessions:?}");
    for (token, own) in [(first.token.as_str(), "keyfob"), (access_token(&phone), "phone")] {
        let current: Vec<_> =
            list(&server.with_token(token)).into_iter().filter(|session| session["current"] == true).collect();
        assert_eq!(current.len(), 1);
        assert_eq!(current[0]["client_id"], own);
        assert_eq!(current[0]["id"], session_id(token));
    }
    assert_eq!(list(&stranger).len(), 1);
}

#[test]
fn a_refresh_makes_no_new_session() {
    let server = Server::start();
    let bob = server.sign_up(BOB);
    let before = listed(&bob, session_id(&bob.token));
    let grant = renew(&server, refresh_token(&bob.grant));
    let sessions = list(&server.with_token(access_token(&grant)));
    assert_eq!(sessions.len(), 1);
    for member in ["id", "created_at", "client_id", "user_agent", "ip", "current"] {
        assert_eq!(sessions[0][member], before[member], "{member}");
    }
}

#[test]
fn the_user_agent_and_the_address_of_the_sign_in_are_kept() {
    let server = Server::with(&[("server.trusted_proxies", "127.0.0.1")]);
    server.sign_up(BOB);
    let sign_in = |agent: &str, forwarded: &str| {
        let request = server.request("POST", "/login").form(&[("username", BOB), ("password", PASSWORD)]);
        let request = request.header("user-agent", agent).header("x-forwarded-for", forwarded);
        let grant = request.send().expect_json(200);
        access_token(&grant).to_owned()
    };
    let phone = sign_in("Phone/7 (é)", "203.0.113.9, 198.51.100.7");
    let tablet = sign_in("Tablet/1", "2001:db8::17");
    let me = server.with_token(&phone);
    let session = listed(&me, session_id(&phone));
    assert_eq!((session["user_agent"].as_str(), session["ip"].as_str()), (Some("Phone/7 (é)"), Some("198.51.100.7")));
    let session = listed(&me, session_id(&tablet));
    assert_eq!((session["user_agent"].as_str(), session["ip"].as_str()), (Some("Tablet/1"), Some("2001:db8::17")));
}

#[test]
fn an_address_that_nobody_trusts_is_not_believed() {
    let server = Server::start();
    server.sign_up(BOB);
    let request = server.request("POST", "/login").form(&[("username", BOB), ("password", PASSWORD)]);
    let grant = request.header("x-forwarded-for", "203.0.113.9").send().expect_json(200);
    let token = access_token(&grant);
    assert_eq!(listed(&server.with_token(token), session_id(token))["ip"], "127.0.0.1");
}

#[test]
fn a_very_long_user_agent_is_no_reason_to_fail() {
    let server = Server::start();
    server.sign_up(BOB);
    let request = server.request("POST", "/login").form(&[("username", BOB), ("password", PASSWORD)]);
    let grant = request.header("user-agent", &"x".repeat(8000)).send().expect_json(200);
    let token = access_token(&grant);
    let session = listed(&server.with_token(token), session_id(token));
    assert!(session["user_agent"].as_str().unwrap().starts_with("xxx"), "{session}");
}

#[test]
fn last_used_at_advances_with_a_refresh_and_with_the_use_of_an_access_token() {
    let server = Server::start();
    let second = server.second();
    let bob = server.sign_up(BOB);
    let watcher = server.log_in(BOB);
    let id = session_id(&bob.token);
    let at = || listed(&watcher, id)["last_used_at"].as_str().unwrap().to_owned();
    let created = listed(&watcher, id)["created_at"].as_str().unwrap().to_owned();
    assert_eq!(at(), created, "unused so far");
    second.with_token(&bob.token).get("/me").expect_json(200);
    until("the use is noted", PATIENCE, || at() > created);
    let used = at();
    assert_eq!(at(), used, "looking at it from another session is no use");
    let_pass(Duration::from_millis(5), "the clock of last_used_at must move on");
    renew(&second, refresh_token(&bob.grant));
    assert!(at() > used, "{} after {used}", at());
}

#[test]
fn ending_one_session_ends_that_one_alone() {
    let server = Server::start();
    let second = server.second();
    let (bob, lost, other) = (server.sign_up(BOB), server.log_in(BOB), server.log_in(BOB));
    bob.delete(&format!("/me/sessions/{}", session_id(&lost.token))).expect_empty(204);
    for process in [&server, &second] {
        expect_ended(process, &lost);
    }
    assert_eq!(list(&bob).len(), 2);
    expect_alive(&second, &other);
    expect_alive(&second, &bob);
}

#[test]
fn a_session_may_end_itself() {
    let server = Server::start();
    let bob = server.sign_up(BOB);
    bob.delete(&format!("/me/sessions/{}", session_id(&bob.token))).expect_empty(204);
    bob.get("/me").expect_invalid_token();
    expect_ended(&server, &bob);
}

#[test]
fn a_session_that_is_unknown_another_s_or_ended_is_404() {
    let server = Server::start();
    let (bob, eve) = (server.sign_up(BOB), server.sign_up("eve@example.com"));
    bob.delete(&format!("/me/sessions/{}", session_id(&eve.token))).expect_error(404);
    bob.delete("/me/sessions/999999").expect_error(404);
    expect_alive(&server, &eve);
    let ended = server.log_in(BOB);
    let path = format!("/me/sessions/{}", session_id(&ended.token));
    bob.delete(&path).expect_empty(204);
    bob.delete(&path).expect_error(404);
}

#[test]
fn an_invalid_session_id_is_422() {
    let server = Server::start();
    let bob = server.sign_up(BOB);
    for id in ["0", "-1", "x", "1.5", "9007199254740992", "99999999999999999999"] {
        bob.delete(&format!("/me/sessions/{id}")).expect_error(422);
    }
    expect_alive(&server, &bob);
}

#[test]
fn ending_all_other_sessions_keeps_this_one() {
    let server = Server::start();
    let second = server.second();
    let (bob, eve) = (server.sign_up(BOB), server.sign_up("eve@example.com"));
    let others: Vec<Actor> = (0..3).map(|_| second.log_in(BOB)).collect();
    bob.delete("/me/sessions").expect_empty(204);
    for other in &others {
        expect_ended(&server, other);
        expect_ended(&second, other);
    }
    assert_eq!(list(&bob).len(), 1);
    bob.delete("/me/sessions").expect_empty(204);
    expect_alive(&server, &bob);
    expect_alive(&second, &eve);
}

#[test]
fn the_routes_of_sessions_need_the_scope_profile() {
    let server = Server::start();
    server.sign_up(BOB);
    server.get("/me/sessions").expect_no_credentials();
    server.delete("/me/sessions").expect_no_credentials();
    server.delete("/me/sessions/1").expect_no_credentials();
    let writer = server.log_in_for(BOB, "posts");
    writer.get("/me/sessions").expect_insufficient_scope("profile");
    writer.delete("/me/sessions").expect_insufficient_scope("profile");
    writer.delete(&format!("/me/sessions/{}", session_id(&writer.token))).expect_insufficient_scope("profile");
}

#[test]
fn a_new_password_ends_all_other_sessions_and_not_this_one() {
    let server = Server::start();
    let second = server.second();
    let bob = server.sign_up(BOB);
    let others = [server.log_in(BOB), second.log_in(BOB)];
    let body = json!({"current_password": PASSWORD, "new_password": "another-Kettle 99"});
    bob.post("/me/password", body).expect_empty(204);
    for other in &others {
        expect_ended(&server, other);
        expect_ended(&second, other);
    }
    assert_eq!(list(&bob).len(), 1);
    expect_alive(&second, &bob);
    let old = [("username", BOB), ("password", PASSWORD)];
    server.login(&old).expect_oauth_error(400, "invalid_grant");
    second.login(&old).expect_oauth_error(400, "invalid_grant");
    second.login(&[("username", BOB), ("password", "another-Kettle 99")]).expect_json(200);
}

#[test]
fn a_wrong_current_password_changes_nothing() {
    let server = Server::start();
    let (bob, other) = (server.sign_up(BOB), server.log_in(BOB));
    let body = json!({"current_password": "not it at all", "new_password": "another-Kettle 99"});
    bob.post("/me/password", body).expect_error(403);
    bob.post("/me/password", json!({"current_password": PASSWORD, "new_password": "short"}))
        .expect_faults(&[&["body", "new_password"]]);
    expect_alive(&server, &other);
    expect_alive(&server, &bob);
    server.log_in(BOB);
}

#[test]
fn deleting_the_account_ends_every_session_and_deletes_the_posts() {
    let server = Server::start();
    let second = server.second();
    let (bob, eve) = (server.sign_up(BOB), server.sign_up("eve@example.com"));
    let others = [second.log_in(BOB), server.log_in(BOB)];
    let (post, kept) = (bob.write_post("mine"), eve.write_post("hers"));
    bob.request("DELETE", "/me").json(&json!({"password": "not it at all"})).send().expect_error(403);
    bob.get("/me").expect_json(200);
    bob.request("DELETE", "/me").json(&json!({"password": PASSWORD})).send().expect_empty(204);
    for process in [&server, &second] {
        expect_ended(process, &bob);
        for other in &others {
            expect_ended(process, other);
        }
        process.get(&post).expect_error(404);
        process.get(&kept).expect_json(200);
        process.login(&[("username", BOB), ("password", PASSWORD)]).expect_oauth_error(400, "invalid_grant");
    }
    expect_alive(&second, &eve);
}

#[test]
fn after_the_end_of_the_account_its_e_mail_is_free_for_a_new_one_with_a_new_id() {
    let server = Server::start();
    let second = server.second();
    let bob = server.sign_up(BOB);
    bob.request("DELETE", "/me").json(&json!({"password": PASSWORD})).send().expect_empty(204);
    let heir = second.sign_up("BOB@example.com");
    assert!(heir.id() > bob.id(), "{} after {}", heir.id(), bob.id());
    assert_eq!(list(&heir).len(), 1);
    expect_ended(&server, &bob);
    expect_ended(&second, &bob);
    expect_alive(&server, &heir);
}

#[test]
fn a_disabled_user_gets_nothing_by_refresh() {
    let server = Server::start();
    let bob = server.sign_up(BOB);
    let old = refresh_token(&bob.grant).to_owned();
    let live = renew(&server, &old);
    server.home.database.execute("UPDATE users SET is_active = FALSE");
    expect_refused(&server, refresh_token(&live));
    expect_refused(&server, &old);
    server.login(&[("username", BOB), ("password", PASSWORD)]).expect_oauth_error(400, "invalid_grant");
}

#[test]
fn a_deleted_user_gets_nothing_by_refresh() {
    let server = Server::start();
    let bob = server.sign_up(BOB);
    server.home.database.execute("DELETE FROM users");
    expect_refused(&server, refresh_token(&bob.grant));
}

#[test]
fn an_administrator_s_command_ends_all_sessions_of_one_account_and_no_other() {
    let server = Server::start();
    let second = server.second();
    let (bob, eve) = (server.sign_up(BOB), server.sign_up("eve@example.com"));
    for account in ["BOB@example.com".to_owned(), bob.id().to_string()] {
        let sessions = [server.log_in(BOB), second.log_in(BOB)];
        let said = server.home.run(&["user", "sign-out", &account], "").expect_success();
        assert_eq!(said, format!("ended all sessions of account {} ({BOB})\n", bob.id()));
        for session in &sessions {
            expect_ended(&server, session);
            expect_ended(&second, session);
        }
        // The password is the same, and an account without sessions has none to end.
        server.home.run(&["user", "sign-out", &account], "").expect_success();
    }
    expect_ended(&server, &bob);
    expect_alive(&second, &eve);
    expect_alive(&server, &second.log_in(BOB));
}

#[test]
fn an_account_to_sign_out_that_there_is_not_is_refused() {
    let server = Server::start();
    let bob = server.sign_up(BOB);
    for account in ["nobody@example.com", "999999", "bob", "0", ""] {
        server.home.run(&["user", "sign-out", account], "").expect_failure();
    }
    expect_alive(&server, &bob);
}

#[test]
fn every_way_to_end_a_session_is_known_in_time_at_both_processes() {
    let server = Server::start();
    let second = server.second();
    server.sign_up(BOB);
    let me = second.log_in(BOB);
    let tokens: Vec<String> = (0..5).map(|_| server.log_in(BOB).token).collect();
    expect_refused_in_time(&[&server, &second], &tokens, |number| {
        let id = session_id(&tokens[number]);
        me.delete(&format!("/me/sessions/{id}")).expect_empty(204);
    });
}
