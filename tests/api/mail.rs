//! Contract, "Accounts": the mails with links, and the notices. They are read from the folder that a service without a mail
//! server writes them to.

use std::fs;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::recovery::token_of;
use crate::support::{Actor, Answer, Client, Home, Mail, PASSWORD, SECRET, Server, until};

const BOB: &str = "bob@example.com";
const NEW: &str = "orange-Kettle 99";
const RESET_PAGE: &str = "http://127.0.0.1:8000/password-reset/confirm";
const VERIFICATION_PAGE: &str = "http://127.0.0.1:8000/email-verification/confirm";

pub(crate) fn ask_for_reset(client: &Client, email: &str) -> Answer {
    client.post("/password-reset", json!({"email": email}))
}

fn reset(server: &Server, mail: &Mail) -> Answer {
    let token = token_of(&mail.link(), RESET_PAGE);
    server.post("/password-reset/confirm", json!({"token": token, "new_password": NEW}))
}

fn verify(server: &Server, mail: &Mail) -> Answer {
    server.post("/email-verification/confirm", json!({"token": token_of(&mail.link(), VERIFICATION_PAGE)}))
}

fn is_verified(actor: &Actor) -> Value {
    actor.get("/me").expect_json(200)["email_verified"].clone()
}

/// An account that gets no mail for its creation.
pub(crate) fn quiet_account(server: &Server, email: &str) {
    server.home.run(&["user", "create", "--email", email], &format!("{PASSWORD}\n")).expect_success();
}

fn kinds(mails: &[Mail]) -> Vec<String> {
    mails.iter().map(Mail::kind).collect()
}

#[test]
fn a_forgotten_password_is_reset_with_the_link_of_a_mail() {
    let server = Server::start();
    quiet_account(&server, BOB);
    ask_for_reset(&server, BOB).expect(202);
    let mail = server.only_mail_to(BOB);
    assert_eq!(mail.header("Subject"), "Reset your password at 127.0.0.1");
    assert!(mail.text.contains("within 30 minutes"), "{}", mail.text);
    reset(&server, &mail).expect_empty(204);
    server.login(&[("username", BOB), ("password", NEW)]).expect(200);
    reset(&server, &mail).expect_error(400);
}

#[test]
fn a_request_for_a_reset_has_one_answer_and_only_active_accounts_get_a_mail() {
    let server = Server::start();
    quiet_account(&server, BOB);
    quiet_account(&server, "eve@example.com");
    server.home.database.execute("UPDATE users SET is_active = FALSE WHERE email = 'eve@example.com'");
    let answers = [BOB, "nobody@example.com", "eve@example.com"].map(|email| {
        let answer = ask_for_reset(&server, email);
        assert_eq!(answer.need("cache-control"), "no-store");
        answer.expect_json(202)
    });
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    let mails = server.all_mails();
    assert_eq!(mails.len(), 1, "{mails:#?}");
    assert_eq!(mails[0].header("To"), BOB);
    let left = "SELECT CAST(COUNT(*) AS TEXT) AS value FROM local_mail_outbox";
    assert_eq!(server.home.database.text(left), "1", "of the others nothing is kept");
    for (body, fault) in [(json!({}), "missing"), (json!({"email": "bob"}), "value_error")] {
        let problem = server.post("/password-reset", body).expect_error(422);
        assert_eq!(problem["errors"][0]["type"], fault);
    }
}

#[test]
fn a_mail_goes_to_the_address_of_the_account_however_it_was_typed() {
    let server = Server::start();
    quiet_account(&server, "Bob@Example.com");
    ask_for_reset(&server, " bOB@exAMPLE.com ").expect(202);
    reset(&server, &server.only_mail_to("Bob@example.com")).expect(204);
}

#[test]
fn a_mail_is_in_the_language_of_the_request() {
    let server = Server::start();
    for (address, accepted, subject) in [
        ("a@example.com", "de-AT, en;q=0.5", "Neues Passwort"),
        ("b@example.com", "en-GB", "Reset your password at 127.0.0.1"),
        ("c@example.com", "fr", "Reset your password at 127.0.0.1"),
    ] {
        quiet_account(&server, address);
        let body = json!({"email": address});
        server.request("POST", "/password-reset").header("accept-language", accepted).json(&body).send().expect(202);
        let mail = server.only_mail_to(address);
        assert!(mail.header("Subject").starts_with(subject), "{}", mail.headers);
        assert_eq!(mail.html.contains("<html lang=\"de\">"), accepted.starts_with("de"));
        assert_eq!(mail.text.contains("innerhalb von 30 Minuten"), accepted.starts_with("de"));
    }
}

