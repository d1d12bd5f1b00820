//! Contract, "Accounts": password resets, and the confirmation of an e-mail address. Links come from the command line or an
//! admin here; that they come by mail is tested elsewhere.

use std::sync::Arc;
use std::thread;

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::{Value, json};

use crate::support::{Actor, Answer, Client, Home, PASSWORD, Server, is_time};

const BOB: &str = "bob@example.com";
const NEW: &str = "orange-Kettle 99";
const RESET: &str = "/password-reset/confirm";
const VERIFICATION: &str = "/email-verification/confirm";

/// The token of a link, which must lead to that page.
#[track_caller]
pub(crate) fn token_of(link: &str, page: &str) -> String {
    let (place, token) = link.trim().split_once("?token=").unwrap_or_else(|| panic!("no token: {link}"));
    assert_eq!(place, page);
    token.to_owned()
}

#[track_caller]
pub(crate) fn reset_token(server: &Server, account: &str) -> String {
    let link = server.home.run(&["user", "reset-link", account], "").expect_success();
    token_of(&link, "http://127.0.0.1:8000/password-reset/confirm")
}

fn reset(client: &Client, token: &str, password: &str) -> Answer {
    client.post(RESET, json!({"token": token, "new_password": password}))
}

/// A token that was sent to confirm the address of an account, put into the database as the mail would have it.
fn verification_token(server: &Server, email: &str) -> String {
    let token = format!("kfv_{:0>43}", server.home.database.text(COUNT_TOKENS));
    let hash = server.home.database.bytes(digest(&SHA256, token.as_bytes()).as_ref());
    server.home.database.execute(&format!(
        "INSERT INTO one_time_tokens (purpose, user_id, hash, email, credential_epoch, created_at, expires_at) \
         SELECT 'email_verification', id, {hash}, email, credential_epoch, 0, 4102444800000 FROM users \
         WHERE email = '{email}'"
    ));
    token
}

const COUNT_TOKENS: &str = "SELECT CAST(COUNT(*) AS TEXT) AS value FROM one_time_tokens";

fn log_in_with(server: &Server, password: &str) -> Answer {
    server.login(&[("username", BOB), ("password", password)])
}

fn is_verified(bob: &Actor) -> bool {
    bob.get("/me").expect_json(200)["email_verified"].as_bool().expect("a flag")
}

/// The one refusal of every token that is no good.
#[track_caller]
pub(crate) fn expect_bad_token(answer: Answer) {
    let problem = answer.expect_error(400);
    assert_eq!(problem["detail"], "The token is not valid: it may be used, expired or replaced by a newer one.");
}

#[test]
fn a_reset_sets_the_password_ends_all_sessions_and_proves_the_address() {
    let server = Server::start();
    let (bob, other) = (server.sign_up(BOB), server.log_in(BOB));
    let token = reset_token(&server, BOB);
    bob.get("/me").expect(200);
    reset(&server, &token, NEW).expect_empty(204);
    for session in [&bob, &other] {
        session.get("/me").expect_invalid_token();
        let refresh_token = session.grant["refresh_token"].as_str().unwrap();
        let refresh = [("grant_type", "refresh_token"), ("refresh_token", refresh_token)];
        server.login(&refresh).expect_oauth_error(400, "invalid_grant");
    }
    log_in_with(&server, PASSWORD).expect_oauth_error(400, "invalid_grant");
    assert!(is_verified(&server.actor(log_in_with(&server, NEW).expect_json(200))));
}

/// Whoever prepares an account for somebody else's address keeps no way in.
#[test]
fn nothing_of_whoever_signed_up_with_a_strangers_address_survives_the_strangers_reset() {
    let server = Server::start();
    let thief = server.sign_up(BOB);
    let verification = verification_token(&server, BOB);
    let earlier_reset = reset_token(&server, BOB);
    reset(&server, &reset_token(&server, BOB), NEW).expect(204);
    thief.get("/me").expect_invalid_token();
    let refresh_token = thief.grant["refresh_token"].as_str().unwrap();
    server.login(&[("grant_type", "refresh_token"), ("refresh_token", refresh_token)]).expect(400);
    log_in_with(&server, PASSWORD).expect_oauth_error(400, "invalid_grant");
    expect_bad_token(reset(&server, &earlier_reset, PASSWORD));
    expect_bad_token(server.post(VERIFICATION, json!({"token": verification})));
    log_in_with(&server, NEW).expect(200);
}

