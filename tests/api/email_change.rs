//! Contract, "Accounts": a change of address, which its new address confirms, and its earlier one can undo.

use std::collections::BTreeSet;
use std::thread;

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::json;

use crate::mail::quiet_account;
use crate::recovery::{expect_bad_token, reset_token, token_of};
use crate::support::{Actor, Answer, Client, Mail, PASSWORD, Server};

const BOB: &str = "bob@example.com";
const ROB: &str = "Rob@example.com";
const EVE: &str = "eve@example.com";
const NEW: &str = "orange-Kettle 99";
const CONFIRM: &str = "/email-change/confirm";
const UNDO: &str = "/email-change/undo";

fn ask(actor: &Actor, new_email: &str) -> Answer {
    actor.post("/me/email", json!({"new_email": new_email, "current_password": PASSWORD}))
}

fn present(client: &Client, path: &str, token: &str) -> Answer {
    client.post(path, json!({"token": token}))
}

/// A number from the tokens. Beside the test, the service makes tokens for the mails that it sends.
fn count(server: &Server, what: &str, condition: &str) -> usize {
    let query = format!("SELECT CAST(COUNT({what}) AS TEXT) AS value FROM one_time_tokens WHERE {condition}");
    server.home.database.text(&query).parse().expect("a number")
}

/// A token of an account as its mail would have it, for what was last sent to that address.
#[track_caller]
fn token(server: &Server, actor: &Actor, purpose: &str, email: &str) -> String {
    let prefix = if purpose == "email_change" { "kfe" } else { "kfu" };
    let last = "SELECT CAST(MAX(id) AS TEXT) AS value FROM one_time_tokens";
    let token = format!("{prefix}_{:0>43}", format!("{}of{}", server.home.database.text(last), actor.id()));
    let hash = server.home.database.bytes(digest(&SHA256, token.as_bytes()).as_ref());
    let sent = format!("purpose = '{purpose}' AND email = '{email}' AND user_id = {}", actor.id());
    server.home.database.execute(&format!(
        "INSERT INTO one_time_tokens (purpose, user_id, hash, email, credential_epoch, created_at, expires_at) \
         SELECT purpose, user_id, {hash}, email, credential_epoch, created_at, expires_at FROM one_time_tokens \
         WHERE id = (SELECT MAX(id) FROM one_time_tokens WHERE {sent})"
    ));
    assert_eq!(count(server, "*", &format!("hash = {hash}")), 1, "nothing of {purpose} was sent to {email}");
    token
}

/// Asks for a change of address, and gives the token that was sent to the new one.
#[track_caller]
fn asked(server: &Server, actor: &Actor, new_email: &str) -> String {
    ask(actor, new_email).expect(202);
    token(server, actor, "email_change", new_email)
}

/// Changes the address, and gives the token that was sent to the earlier one.
#[track_caller]
fn changed(server: &Server, actor: &Actor, from: &str, to: &str) -> String {
    present(server, CONFIRM, &asked(server, actor, to)).expect_empty(204);
    token(server, actor, "email_change_undo", from)
}

#[track_caller]
fn email_of(actor: &Actor) -> String {
    actor.get("/me").expect_json(200)["email"].as_str().expect("an address").to_owned()
}

fn log_in(client: &Client, email: &str, password: &str) -> Answer {
    client.login(&[("username", email), ("password", password)])
}

/// The service, and somebody who has changed the address from `BOB` to `ROB`, with the token to undo it.
#[track_caller]
fn after_a_change() -> (Server, Actor, String) {
    let server = Server::start();
    let bob = server.sign_up(BOB);
    let undo = changed(&server, &bob, BOB, ROB);
    (server, bob, undo)
}