#[test]
fn whoever_signs_up_gets_a_link_that_confirms_the_address() {
    let server = Server::start();
    let bob = server.sign_up(BOB);
    let mail = server.only_mail_to(BOB);
    assert_eq!(mail.kind(), "email_verification");
    assert!(mail.text.contains("within 24 hours"), "{}", mail.text);
    assert_eq!(is_verified(&bob), false);
    verify(&server, &mail).expect_empty(204);
    assert_eq!(is_verified(&bob), true);
}

#[test]
fn a_sign_up_that_fails_sends_nothing() {
    let server = Server::start();
    server.sign_up(BOB);
    server.post("/signup", json!({"email": BOB, "password": PASSWORD})).expect(409);
    server.post("/signup", json!({"email": "x@example.com", "password": "short"})).expect(422);
    assert_eq!(server.all_mails().len(), 1);
}

#[test]
fn whoever_was_invited_has_proven_the_address_already() {
    let server = Server::start();
    let link = server.home.run(&["user", "invite", BOB], "").expect_success();
    let token = token_of(&link, "http://127.0.0.1:8000/invitation");
    server.post("/invitation", json!({"token": token, "password": PASSWORD})).expect(201);
    assert!(server.all_mails().is_empty());
}

#[test]
fn an_account_can_have_the_link_sent_again_until_it_is_verified() {
    let server = Server::start();
    quiet_account(&server, BOB);
    let bob = server.log_in(BOB);
    bob.post("/email-verification", Value::Null).expect_json(202);
    verify(&server, &server.only_mail_to(BOB)).expect(204);
    bob.post("/email-verification", Value::Null).expect_json(202);
    assert_eq!(server.all_mails().len(), 1, "it is verified");
    server.post("/email-verification", Value::Null).expect_no_credentials();
    server.log_in_for(BOB, "posts").post("/email-verification", Value::Null).expect_insufficient_scope("profile");
}

#[test]
fn the_owner_is_told_of_a_changed_password_and_gets_no_link_that_acts() {
    let server = Server::start();
    quiet_account(&server, BOB);
    let bob = server.log_in(BOB);
    let body = json!({"current_password": PASSWORD, "new_password": NEW});
    bob.request("POST", "/me/password").header("accept-language", "de").json(&body).send().expect(204);
    let notice = server.only_mail_to(BOB);
    assert_eq!(notice.kind(), "password_changed");
    assert!(notice.text.contains("Das Passwort Ihres Kontos bei 127.0.0.1 wurde am 20"), "{}", notice.text);
    let wrong = json!({"current_password": "wrong", "new_password": PASSWORD});
    bob.post("/me/password", wrong).expect(403);
    assert_eq!(server.all_mails().len(), 1);

    ask_for_reset(&server, BOB).expect(202);
    let mails = server.all_mails();
    reset(&server, &mails[1]).expect(204);
    let mails = server.all_mails();
    assert_eq!(kinds(&mails), ["password_changed", "password_reset", "password_reset_done"]);
    for notice in [&mails[0], &mails[2]] {
        assert!(!notice.text.contains("http") && !notice.html.contains("href"), "{notice:#?}");
    }
}

#[test]
fn a_mail_has_nothing_in_it_that_a_stranger_can_choose() {
    let server = Server::start();
    let body = json!({"email": BOB, "password": PASSWORD, "full_name": "Buy at https://evil.example"});
    server.request("POST", "/signup").header("x-forwarded-host", "evil.example").json(&body).send().expect(201);
    server.request("POST", "/password-reset").header("host", "evil.example").json(&json!({"email": BOB})).send();
    let mails = server.all_mails();
    assert_eq!(mails.len(), 2);
    for mail in mails {
        let whole = fs::read_to_string(&mail.path).unwrap();
        assert!(!whole.contains("evil") && !whole.contains("Buy"), "{whole}");
    }
}

#[test]
fn a_link_that_nobody_needs_any_more_is_not_sent() {
    let home = Home::with(&[("mail.outbox_dir", "blocked")]);
    home.write("blocked", "no folder");
    let server = Server::at(Arc::new(home));
    let bob = server.sign_up(BOB);
    ask_for_reset(&server, BOB).expect(202);
    server.home.database.execute("UPDATE users SET email_verified = TRUE, is_active = FALSE");
    fs::remove_file(server.home.folder().join("blocked")).unwrap();
    assert!(server.all_mails().is_empty());
    assert!(crate::support::mails_in(&server.home.folder().join("blocked")).is_empty());
    drop(bob);
}

#[test]
fn the_mails_of_a_deleted_account_go_with_it() {
    let server = Server::start();
    let bob = server.sign_up(BOB);
    server.all_mails();
    bob.request("DELETE", "/me").json(&json!({"password": PASSWORD})).send().expect(204);
    let left = "SELECT CAST(COUNT(*) AS TEXT) AS value FROM local_mail_outbox";
    assert_eq!(server.home.database.text(left), "0");
}

