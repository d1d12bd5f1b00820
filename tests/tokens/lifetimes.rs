//! How long sessions live, used and unused.

use std::time::Duration;

use crate::steps::{
    App, PATIENCE, access_token, age_sessions, expect_refused, let_pass, refresh_token, renew, restart_with, stop,
};
use crate::support::{Actor, Server, until};

#[track_caller]
fn session_count(actor: &Actor) -> usize {
    actor.get("/me/sessions").expect_json(200)["items"].as_array().unwrap().len()
}

/// Makes every log-in look as if it had happened earlier, whenever its session was refreshed.
fn age_log_ins(server: &Server, by: Duration) {
    let earlier = by.as_millis();
    server.home.database.execute(&format!(
        "UPDATE sessions SET created_at = created_at - {earlier}, expires_at = expires_at - {earlier}"
    ));
}

#[test]
fn a_refresh_token_that_is_not_used_expires() {
    let server = Server::with(&[("token.refresh_ttl_seconds", "1")]);
    let bob = server.sign_up("bob@example.com");
    let_pass(Duration::from_millis(1100), "refresh_ttl_seconds must be over");
    expect_refused(&server, refresh_token(&bob.grant));
}

#[test]
fn each_refresh_begins_the_life_of_the_refresh_token_anew() {
    let server = Server::with(&[("token.refresh_ttl_seconds", "3600")]);
    let bob = server.sign_up("bob@example.com");
    let mut grant = bob.grant.clone();
    for _ in 0..3 {
        age_sessions(&server, Duration::from_secs(3500));
        grant = renew(&server, refresh_token(&grant));
    }
    age_sessions(&server, Duration::from_secs(3600));
    expect_refused(&server, refresh_token(&grant));
}

#[test]
fn a_session_ends_however_often_it_is_refreshed() {
    let server = Server::with(&[("token.session_ttl_seconds", "3600")]);
    let mut grant = server.sign_up("bob@example.com").grant;
    // So that every refresh is a recent one, and the log-in alone lies further and further back: at last 100 s short of it.
    for _ in 0..5 {
        age_log_ins(&server, Duration::from_secs(700));
        grant = renew(&server, refresh_token(&grant));
    }
    age_log_ins(&server, Duration::from_secs(100));
    expect_refused(&server, refresh_token(&grant));
}

#[test]
fn an_expired_session_is_not_listed() {
    let server = Server::start();
    let idle = server.sign_up("bob@example.com");
    assert_eq!(session_count(&idle), 1);
    age_sessions(&server, Duration::from_hours(24 * 31));
    let bob = server.log_in("bob@example.com");
    assert_eq!(session_count(&bob), 1);
    server.home.database.execute("UPDATE sessions SET expires_at = created_at");
    let bob = server.log_in("bob@example.com");
    assert_eq!(session_count(&bob), 1);
}

#[test]
fn a_shorter_lifetime_in_the_settings_holds_for_sessions_that_are_there_already() {
    let server = Server::start();
    let bob = server.sign_up("bob@example.com");
    age_sessions(&server, Duration::from_secs(60));
    let server = restart_with(server, &[("token.refresh_ttl_seconds", "30")]);
    expect_refused(&server, refresh_token(&bob.grant));
}

#[test]
fn a_client_s_own_lifetimes_hold_for_its_tokens() {
    let server = Server::start();
    server.sign_up("bob@example.com");
    let app = App::add(&server.home, "kiosk", &["--access-ttl-seconds", "60", "--refresh-ttl-seconds", "600"]);
    let grant = app.log_in(&server, "bob@example.com");
    assert_eq!(grant["expires_in"], 60);
    let (_, claims) = crate::support::decode(access_token(&grant));
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 60);
    age_sessions(&server, Duration::from_secs(590));
    let grant = app.refresh(&server, refresh_token(&grant)).expect_json(200);
    assert_eq!(grant["expires_in"], 60);
    age_sessions(&server, Duration::from_secs(601));
    app.refresh(&server, refresh_token(&grant)).expect_oauth_error(400, "invalid_grant");
}

#[test]
fn a_session_that_expired_by_its_client_s_own_lifetime_is_neither_listed_nor_active() {
    let server = Server::start();
    let bob = server.sign_up("bob@example.com");
    let kiosk = App::add(&server.home, "kiosk", &["--refresh-ttl-seconds", "600"]);
    let grant = kiosk.log_in(&server, "bob@example.com");
    assert_eq!(session_count(&bob), 2);
    assert_eq!(kiosk.introspect(&server, refresh_token(&grant))["active"], true);
    age_sessions(&server, Duration::from_secs(601));
    kiosk.refresh(&server, refresh_token(&grant)).expect_oauth_error(400, "invalid_grant");
    assert_eq!(kiosk.introspect(&server, refresh_token(&grant)), serde_json::json!({"active": false}));
    assert_eq!(session_count(&bob), 1);
}

#[test]
fn a_session_that_lives_by_its_client_s_own_lifetime_is_listed_and_active() {
    let server = Server::with(&[("token.refresh_ttl_seconds", "600")]);
    let bob = server.sign_up("bob@example.com");
    let phone = App::add(&server.home, "phone", &["--refresh-ttl-seconds", "86400"]);
    let grant = phone.log_in(&server, "bob@example.com");
    age_sessions(&server, Duration::from_secs(601));
    assert_eq!(phone.introspect(&server, refresh_token(&grant))["active"], true);
    assert_eq!(session_count(&bob), 1, "the phone's: bob's own has expired");
    phone.refresh(&server, refresh_token(&grant)).expect_json(200);
}

#[test]
fn sessions_that_ended_long_ago_are_deleted_by_the_service_itself() {
    let server = Server::start();
    let bob = server.sign_up("bob@example.com");
    let home = stop(server);
    let long_ago = Duration::from_hours(24 * 400).as_millis();
    home.database.execute(&format!(
        "UPDATE sessions SET created_at = created_at - {long_ago}, refreshed_at = refreshed_at - {long_ago}, \
         last_used_at = last_used_at - {long_ago}, expires_at = expires_at - {long_ago}"
    ));
    let server = Server::at(home);
    let count = "SELECT CAST(count(*) AS TEXT) AS value FROM sessions";
    until("the expired session is deleted", PATIENCE, || server.home.database.text(count) == "0");
    expect_refused(&server, refresh_token(&bob.grant));
}

#[test]
fn idle_sessions_are_deleted_by_the_service_itself() {
    let server = Server::with(&[("token.refresh_ttl_seconds", "3600")]);
    server.sign_up("bob@example.com");
    let home = stop(server);
    let weeks = Duration::from_hours(24 * 60).as_millis();
    home.database.execute(&format!(
        "UPDATE sessions SET created_at = created_at - {weeks}, refreshed_at = refreshed_at - {weeks}, \
         last_used_at = last_used_at - {weeks}, expires_at = expires_at - {weeks}"
    ));
    let server = Server::at(home);
    let count = "SELECT CAST(count(*) AS TEXT) AS value FROM sessions";
    until("the idle session is deleted", PATIENCE, || server.home.database.text(count) == "0");
}
