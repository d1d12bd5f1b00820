//! How long it is remembered that a session has ended, and for how long a key is kept: for as long as any token that was
//! ever issued, whatever the settings are by now.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::steps::{
    App, OF_NOBODY, access_token, refresh_token, renew, restart_with, revoke, stop, time_until_refused,
};
use crate::support::{Actor, Home, PASSWORD, Server, decode, until};

const BOB: &str = "bob@example.com";
const LONG: (&str, &str) = ("token.access_ttl_seconds", "3600");
/// Much shorter, but long enough for a request with such a token on a busy machine.
const SHORT: (&str, &str) = ("token.access_ttl_seconds", "60");

/// Every revocation outlives this access token.
#[track_caller]
fn expect_outlived(server: &Server, token: &str) {
    let end = server.home.database.text("SELECT CAST(MIN(expires_at) AS TEXT) AS value FROM revocations");
    let expires_at = decode(token).1["exp"].as_i64().expect("exp");
    assert!(end.parse::<i64>().expect("a time") >= expires_at * 1000, "{end} before {expires_at}");
}

/// Ends all sessions of bob, by one of the ways that there are.
#[track_caller]
fn end(server: &Server, bob: &Actor, way: &str) {
    let database = &server.home.database;
    match way {
        "sign-out" => revoke(server, refresh_token(&bob.grant)),
        "another session" => drop(server.log_in(BOB).delete("/me/sessions").expect_empty(204)),
        "a new password" => {
            let change = json!({"current_password": PASSWORD, "new_password": "another-Kettle 99"});
            server.log_in(BOB).post("/me/password", change).expect_empty(204);
        }
        "theft" => {
            let old = refresh_token(&bob.grant).to_owned();
            let live = renew(server, &old);
            renew(server, refresh_token(&live));
            crate::steps::expect_refused(server, &old);
        }
        "a command" => drop(server.home.run(&["user", "sign-out", BOB], "").expect_success()),
        "disabled by hand" => database.execute("UPDATE users SET is_active = FALSE"),
        _ => database.execute("DELETE FROM users"),
    }
}

const WAYS: [&str; 7] =
    ["sign-out", "another session", "a new password", "theft", "a command", "disabled by hand", "deleted by hand"];

#[test]
fn a_revocation_outlives_the_tokens_of_longer_lives_that_were_issued_before_by_whatever_way_it_comes() {
    for way in WAYS {
        let server = Server::with(&[LONG]);
        let bob = server.sign_up(BOB);
        let server = restart_with(server, &[SHORT]);
        end(&server, &bob, way);
        time_until_refused(&server, &bob.token);
        expect_outlived(&server, &bob.token);
        // Ten minutes later, as far as the database knows.
        let later = "UPDATE revocations SET revoked_at = revoked_at - 600000, expires_at = expires_at - 600000";
        server.home.database.execute(later);
        let server = restart_with(server, &[]);
        server.with_token(&bob.token).get(OF_NOBODY).expect_invalid_token();
    }
}

#[test]
fn the_removal_of_a_client_is_remembered_as_long_as_its_tokens_live() {
    let server = Server::with(&[LONG]);
    server.sign_up(BOB);
    let shop = App::add(&server.home, "shop", &[]);
    let grant = shop.log_in(&server, BOB);
    let server = restart_with(server, &[SHORT]);
    server.home.run(&["client", "remove", "--id", "shop"], "").expect_success();
    time_until_refused(&server, access_token(&grant));
    expect_outlived(&server, access_token(&grant));
}

#[test]
fn sign_out_run_with_other_settings_ends_sessions_for_good() {
    let server = Server::with(&[LONG]);
    let bob = server.sign_up(BOB);
    let url = server.home.database.url();
    Home::with(&[("database.url", &url), SHORT]).run(&["user", "sign-out", BOB], "").expect_success();
    time_until_refused(&server, &bob.token);
    expect_outlived(&server, &bob.token);
}

#[test]
fn a_token_that_a_refresh_gives_counts_and_so_does_one_that_is_given_again() {
    let server = Server::with(&[SHORT]);
    let bob = server.sign_up(BOB);
    let server = restart_with(server, &[LONG]);
    let refreshed = renew(&server, refresh_token(&bob.grant));
    // Its answer was lost: the same refresh token comes again, with another access token.
    let server = restart_with(server, &[("token.access_ttl_seconds", "7200")]);
    let again = renew(&server, refresh_token(&bob.grant));
    assert_eq!(refresh_token(&again), refresh_token(&refreshed));
    let server = restart_with(server, &[SHORT]);
    let live = renew(&server, refresh_token(&again));
    revoke(&server, refresh_token(&live));
    for token in [access_token(&refreshed), access_token(&again)] {
        expect_outlived(&server, token);
    }
}

#[test]
fn without_a_noted_life_the_longest_allowed_one_counts() {
    let server = Server::with(&[("token.access_ttl_seconds", "86400")]);
    let bob = server.sign_up(BOB);
    // As it was before it was noted.
    server.home.database.execute("UPDATE sessions SET tokens_expire_at = NULL");
    let server = restart_with(server, &[SHORT]);
    let live = renew(&server, refresh_token(&bob.grant));
    revoke(&server, refresh_token(&live));
    expect_outlived(&server, &bob.token);
}

/// Makes every key look as if it had begun to sign earlier.
fn age_keys(home: &Home, by: Duration) {
    let earlier = by.as_millis();
    home.database.execute(&format!(
        "UPDATE signing_keys SET created_at = created_at - {earlier}, signs_from = signs_from - {earlier}"
    ));
}

#[test]
fn a_key_is_kept_for_the_longest_token_that_any_process_has_signed_with_it() {
    let first = Server::with(&[("token.access_ttl_seconds", "60")]);
    first.sign_up(BOB);
    let url = first.home.database.url();
    let second = Server::with(&[("database.url", &url), LONG]);
    let bob: Value = second.log_in(BOB).grant;
    first.home.run(&["key", "rotate"], "").expect_success();
    until("the new key signs", Duration::from_secs(30), || {
        let kid = |token: &str| decode(token).0["kid"].clone();
        kid(&second.log_in(BOB).token) != kid(access_token(&bob))
    });
    drop(second);
    let home = stop(first);
    age_keys(&home, Duration::from_secs(600));
    // Neither a process nor a command with shorter lives takes the key away.
    home.run(&["key", "list"], "").expect_success();
    let server = Server::at(Arc::clone(&home));
    server.with_token(access_token(&bob)).get("/me").expect_json(200);
    drop(server);
    age_keys(&home, Duration::from_secs(3600));
    let server = Server::at(home);
    server.with_token(access_token(&bob)).get("/me").expect_invalid_token();
}