#[test]
fn a_token_works_once() {
    let server = Server::start();
    server.sign_up(BOB);
    let token = reset_token(&server, BOB);
    reset(&server, &token, NEW).expect(204);
    expect_bad_token(reset(&server, &token, "another-Kettle 77"));
    log_in_with(&server, NEW).expect(200);
}

#[test]
fn of_many_uses_at_once_exactly_one_succeeds() {
    let server = Server::start();
    server.sign_up(BOB);
    let second = server.second();
    let token = reset_token(&server, BOB);
    let statuses: Vec<(String, u16)> = thread::scope(|scope| {
        let each = (0..8).map(|number| {
            let client = if number % 2 == 0 { server.anonymous() } else { second.anonymous() };
            let (token, password) = (token.clone(), format!("orange-Kettle {number}{number}"));
            scope.spawn(move || (password.clone(), reset(&client, &token, &password).status))
        });
        let each: Vec<_> = each.collect();
        each.into_iter().map(|one| one.join().expect("an answer")).collect()
    });
    let (won, lost): (Vec<_>, Vec<_>) = statuses.into_iter().partition(|(_, status)| *status == 204);
    assert_eq!(won.len(), 1, "{won:?} {lost:?}");
    assert!(lost.iter().all(|(_, status)| *status == 400), "{lost:?}");
    log_in_with(&server, &won[0].0).expect(200);
}

/// Whoever knows the old password cannot slip in while it is being replaced.
#[test]
fn a_login_during_a_reset_leaves_no_session_behind() {
    let server = Server::start();
    server.sign_up(BOB);
    let mut password = PASSWORD.to_owned();
    for round in 0..6 {
        let (token, next) = (reset_token(&server, BOB), format!("orange-Kettle {round}{round}"));
        let (done, log_ins) = thread::scope(|scope| {
            let log_ins: Vec<_> = (0..6)
                .map(|_| {
                    let (client, old) = (server.anonymous(), password.as_str());
                    scope.spawn(move || client.login(&[("username", BOB), ("password", old)]))
                })
                .collect();
            let done = reset(&server, &token, &next);
            (done, log_ins.into_iter().map(|one| one.join().expect("an answer")).collect::<Vec<_>>())
        });
        done.expect_empty(204);
        for answer in log_ins {
            if answer.status == 200 {
                server.actor(answer.expect_json(200)).get("/me").expect_invalid_token();
            } else {
                answer.expect_oauth_error(400, "invalid_grant");
            }
        }
        password = next;
    }
}

#[test]
fn every_token_that_is_no_good_gets_the_same_answer() {
    let server = Server::start();
    server.sign_up(BOB);
    let (reset_of_bob, verification) = (reset_token(&server, BOB), verification_token(&server, BOB));
    for token in ["", "x", "kfp_", &format!("kfp_{}", "A".repeat(43)), &verification, &format!("{reset_of_bob}x")] {
        expect_bad_token(reset(&server, token, NEW));
    }
    expect_bad_token(server.post(VERIFICATION, json!({"token": reset_of_bob})));
    server.home.database.execute("UPDATE one_time_tokens SET expires_at = 1");
    expect_bad_token(reset(&server, &reset_of_bob, NEW));
    log_in_with(&server, PASSWORD).expect(200);
}

#[test]
fn a_refused_password_does_not_use_the_token() {
    let server = Server::start();
    server.sign_up(BOB);
    let token = reset_token(&server, BOB);
    for weak in ["short", "password", BOB, &"x".repeat(73)] {
        reset(&server, &token, weak).expect_faults(&[&["body", "new_password"]]);
    }
    server.post(RESET, json!({})).expect_faults(&[&["body", "token"], &["body", "new_password"]]);
    reset(&server, &token, NEW).expect(204);
}