#[test]
fn the_address_changes_when_the_new_one_confirms_it_and_not_before() {
    let server = Server::start();
    let (bob, other) = (server.sign_up(BOB), server.log_in(BOB));
    let token = asked(&server, &bob, ROB);
    assert_eq!(bob.get("/me").expect_json(200)["email_verified"], false);
    assert_eq!(email_of(&bob), BOB);
    log_in(&server, ROB, PASSWORD).expect_oauth_error(400, "invalid_grant");

    present(&server, CONFIRM, &token).expect_empty(204);
    let me = bob.get("/me").expect_json(200);
    assert_eq!((&me["email"], &me["email_verified"]), (&json!(ROB), &json!(true)));
    assert_eq!(email_of(&other), ROB, "sessions go on");
    server.log_in("rob@EXAMPLE.com");
    log_in(&server, BOB, PASSWORD).expect_oauth_error(400, "invalid_grant");
    server.sign_up(BOB);
    expect_bad_token(present(&server, CONFIRM, &token));
}

#[test]
fn whether_the_new_address_is_taken_does_not_show() {
    let server = Server::start();
    let bob = server.sign_up(BOB);
    server.sign_up(EVE);
    let answers = ["free@example.com", EVE, "EVE@example.com"].map(|new_email| {
        let answer = ask(&bob, new_email).expect(202);
        // Each takes the place of the one before.
        assert_eq!(count(&server, "DISTINCT email", "TRUE"), 1, "{new_email}");
        let headers = answer.headers.into_iter().filter(|(name, _)| name != "x-request-id" && name != "date");
        (answer.status, headers.collect::<BTreeSet<_>>(), answer.body)
    });
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0], answers[2]);
    assert_eq!(email_of(&bob), BOB);
}

#[test]
fn a_change_needs_the_password_and_an_address() {
    let server = Server::start();
    let bob = server.sign_up(BOB);
    let with = |new_email: &str, password: &str| {
        bob.post("/me/email", json!({"new_email": new_email, "current_password": password}))
    };
    with(ROB, "a wrong one").expect_error(403);
    with("nonsense", PASSWORD).expect_faults(&[&["body", "new_email"]]);
    // A password is never the address.
    with("secret-Word@example.com", "SECRET-word@example.com").expect_faults(&[&["body", "new_email"]]);
    bob.post("/me/email", json!({})).expect_faults(&[&["body", "new_email"], &["body", "current_password"]]);
    bob.anonymous().post("/me/email", json!({})).expect_no_credentials();
    server.log_in_for(BOB, "posts").post("/me/email", json!({})).expect_insufficient_scope("profile");
    assert_eq!(count(&server, "*", "TRUE"), 0);
}

#[test]
fn a_second_change_takes_the_place_of_the_first() {
    let server = Server::start();
    let bob = server.sign_up(BOB);
    let first = asked(&server, &bob, "first@example.com");
    let second = asked(&server, &bob, "second@example.com");
    expect_bad_token(present(&server, CONFIRM, &first));
    present(&server, CONFIRM, &second).expect(204);
    assert_eq!(email_of(&bob), "second@example.com");
}

#[test]
fn every_token_of_a_change_that_is_no_good_gets_the_same_answer() {
    let (server, bob, undo) = after_a_change();
    let pending = asked(&server, &bob, "next@example.com");
    let made_up = [format!("kfe_{}", "A".repeat(43)), format!("kfu_{}", "A".repeat(43)), String::new()];
    for token in made_up.iter().chain([&undo, &reset_token(&server, ROB)]) {
        expect_bad_token(present(&server, CONFIRM, token));
    }
    for token in made_up.iter().chain([&pending]) {
        expect_bad_token(present(&server, UNDO, token));
    }
    server.home.database.execute("UPDATE one_time_tokens SET expires_at = 1");
    expect_bad_token(present(&server, CONFIRM, &pending));
    expect_bad_token(present(&server, UNDO, &undo));
    assert_eq!(email_of(&bob), ROB);
    for path in [CONFIRM, UNDO] {
        server.post(path, json!({})).expect_faults(&[&["body", "token"]]);
    }
}