#[test]
fn in_development_the_log_shows_the_link_and_in_production_it_does_not() {
    let server = Server::start();
    server.sign_up(BOB);
    let link = server.only_mail_to(BOB).link();
    let is_shown = |server: &Server, link: &str| server.whole_log().iter().any(|line| line.contains(link));
    assert!(is_shown(&server, &link));

    let mut home = Home::with(&[("token.issuer", "https://id.test"), ("token.key_encryption_secret", SECRET)]);
    home.set_variable("KEYFOB_ENV", "production");
    let server = Server::at(Arc::new(home));
    server.post("/signup", json!({"email": BOB, "password": PASSWORD})).expect(201);
    let link = server.only_mail_to(BOB).link();
    let (_, token) = link.split_once("?token=").expect("a token");
    assert!(server.whole_log().iter().any(|line| line.contains("mail written")));
    assert!(!is_shown(&server, token));
}

#[cfg(unix)]
#[test]
fn a_mail_is_a_file_that_only_the_services_user_can_read() {
    use std::os::unix::fs::PermissionsExt;
    let server = Server::start();
    server.sign_up(BOB);
    let mail = server.only_mail_to(BOB);
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&mail.path), mode(mail.path.parent().unwrap())), (0o600, 0o700));
    let name = mail.path.file_name().unwrap().to_string_lossy().into_owned();
    assert!(name.starts_with("20") && name.ends_with("Z-email_verification-1.eml"), "{name}");
    assert_eq!(fs::read_dir(mail.path.parent().unwrap()).unwrap().count(), 1, "nothing unfinished is left");
}

#[test]
fn what_waits_holds_no_address_in_clear_and_what_was_sent_holds_nothing() {
    let home = Home::with(&[("mail.outbox_dir", "blocked"), ("token.key_encryption_secret", SECRET)]);
    home.write("blocked", "no folder");
    let server = Server::at(Arc::new(home));
    quiet_account(&server, BOB);
    ask_for_reset(&server, BOB).expect(202);
    let content = "SELECT COALESCE(content, '<none>') AS value FROM local_mail_outbox";
    let sealed = server.home.database.text(content);
    assert!(sealed.starts_with("sealed1:") && !sealed.contains("bob"), "{sealed}");
    fs::remove_file(server.home.folder().join("blocked")).unwrap();
    server.all_mails();
    assert_eq!(server.home.database.text(content), "<none>");
}

#[test]
fn an_operators_template_replaces_the_built_in_one() {
    let home = Home::with(&[("mail.templates_dir", "texts")]);
    home.write("texts/en/email_verification.txt", "Subject: Hello from {{ service }}\n\nOpen\n{{ link }}\n");
    let server = Server::at(Arc::new(home));
    server.sign_up(BOB);
    let mail = server.only_mail_to(BOB);
    assert_eq!(mail.header("Subject"), "Hello from 127.0.0.1");
    assert!(mail.text.starts_with("Open\nhttp://127.0.0.1:8000/"), "{}", mail.text);
    verify(&server, &mail).expect(204);
}

#[test]
fn a_faulty_template_stops_the_start_with_one_line() {
    let home = Home::with(&[("mail.templates_dir", "texts")]);
    home.write("texts/en/password_changed.txt", "Subject: x\n\nHello {{ name }}\n");
    let line = home.run(&[], "").expect_failure();
    assert!(line.contains("mail.templates_dir texts: ") && line.contains("password_changed.txt:3: "), "{line}");
    home.write("texts/en/password_changed.txt", "Subject: x\n\n{% if %}\n");
    let line = home.run(&[], "").expect_failure();
    assert!(line.contains("texts/en/password_changed.txt:3: syntax error"), "{line}");
}

#[test]
fn what_mails_wait_for_is_in_the_metrics() {
    let home = Home::with(&[("server.metrics_bind", "127.0.0.1:0"), ("mail.outbox_dir", "blocked")]);
    home.write("blocked", "no folder");
    let server = Server::at(Arc::new(home));
    let metrics = Client::new(&crate::metrics::address(&server));
    let has = |line: &str| metrics.get("/metrics").text().lines().any(|found| found == line);
    assert!(has("keyfob_mail_queued 0"));
    server.sign_up(BOB);
    assert!(has("keyfob_mail_queued 1"));
    let is_old = || !has("keyfob_mail_oldest_seconds 0");
    until("its age shows", std::time::Duration::from_secs(5), is_old);
    assert!(has("keyfob_mail_total{kind=\"email_verification\",outcome=\"sent\"} 0"));
    fs::remove_file(server.home.folder().join("blocked")).unwrap();
    server.all_mails();
    assert!(has("keyfob_mail_queued 0") && has("keyfob_mail_oldest_seconds 0"));
    assert!(has("keyfob_mail_total{kind=\"email_verification\",outcome=\"sent\"} 1"));
}