#[test]
fn a_changed_password_makes_older_tokens_worthless_and_a_renewed_hash_does_not() {
    let mut home = Home::new();
    home.set("password.bcrypt_cost", "5");
    let server = Server::at(Arc::new(home));
    let bob = server.sign_up(BOB);
    let token = reset_token(&server, BOB);
    let change = json!({"current_password": PASSWORD, "new_password": NEW});
    bob.post("/me/password", change).expect(204);
    expect_bad_token(reset(&server, &token, PASSWORD));

    let token = reset_token(&server, BOB);
    let before = server.home.database.text("SELECT password_hash AS value FROM users");
    let mut other = Home::new();
    other.set("database.url", &server.home.database.url());
    log_in_with(&Server::at(Arc::new(other)), NEW).expect(200);
    assert_ne!(before, server.home.database.text("SELECT password_hash AS value FROM users"), "renewed");
    reset(&server, &token, PASSWORD).expect(204);
}

#[test]
fn a_changed_address_makes_older_tokens_worthless() {
    let server = Server::start();
    server.sign_up(BOB);
    let (reset_of_bob, verification) = (reset_token(&server, BOB), verification_token(&server, BOB));
    let new = "SET email = 'rob@example.com', email_key = 'rob@example.com'";
    server.home.database.execute(&format!("UPDATE users {new}"));
    expect_bad_token(reset(&server, &reset_of_bob, NEW));
    expect_bad_token(server.post(VERIFICATION, json!({"token": verification})));
}

#[test]
fn a_disabled_account_has_no_tokens_even_when_it_is_enabled_again() {
    let server = Server::start();
    server.sign_up(BOB);
    let token = reset_token(&server, BOB);
    server.home.database.execute("UPDATE users SET is_active = FALSE");
    expect_bad_token(reset(&server, &token, NEW));
    let line = server.home.run(&["user", "reset-link", BOB], "").expect_failure();
    assert!(line.contains("is disabled"), "{line}");
    server.home.database.execute("UPDATE users SET is_active = TRUE");
    expect_bad_token(reset(&server, &token, NEW));
    reset(&server, &reset_token(&server, BOB), NEW).expect(204);
}

#[test]
fn the_tokens_of_a_deleted_account_go_with_it() {
    let server = Server::start();
    let bob = server.sign_up(BOB);
    let token = reset_token(&server, BOB);
    bob.request("DELETE", "/me").json(&json!({"password": PASSWORD})).send().expect(204);
    expect_bad_token(reset(&server, &token, NEW));
    assert_eq!(server.home.database.text(COUNT_TOKENS), "0");
    server.sign_up(BOB);
    expect_bad_token(reset(&server, &token, NEW));
}

#[test]
fn the_three_newest_tokens_work_and_the_use_of_one_ends_the_others() {
    let server = Server::start();
    server.sign_up(BOB);
    let tokens: Vec<String> = (0..4).map(|_| reset_token(&server, BOB)).collect();
    expect_bad_token(reset(&server, &tokens[0], NEW));
    reset(&server, &tokens[1], NEW).expect(204);
    expect_bad_token(reset(&server, &tokens[2], PASSWORD));
    expect_bad_token(reset(&server, &tokens[3], PASSWORD));
}

#[test]
fn the_database_holds_no_token() {
    let server = Server::start();
    server.sign_up(BOB);
    let token = reset_token(&server, BOB);
    let hash = server.home.database.bytes(digest(&SHA256, token.as_bytes()).as_ref());
    let found = "SELECT CAST(COUNT(*) AS TEXT) AS value FROM one_time_tokens WHERE hash =";
    assert_eq!(server.home.database.text(&format!("{found} {hash}")), "1");
}

