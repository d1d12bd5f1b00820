//! Limits on mails: nobody can use the service to fill a mailbox, the table, or the allowance of somebody else's notices.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::mail::{ask_for_reset, quiet_account};
use crate::support::{Mail, PASSWORD, Server};

const BOB: &str = "bob@example.com";
const NEW: &str = "orange-Kettle 99";
const WAITING: &str = "SELECT CAST(COUNT(*) AS TEXT) AS value FROM local_mail_outbox WHERE ended_at IS NULL";

fn count(mails: &[Mail], kind: &str) -> usize {
    mails.iter().filter(|mail| mail.kind() == kind).count()
}

/// As if the mails so far had been sent that many seconds earlier.
fn let_pass(server: &Server, seconds: u64) {
    let shift = format!("UPDATE local_mail_outbox SET allowed_at = allowed_at - {}", seconds * 1000);
    server.home.database.execute(&shift);
}

#[test]
fn an_address_gets_one_mail_of_a_kind_a_minute_five_an_hour_and_twenty_a_day() {
    let server = Server::start();
    quiet_account(&server, BOB);
    let sent = || count(&server.all_mails(), "password_reset");
    for _ in 0..3 {
        ask_for_reset(&server, BOB).expect(202);
    }
    assert_eq!(sent(), 1, "one a minute");
    for _ in 0..6 {
        let_pass(&server, 61);
        ask_for_reset(&server, "BOB@example.com").expect(202);
        sent();
    }
    assert_eq!(sent(), 5, "five an hour");
    for _ in 0..20 {
        let_pass(&server, 901);
        ask_for_reset(&server, BOB).expect(202);
        sent();
    }
    assert_eq!(sent(), 20, "twenty a day");
    let_pass(&server, 86_400);
    ask_for_reset(&server, BOB).expect(202);
    assert_eq!(sent(), 21);
}

#[test]
fn the_answer_does_not_tell_that_a_limit_was_reached() {
    let server = Server::start();
    quiet_account(&server, BOB);
    let first = ask_for_reset(&server, BOB).expect_json(202);
    assert_eq!(ask_for_reset(&server, BOB).expect_json(202), first);
    assert_eq!(server.all_mails().len(), 1);
}

#[test]
fn a_mail_over_the_limit_ends_no_link_that_is_on_its_way() {
    let server = Server::start();
    quiet_account(&server, BOB);
    ask_for_reset(&server, BOB).expect(202);
    let link = server.only_mail_to(BOB).link();
    for _ in 0..5 {
        ask_for_reset(&server, BOB).expect(202);
    }
    assert_eq!(server.all_mails().len(), 1);
    let token = link.split_once("?token=").expect("a token").1;
    server.post("/password-reset/confirm", json!({"token": token, "new_password": NEW})).expect(204);
}

#[test]
fn whoever_uses_up_the_mails_of_an_address_suppresses_no_notice() {
    let server = Server::start();
    quiet_account(&server, BOB);
    for _ in 0..6 {
        ask_for_reset(&server, BOB).expect(202);
        server.all_mails();
        let_pass(&server, 61);
    }
    assert_eq!(count(&server.all_mails(), "password_reset"), 5, "used up");
    let bob = server.log_in(BOB);
    bob.post("/me/password", json!({"current_password": PASSWORD, "new_password": NEW})).expect(204);
    assert_eq!(count(&server.all_mails(), "password_changed"), 1);
}

#[test]
fn notices_have_limits_of_their_own_for_each_kind() {
    let server = Server::start();
    quiet_account(&server, BOB);
    let bob = server.log_in(BOB);
    let (mut old, mut new) = (PASSWORD, NEW);
    for _ in 0..7 {
        bob.post("/me/password", json!({"current_password": old, "new_password": new})).expect(204);
        (old, new) = (new, old);
    }
    assert_eq!(count(&server.all_mails(), "password_changed"), 5);
}

#[test]
fn requests_for_mails_are_limited_for_a_network_and_an_address_alike_whether_or_not_there_is_an_account() {
    let server = Server::with(&[
        ("rate_limit.enabled", "true"),
        ("rate_limit.account_failures", "3"),
        ("rate_limit.address_failures", "7"),
    ]);
    quiet_account(&server, BOB);
    let mut statuses = BTreeMap::new();
    for address in [BOB, "nobody@example.com"] {
        for _ in 0..4 {
            let answer = ask_for_reset(&server, address);
            if answer.status == 429 {
                assert!(answer.need("retry-after").parse::<u64>().is_ok_and(|seconds| seconds > 0), "{answer}");
            }
            statuses.entry(address).or_insert_with(Vec::new).push(answer.status);
        }
    }
    assert!(statuses.values().all(|statuses| *statuses == [202, 202, 202, 429]), "{statuses:?}");
    ask_for_reset(&server, "third@example.com").expect(202);
    ask_for_reset(&server, "fourth@example.com").expect_error(429);
    // Asking for mails is no guessing: it does not keep anybody from logging in.
    server.log_in(BOB);
}

#[test]
fn requests_for_a_verification_are_limited_too() {
    let server = Server::with(&[("rate_limit.enabled", "true"), ("rate_limit.account_failures", "2")]);
    quiet_account(&server, BOB);
    let bob = server.log_in(BOB);
    for status in [202, 202, 429] {
        bob.post("/email-verification", Value::Null).expect(status);
    }
}

#[test]
fn only_so_many_requests_of_strangers_wait() {
    let server = Server::with(&[("mail.outbox_dir", "/proc/none")]);
    let rows = "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 9999) \
                SELECT 'password_reset', 'en', FALSE, '<' || n || '@x>', 0, 9000000000000, 9000000000000, 0, FALSE FROM numbers";
    server.home.database.execute(&format!(
        "INSERT INTO local_mail_outbox (kind, language, is_notice, message_id, queued_at, waits_since, due_at, tries, is_sent) {rows}"
    ));
    for number in 0..3 {
        ask_for_reset(&server, &format!("eve{number}@example.com")).expect(202);
    }
    assert_eq!(server.home.database.text(WAITING), "10000");
    server.sign_up(BOB);
    assert_eq!(server.home.database.text(WAITING), "10001", "other mails still have a place");
}

#[test]
fn the_service_sends_only_so_many_mails_an_hour_and_keeps_some_for_notices() {
    let server = Server::with(&[("mail.max_per_hour", "10")]);
    quiet_account(&server, BOB);
    let bob = server.log_in(BOB);
    for number in 0..12 {
        let body = json!({"email": format!("a{number}@example.com"), "password": PASSWORD});
        server.post("/signup", body).expect(201);
    }
    let waits = |count: &str| {
        let deadline = std::time::Duration::from_secs(20);
        crate::support::until("the others wait", deadline, || server.home.database.text(WAITING) == count);
    };
    waits("3");
    bob.post("/me/password", json!({"current_password": PASSWORD, "new_password": NEW})).expect(204);
    crate::support::until("the notice is sent", std::time::Duration::from_secs(20), || server.mails().len() == 10);
    waits("3");
    let warnings = server.whole_log().iter().filter(|line| line.contains("mail.max_per_hour is reached")).count();
    assert_eq!(warnings, 1, "one line");
    server.home.database.execute("UPDATE local_mail_outbox SET ended_at = ended_at - 3600000");
    assert_eq!(server.all_mails().len(), 13);
}