#[test]
fn a_new_password_a_reset_a_logout_everywhere_and_a_disabled_account_end_a_pending_change() {
    let server = Server::start();
    let bob = server.sign_up(BOB);

    let pending = asked(&server, &bob, ROB);
    let change = json!({"current_password": PASSWORD, "new_password": NEW});
    bob.post("/me/password", change).expect(204);
    expect_bad_token(present(&server, CONFIRM, &pending));

    let with_new = json!({"new_email": ROB, "current_password": NEW});
    bob.post("/me/email", with_new).expect(202);
    let pending = token(&server, &bob, "email_change", ROB);
    let reset = json!({"token": reset_token(&server, BOB), "new_password": PASSWORD});
    server.post("/password-reset/confirm", reset).expect(204);
    expect_bad_token(present(&server, CONFIRM, &pending));

    let (bob, other) = (server.log_in(BOB), server.log_in(BOB));
    let pending = asked(&server, &bob, ROB);
    other.delete("/me/sessions").expect(204);
    expect_bad_token(present(&server, CONFIRM, &pending));

    let pending = asked(&server, &other, ROB);
    server.home.run(&["user", "sign-out", BOB], "").expect_success();
    expect_bad_token(present(&server, CONFIRM, &pending));

    let pending = asked(&server, &server.log_in(BOB), ROB);
    server.home.database.execute("UPDATE users SET is_active = FALSE");
    server.home.database.execute("UPDATE users SET is_active = TRUE");
    expect_bad_token(present(&server, CONFIRM, &pending));
    assert_eq!(email_of(&server.log_in(BOB)), BOB);
}

#[test]
fn logging_out_everywhere_else_ends_the_links_of_the_account_and_not_the_own_session() {
    let server = Server::start();
    let bob = server.sign_up(BOB);
    let reset = reset_token(&server, BOB);
    bob.delete("/me/sessions").expect_empty(204);
    expect_bad_token(server.post("/password-reset/confirm", json!({"token": reset, "new_password": NEW})));
    bob.get("/me").expect(200);
}

#[test]
fn a_change_of_address_ends_the_older_links_of_the_account() {
    let server = Server::start();
    let bob = server.sign_up(BOB);
    let reset = reset_token(&server, BOB);
    changed(&server, &bob, BOB, ROB);
    expect_bad_token(server.post("/password-reset/confirm", json!({"token": reset, "new_password": NEW})));
}

#[test]
fn an_address_that_is_taken_meanwhile_is_refused_and_the_link_works_once_it_is_free() {
    let server = Server::start();
    let bob = server.sign_up(BOB);
    let token = asked(&server, &bob, ROB);
    let rob = server.sign_up("rob@example.com");
    for _ in 0..2 {
        present(&server, CONFIRM, &token).expect_error(409);
    }
    let page = server.request("POST", CONFIRM).form(&[("token", &token)]).send().expect(409);
    assert!(page.text().contains("This address has another account"), "{page}");
    assert_eq!((email_of(&bob), email_of(&rob)), (BOB.to_owned(), "rob@example.com".to_owned()));
    rob.request("DELETE", "/me").json(&json!({"password": PASSWORD})).send().expect(204);
    present(&server, CONFIRM, &token).expect(204);
    assert_eq!(email_of(&bob), ROB);
}

#[test]
fn another_spelling_of_the_same_address_is_a_change_as_well() {
    let server = Server::start();
    let bob = server.sign_up(BOB);
    present(&server, CONFIRM, &asked(&server, &bob, "Bob@Example.com")).expect(204);
    assert_eq!(email_of(&bob), "Bob@Example.com");
    server.log_in(BOB);
}

