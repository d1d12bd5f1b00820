//! Contract, "Accounts": sign-ups that wait until their address is proven (`accounts.neutral_signup`,
//! `accounts.require_verified_email`).

use std::collections::BTreeSet;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::{Value, json};

use crate::mail::quiet_account;
use crate::recovery::{expect_bad_token, token_of};
use crate::support::{Answer, Client, Home, PASSWORD, Server, until};

const BOB: &str = "bob@example.com";
const MIA: &str = "Mia@example.com";
const OTHER: &str = "orange-Kettle 99";
const CONFIRM: &str = "/signup/confirm";
const LINK: &str = "http://127.0.0.1:8000/signup/confirm";
const PATIENCE: Duration = Duration::from_secs(20);

fn neutral() -> Server {
    Server::with(&[("accounts.neutral_signup", "true")])
}

fn verified() -> Server {
    Server::with(&[("accounts.require_verified_email", "true")])
}

fn sign_up(client: &Client, email: &str, password: &str) -> Answer {
    client.post("/signup", json!({"email": email, "password": password, "full_name": name_of(password)}))
}

/// What somebody with that password is called.
fn name_of(password: &str) -> String {
    format!("Owner {}", password.len())
}

fn confirm(client: &Client, token: &str) -> Answer {
    client.post(CONFIRM, json!({"token": token}))
}

fn log_in(client: &Client, email: &str, password: &str) -> Answer {
    client.login(&[("username", email), ("password", password)])
}

fn count(server: &Server, table: &str) -> usize {
    let query = format!("SELECT CAST(COUNT(*) AS TEXT) AS value FROM {table}");
    server.home.database.text(&query).parse().expect("a number")
}

/// A token of the newest sign-up that waits, as its mail would have it.
pub(crate) fn newest_token(server: &Server) -> String {
    let last = server.home.database.text("SELECT CAST(MAX(id) AS TEXT) AS value FROM pending_signups");
    let token = format!("kfn_{last:0>43}");
    let hash = server.home.database.bytes(digest(&SHA256, token.as_bytes()).as_ref());
    server.home.database.execute(&format!(
        "INSERT INTO one_time_tokens (purpose, hash, email, credential_epoch, created_at, expires_at, pending_signup_id) \
         SELECT 'sign_up', {hash}, email, 0, created_at, expires_at, id FROM pending_signups WHERE id = {last}"
    ));
    token
}

/// What an answer tells, without what differs each time.
fn told(answer: Answer) -> (u16, BTreeSet<(String, String)>, Vec<u8>) {
    let headers = answer.headers.into_iter().filter(|(name, _)| name != "x-request-id" && name != "date");
    (answer.status, headers.collect(), answer.body)
}

#[test]
fn a_sign_up_becomes_an_account_when_its_address_is_proven_and_not_before() {
    for server in [neutral(), verified()] {
        let answer = sign_up(&server, MIA, PASSWORD);
        assert_eq!(answer.header("location"), None, "{answer}");
        assert!(answer.expect_json(202)["detail"].as_str().is_some_and(|text| !text.is_empty()));
        assert_eq!(count(&server, "users"), 0);
        log_in(&server, MIA, PASSWORD).expect_oauth_error(400, "invalid_grant");
        let mail = server.only_mail_to(MIA);
        assert!(mail.text.contains("within 24 hours"), "{mail:?}");
        let token = token_of(&mail.link(), LINK);
        let answer = confirm(&server, &token);
        let location = answer.need("location").to_owned();
        let user = answer.expect_json(201);
        assert_eq!(location, format!("/profile/{}", user["id"]));
        assert_eq!((&user["email"], &user["email_verified"]), (&json!(MIA), &json!(true)));
        assert_eq!(user["full_name"], name_of(PASSWORD));
        assert_eq!(server.log_in(MIA).get("/me").expect_json(200), user);
        expect_bad_token(confirm(&server, &token));
        assert_eq!((count(&server, "users"), count(&server, "pending_signups")), (1, 0));
        assert_eq!(count(&server, "events WHERE kind = 'signed_up'"), 1);
    }
}