#[test]
fn a_confirmation_verifies_the_address_once_and_leaves_sessions_alone() {
    let server = Server::start();
    let bob = server.sign_up(BOB);
    let (token, other) = (verification_token(&server, BOB), verification_token(&server, BOB));
    assert!(!is_verified(&bob));
    server.post(VERIFICATION, json!({"token": token})).expect_empty(204);
    assert!(is_verified(&bob));
    for token in [token, other] {
        expect_bad_token(server.post(VERIFICATION, json!({"token": token})));
    }
    server.post(VERIFICATION, json!({})).expect_faults(&[&["body", "token"]]);
}

#[test]
fn guesses_at_tokens_are_limited() {
    let server = Server::with(&[("rate_limit.enabled", "true"), ("rate_limit.address_failures", "3")]);
    for path in [RESET, VERIFICATION, RESET] {
        expect_bad_token(server.post(path, json!({"token": "kfp_guess", "new_password": NEW})));
    }
    for path in [RESET, VERIFICATION] {
        let answer = server.post(path, json!({"token": "kfp_guess", "new_password": NEW}));
        assert!(answer.need("retry-after").parse::<u64>().is_ok_and(|seconds| seconds > 0), "{answer}");
        answer.expect_error(429);
    }
}

#[test]
fn an_admin_gets_a_reset_link_which_changes_nothing_until_it_is_used() {
    let server = Server::start();
    let (bob, root) = (server.sign_up(BOB), server.admin("root@example.com"));
    let path = format!("/users/{}/reset-link", bob.id());
    let answer = root.post(&path, json!({}));
    assert_eq!(answer.need("cache-control"), "no-store", "{answer}");
    let link = answer.expect_json(201);
    assert!(link["expires_at"].as_str().is_some_and(is_time), "{link}");
    let token = token_of(link["url"].as_str().unwrap(), "http://127.0.0.1:8000/password-reset/confirm");
    bob.get("/me").expect(200);
    log_in_with(&server, PASSWORD).expect(200);
    reset(&server, &token, NEW).expect(204);
    root.get("/me").expect(200);

    bob.anonymous().post(&path, json!({})).expect_no_credentials();
    server.actor(log_in_with(&server, NEW).expect_json(200)).post(&path, json!({})).expect_insufficient_scope("admin");
    root.post("/users/999/reset-link", json!({})).expect_error(404);
    root.post("/users/x/reset-link", json!({})).expect_faults(&[&["path", "id"]]);
    server.home.database.execute("UPDATE users SET is_active = FALSE WHERE NOT is_admin");
    root.post(&path, json!({})).expect_error(409);
}

#[test]
fn links_lead_to_the_operators_app_if_there_is_one_and_never_to_the_host_of_a_request() {
    let server = Server::with(&[("accounts.link_base_url", "https://app.example.com/in")]);
    server.sign_up(BOB);
    let link = server.home.run(&["user", "reset-link", BOB], "").expect_success();
    token_of(&link, "https://app.example.com/in/password-reset");
    let root = server.admin("root@example.com");
    let request = root.request("POST", "/users/1/reset-link").header("x-forwarded-host", "evil.example");
    let link: Value = request.header("forwarded", "host=evil.example").send().expect_json(201);
    token_of(link["url"].as_str().unwrap(), "https://app.example.com/in/password-reset");
}

#[test]
fn the_life_of_a_link_is_a_number_with_a_unit() {
    let server = Server::start();
    server.sign_up(BOB);
    for ttl in ["90s", "30m", "24h", "30d"] {
        server.home.run(&["user", "reset-link", "1", "--ttl", ttl], "").expect_success();
    }
    for ttl in ["", "0m", "30", "31d", "-1h", "m", "99999999999999999999d"] {
        let line = server.home.run(&["user", "reset-link", "1", &format!("--ttl={ttl}")], "").expect_failure();
        assert!(line.contains("--ttl"), "{line}");
    }
    let line = server.home.run(&["user", "reset-link", "eve@example.com"], "").expect_failure();
    assert!(line.contains("no account has the e-mail address eve@example.com"), "{line}");
}