#[test]
fn an_undo_gives_the_address_back_ends_all_sessions_and_the_password() {
    let (server, bob, undo) = after_a_change();
    let thief = server.log_in(ROB);
    present(&server, UNDO, &undo).expect_empty(204);
    for session in [&bob, &thief] {
        session.get("/me").expect_invalid_token();
        let refresh_token = session.grant["refresh_token"].as_str().unwrap();
        server.login(&[("grant_type", "refresh_token"), ("refresh_token", refresh_token)]).expect(400);
    }
    for email in [BOB, ROB] {
        log_in(&server, email, PASSWORD).expect_oauth_error(400, "invalid_grant");
    }
    let reset = json!({"token": reset_token(&server, BOB), "new_password": NEW});
    server.post("/password-reset/confirm", reset).expect(204);
    let bob = server.actor(log_in(&server, BOB, NEW).expect_json(200));
    let me = bob.get("/me").expect_json(200);
    assert_eq!((&me["email"], &me["email_verified"]), (&json!(BOB), &json!(true)));
    expect_bad_token(present(&server, UNDO, &undo));
    server.sign_up(ROB);
}

#[test]
fn no_act_of_whoever_took_the_account_over_ends_the_link_that_undoes_it() {
    let (server, thief, undo) = after_a_change();
    let change = json!({"current_password": PASSWORD, "new_password": NEW});
    thief.post("/me/password", change).expect(204);
    let reset = json!({"token": reset_token(&server, ROB), "new_password": PASSWORD});
    server.post("/password-reset/confirm", reset).expect(204);
    let thief = server.log_in(ROB);
    thief.delete("/me/sessions").expect(204);
    let pending = asked(&server, &thief, "third@example.com");
    let later_undo = changed(&server, &thief, ROB, "second@example.com");
    expect_bad_token(present(&server, CONFIRM, &pending));
    let reset_of_thief = reset_token(&server, "second@example.com");
    let pending = asked(&server, &thief, "third@example.com");

    present(&server, UNDO, &undo).expect(204);
    // And no link of the thief's works any more.
    expect_bad_token(present(&server, UNDO, &later_undo));
    expect_bad_token(present(&server, CONFIRM, &pending));
    expect_bad_token(server.post("/password-reset/confirm", json!({"token": reset_of_thief, "new_password": NEW})));
    let reset = json!({"token": reset_token(&server, BOB), "new_password": NEW});
    server.post("/password-reset/confirm", reset).expect(204);
    assert_eq!(email_of(&server.actor(log_in(&server, BOB, NEW).expect_json(200))), BOB);
}

#[test]
fn undoing_a_later_change_leaves_the_earlier_one_undoable() {
    let (server, bob, first) = after_a_change();
    let second = changed(&server, &bob, ROB, "second@example.com");
    present(&server, UNDO, &second).expect(204);
    log_in(&server, ROB, PASSWORD).expect_oauth_error(400, "invalid_grant");
    present(&server, UNDO, &first).expect(204);
    let link = server.home.run(&["user", "reset-link", BOB], "");
    link.expect_success();
}

#[test]
fn an_earlier_address_that_has_another_account_by_now_is_not_taken_from_it() {
    let (server, bob, undo) = after_a_change();
    let squatter = server.sign_up(BOB);
    present(&server, UNDO, &undo).expect_error(409);
    assert_eq!((email_of(&bob), email_of(&squatter)), (ROB.to_owned(), BOB.to_owned()));
    // Whoever receives the mail of the address can reset its password, and delete the account that is in the way.
    let reset = json!({"token": reset_token(&server, BOB), "new_password": NEW});
    server.post("/password-reset/confirm", reset).expect(204);
    let squatter = server.actor(log_in(&server, BOB, NEW).expect_json(200));
    squatter.request("DELETE", "/me").json(&json!({"password": NEW})).send().expect(204);
    present(&server, UNDO, &undo).expect(204);
    bob.get("/me").expect_invalid_token();
}

#[test]
fn the_link_that_undoes_a_change_is_good_for_7_days_and_goes_with_the_account() {
    let (server, bob, undo) = after_a_change();
    let week = 7 * 86_400_000;
    assert_eq!(count(&server, "*", &format!("expires_at - created_at <> {week}")), 0);
    bob.request("DELETE", "/me").json(&json!({"password": PASSWORD})).send().expect(204);
    expect_bad_token(present(&server, UNDO, &undo));
    assert_eq!(count(&server, "*", "TRUE"), 0);
}