#[test]
fn a_neutral_sign_up_has_one_answer_for_every_address() {
    let server = neutral();
    quiet_account(&server, BOB);
    quiet_account(&server, "eve@example.com");
    server.home.database.execute("UPDATE users SET is_active = FALSE WHERE email = 'eve@example.com'");
    let free = told(sign_up(&server, "free@example.com", PASSWORD).expect(202));
    for email in [BOB, "BOB@example.com", "eve@example.com"] {
        assert_eq!(told(sign_up(&server, email, PASSWORD)), free, "{email}");
    }
    sign_up(&server, BOB, "short").expect_faults(&[&["body", "password"]]);
    assert_eq!(count(&server, "pending_signups"), 4, "a row for each");
}

#[test]
fn the_owner_of_a_taken_address_is_told_once_a_day_and_nothing_else_happens() {
    let server = neutral();
    quiet_account(&server, BOB);
    for _ in 0..3 {
        sign_up(&server, BOB, OTHER).expect(202);
    }
    let mail = server.only_mail_to(BOB);
    assert_eq!((mail.kind().as_str(), mail.text.contains("http")), ("sign_up_taken", false), "{mail:?}");
    log_in(&server, BOB, OTHER).expect_oauth_error(400, "invalid_grant");
    server.log_in(BOB);
    confirm(&server, &newest_token(&server)).expect_error(409);
}

#[test]
fn the_owner_of_a_disabled_account_and_a_newcomer_are_not_told_of_an_account() {
    let server = neutral();
    quiet_account(&server, BOB);
    server.home.database.execute("UPDATE users SET is_active = FALSE");
    sign_up(&server, BOB, PASSWORD).expect(202);
    sign_up(&server, MIA, PASSWORD).expect(202);
    let mails: Vec<_> = server.all_mails().iter().map(|mail| (mail.header("To").to_owned(), mail.kind())).collect();
    assert_eq!(mails, [(MIA.to_owned(), "sign_up".to_owned())]);
}

/// Whoever signs up with somebody else's address first gains nothing by it.
#[test]
fn each_link_creates_the_account_of_its_own_sign_up_and_ends_the_others() {
    let server = neutral();
    sign_up(&server, MIA, "thief-Kettle 77").expect(202);
    let of_thief = newest_token(&server);
    sign_up(&server, "mia@example.com", PASSWORD).expect(202);
    let of_mia = newest_token(&server);
    sign_up(&server, BOB, PASSWORD).expect(202);
    let of_bob = newest_token(&server);
    let user = confirm(&server, &of_mia).expect_json(201);
    assert_eq!((&user["email"], &user["full_name"]), (&json!("mia@example.com"), &json!(name_of(PASSWORD))));
    log_in(&server, MIA, "thief-Kettle 77").expect_oauth_error(400, "invalid_grant");
    log_in(&server, MIA, PASSWORD).expect(200);
    expect_bad_token(confirm(&server, &of_thief));
    log_in(&server, MIA, PASSWORD).expect(200);
    confirm(&server, &of_bob).expect_json(201);
}

#[test]
fn of_many_confirmations_of_one_address_at_once_exactly_one_creates_the_account() {
    let server = neutral();
    let second = server.second();
    let tokens: Vec<String> = (0..4)
        .map(|number| {
            sign_up(&server, MIA, &format!("violet-Kettle {number}{number}")).expect(202);
            newest_token(&server)
        })
        .collect();
    let statuses: Vec<u16> = thread::scope(|scope| {
        let each = tokens.iter().flat_map(|token| [(&server, token), (&second, token)]);
        let each: Vec<_> = each.map(|(to, token)| scope.spawn(move || confirm(to, token).status)).collect();
        each.into_iter().map(|one| one.join().expect("an answer")).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 400).count(), 7, "{statuses:?}");
    assert_eq!(count(&server, "users"), 1);
}

#[test]
fn an_address_that_gets_an_account_meanwhile_is_refused() {
    let server = verified();
    sign_up(&server, MIA, OTHER).expect(202);
    let token = newest_token(&server);
    quiet_account(&server, MIA);
    confirm(&server, &token).expect_error(409);
    let page = server.request("POST", CONFIRM).form(&[("token", &token)]).send().expect(409);
    assert!(page.text().contains("You already have an account"), "{page}");
    sign_up(&server, MIA, OTHER).expect_error(409);
    assert_eq!(count(&server, "pending_signups"), 1, "nothing waits for an address that is known to be taken");
}