#[test]
fn an_account_changes_its_address_at_most_5_times_in_7_days() {
    let server = Server::start();
    let bob = server.sign_up(BOB);
    let mut last = BOB.to_owned();
    for number in 0..5 {
        let next = format!("bob{number}@example.com");
        changed(&server, &bob, &last, &next);
        last = next;
    }
    let answer = ask(&bob, ROB);
    let seconds: u64 = answer.need("retry-after").parse().expect("seconds");
    assert!((7 * 86_400 - 600..=7 * 86_400).contains(&seconds), "{answer}");
    answer.expect_error(429);
    server.home.database.execute(&format!("UPDATE one_time_tokens SET expires_at = 1 WHERE email = '{BOB}'"));
    ask(&bob, ROB).expect(202);
}

/// The one mail of a kind, once nothing waits.
#[track_caller]
fn only_mail(server: &Server, kind: &str) -> Mail {
    let mut mails = server.all_mails();
    mails.retain(|mail| mail.kind() == kind);
    assert_eq!(mails.len(), 1, "one {kind}: {mails:#?}");
    mails.remove(0)
}

#[test]
fn each_address_gets_its_mail_and_the_links_in_them_work() {
    let server = Server::start();
    quiet_account(&server, BOB);
    let bob = server.log_in(BOB);
    ask(&bob, ROB).expect(202);
    let notice = server.only_mail_to(BOB);
    assert_eq!((notice.kind().as_str(), notice.text.contains("http")), ("email_change_asked", false), "{notice:?}");
    let mail = server.only_mail_to(ROB);
    assert!(mail.text.contains("within 24 hours") && !mail.text.contains(BOB), "{mail:?}");
    let token = token_of(&mail.link(), "http://127.0.0.1:8000/email-change/confirm");
    present(&server, CONFIRM, &token).expect(204);

    let mail = only_mail(&server, "email_changed");
    assert_eq!(mail.header("To"), BOB);
    assert!(mail.text.contains("within 7 days") && !mail.text.contains(ROB), "{mail:?}");
    let token = token_of(&mail.link(), "http://127.0.0.1:8000/email-change/undo");
    present(&server, UNDO, &token).expect(204);

    let mail = only_mail(&server, "password_reset");
    assert_eq!(mail.header("To"), BOB);
    let token = token_of(&mail.link(), "http://127.0.0.1:8000/password-reset/confirm");
    server.post("/password-reset/confirm", json!({"token": token, "new_password": NEW})).expect(204);
    log_in(&server, BOB, NEW).expect(200);
}

#[test]
fn nobody_gets_a_link_to_an_address_that_another_account_has() {
    let server = Server::start();
    quiet_account(&server, BOB);
    quiet_account(&server, EVE);
    ask(&server.log_in(BOB), EVE).expect(202);
    let mails = server.all_mails();
    assert_eq!(mails.len(), 1, "{mails:?}");
    assert_eq!((mails[0].header("To"), mails[0].kind().as_str()), (BOB, "email_change_asked"));
}

#[test]
fn the_links_lead_to_the_operators_app_if_there_is_one() {
    let server = Server::with(&[("accounts.link_base_url", "https://app.example.com/in")]);
    quiet_account(&server, BOB);
    ask(&server.log_in(BOB), ROB).expect(202);
    let token = token_of(&server.only_mail_to(ROB).link(), "https://app.example.com/in/email-change");
    present(&server, CONFIRM, &token).expect(204);
    token_of(&only_mail(&server, "email_changed").link(), "https://app.example.com/in/email-change-undo");
}

#[test]
fn both_are_in_the_audit_trail() {
    let (server, bob, undo) = after_a_change();
    let root = server.admin("root@example.com");
    let id = bob.id();
    present(&server, UNDO, &undo).expect(204);
    let events = root.get(&format!("/audit?user_id={id}&type=email_changed")).expect_json(200);
    let details: Vec<_> =
        events["items"].as_array().unwrap().iter().map(|event| (&event["actor_id"], &event["details"])).collect();
    assert_eq!(details, [(&json!(id), &json!({"undone": true})), (&json!(id), &json!({}))]);
}