#[test]
fn an_invitation_proves_its_address_in_every_mode() {
    for server in [neutral(), verified()] {
        let link = server.home.run(&["user", "invite", MIA], "").expect_success();
        let token = token_of(&link, "http://127.0.0.1:8000/invitation");
        let user = server.post("/signup", json!({"email": MIA, "password": PASSWORD, "invitation": token}));
        assert_eq!(user.expect_json(201)["email_verified"], true);
        server.log_in(MIA);
    }
}

#[test]
fn while_sign_up_is_closed_no_link_creates_an_account() {
    let server = verified();
    sign_up(&server, MIA, PASSWORD).expect(202);
    let token = newest_token(&server);
    let mut home = Home::with(&[("accounts.signup", "closed")]);
    home.set("database.url", &server.home.database.url());
    let closed = Server::at(Arc::new(home));
    confirm(&closed, &token).expect_error(403);
    confirm(&server, &token).expect(201);
}

#[test]
fn every_token_of_a_sign_up_that_is_no_good_gets_the_same_answer() {
    let server = verified();
    sign_up(&server, MIA, PASSWORD).expect(202);
    let token = newest_token(&server);
    for bad in ["", "x", &format!("kfn_{}", "A".repeat(43)), &format!("{token}x")] {
        expect_bad_token(confirm(&server, bad));
    }
    expect_bad_token(server.post("/password-reset/confirm", json!({"token": token, "new_password": OTHER})));
    expect_bad_token(server.post("/invitation", json!({"token": token, "password": OTHER})));
    server.post(CONFIRM, json!({})).expect_faults(&[&["body", "token"]]);
    server.home.database.execute("UPDATE one_time_tokens SET expires_at = 1");
    expect_bad_token(confirm(&server, &token));
}

#[test]
fn what_waits_is_bounded_and_goes_when_it_is_too_old() {
    let server = neutral();
    for _ in 0..23 {
        sign_up(&server, MIA, PASSWORD).expect(202);
    }
    assert_eq!(count(&server, "pending_signups"), 20);
    let oldest = server.home.database.text("SELECT CAST(MIN(id) AS TEXT) AS value FROM pending_signups");
    assert_eq!(oldest, "4", "the oldest have gone");
    let copies = "SELECT 'x' || id, 'x' || id, 'x', network, created_at, expires_at FROM pending_signups";
    for _ in 0..6 {
        server.home.database.execute(&format!(
            "INSERT INTO pending_signups (email, email_key, password_hash, network, created_at, expires_at) {copies}"
        ));
    }
    assert!(count(&server, "pending_signups") > 1000);
    sign_up(&server, BOB, PASSWORD).expect(202);
    let left = count(&server, "pending_signups");
    sign_up(&server, BOB, PASSWORD).expect(202);
    assert!(left <= 1000 && count(&server, "pending_signups") == left, "{left}");
    server.home.database.execute("UPDATE pending_signups SET expires_at = 1");
    // The first sweep is that of the start.
    let _second = server.second();
    until("they are swept", PATIENCE, || count(&server, "pending_signups") == 0);
    assert_eq!(count(&server, "one_time_tokens"), 0);
}

#[test]
fn an_account_without_a_verified_address_gets_a_mail_in_place_of_a_token() {
    let server = verified();
    quiet_account(&server, BOB);
    for _ in 0..2 {
        let error = log_in(&server, BOB, PASSWORD).expect_oauth_error(400, "invalid_grant");
        assert_eq!(error["reason"], "email_unverified", "{error}");
    }
    let wrong = log_in(&server, BOB, OTHER);
    let unknown = log_in(&server, "nobody@example.com", OTHER);
    assert_eq!(wrong.body, unknown.body, "{wrong}");
    let wrong: Value = wrong.expect_oauth_error(400, "invalid_grant");
    assert_eq!(wrong.get("reason"), None, "{wrong}");

    let mail = server.only_mail_to(BOB);
    let token = token_of(&mail.link(), "http://127.0.0.1:8000/email-verification/confirm");
    server.post("/email-verification/confirm", json!({"token": token})).expect(204);
    server.log_in(BOB);
}

#[test]
fn without_the_setting_an_account_logs_in_before_its_address_is_verified() {
    for server in [Server::start(), neutral()] {
        quiet_account(&server, BOB);
        server.log_in(BOB);
    }
}