/// Sends the requests at the same time, each to one of two processes in turn, and gives the statuses.
fn at_once<R>(requests: Vec<R>) -> Vec<u16>
where
    R: FnOnce() -> Answer + Send,
{
    thread::scope(|scope| {
        let each: Vec<_> = requests.into_iter().map(|request| scope.spawn(move || request().status)).collect();
        each.into_iter().map(|one| one.join().expect("an answer")).collect()
    })
}

#[test]
fn of_many_confirmations_at_once_exactly_one_changes_the_address() {
    let server = Server::start();
    let (bob, second) = (server.sign_up(BOB), server.second());
    let token = asked(&server, &bob, ROB);
    let clients: Vec<Client> = (0..4).flat_map(|_| [server.anonymous(), second.anonymous()]).collect();
    let statuses = at_once(clients.iter().map(|client| || present(client, CONFIRM, &token)).collect());
    assert_eq!(statuses.iter().filter(|status| **status == 204).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 400).count(), 7, "{statuses:?}");
    assert_eq!(count(&server, "DISTINCT created_at", "purpose = 'email_change_undo'"), 1);
}

#[test]
fn of_a_confirmation_and_sign_ups_at_once_exactly_one_gets_the_address() {
    let server = Server::start();
    let (bob, second) = (server.sign_up(BOB), server.second());
    let eve = server.sign_up(EVE);
    for number in 0..5 {
        let wanted = format!("wanted{number}@example.com");
        let of_bob = asked(&server, &bob, &wanted);
        let of_eve = asked(&server, &eve, &wanted);
        let sign_up = || second.post("/signup", json!({"email": wanted, "password": PASSWORD}));
        let (confirm_bob, confirm_eve) = (|| present(&server, CONFIRM, &of_bob), || present(&second, CONFIRM, &of_eve));
        let requests: Vec<Box<dyn FnOnce() -> Answer + Send>> =
            vec![Box::new(confirm_bob), Box::new(sign_up), Box::new(confirm_eve)];
        let statuses = at_once(requests);
        let won = statuses.iter().filter(|status| [201, 204].contains(*status)).count();
        assert_eq!(won, 1, "{statuses:?}");
        assert_eq!(statuses.iter().filter(|status| **status == 409).count(), 2, "{statuses:?}");
        server.home.database.execute("DELETE FROM one_time_tokens");
    }
}

#[test]
fn of_a_confirmation_and_a_reset_at_once_the_later_one_finds_its_link_worthless() {
    let server = Server::start();
    let second = server.second();
    let bob = server.sign_up(BOB);
    let (change, reset) = (asked(&server, &bob, ROB), reset_token(&server, BOB));
    let body = json!({"token": reset, "new_password": NEW});
    let requests: Vec<Box<dyn FnOnce() -> Answer + Send>> = vec![
        Box::new(|| present(&server, CONFIRM, &change)),
        Box::new(|| second.post("/password-reset/confirm", body)),
    ];
    let statuses = at_once(requests);
    let (email, password) = if statuses[0] == 204 { (ROB, PASSWORD) } else { (BOB, NEW) };
    assert!(statuses == [204, 400] || statuses == [400, 204], "{statuses:?}");
    log_in(&server, email, password).expect(200);
}

#[test]
fn of_two_undos_at_once_one_wins() {
    let (server, _, undo) = after_a_change();
    let second = server.second();
    let clients = [server.anonymous(), second.anonymous(), server.anonymous(), second.anonymous()];
    let statuses = at_once(clients.iter().map(|client| || present(client, UNDO, &undo)).collect());
    assert_eq!(statuses.iter().filter(|status| **status == 204).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 400).count(), 3, "{statuses:?}");
}
