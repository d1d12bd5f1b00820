//! The worker: no mail is lost or sent twice, whatever happens to a process, and the commands show what waits.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::mail::ask_for_reset;
use crate::support::{Home, Mail, PASSWORD, Server, mails_in, until};

const BOB: &str = "bob@example.com";
const DEADLINE: Duration = Duration::from_secs(20);

/// A service whose mails cannot be written, until [`unblock`].
fn blocked() -> Server {
    let home = Home::with(&[("mail.outbox_dir", "blocked")]);
    home.write("blocked", "no folder");
    Server::at(Arc::new(home))
}

fn unblock(server: &Server) {
    fs::remove_file(server.home.folder().join("blocked")).expect("the file");
}

fn mails(server: &Server) -> Vec<Mail> {
    server.all_mails();
    mails_in(&server.home.folder().join("blocked"))
}

/// What `keyfob mail list --json` prints.
fn list(server: &Server) -> Vec<Value> {
    let lines = server.home.run(&["mail", "list", "--json"], "").expect_success();
    lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn what_cannot_be_sent_waits_with_one_line_in_the_log_and_is_sent_later() {
    let server = blocked();
    server.sign_up(BOB);
    let is_told = |text: &str| server.log().iter().filter(|line| line.contains(text)).count();
    until("the log tells of it", DEADLINE, || is_told("mails cannot be sent") == 1);
    unblock(&server);
    let sent = mails(&server);
    assert_eq!(sent.len(), 1, "{sent:#?}");
    assert_eq!(is_told("mails cannot be sent"), 1, "one line, however often it was tried");
    until("the log tells of it", DEADLINE, || is_told("mails are sent again") == 1);
}

#[test]
fn a_killed_process_loses_no_mail() {
    let mut server = blocked();
    for number in 0..5 {
        server.sign_up(&format!("a{number}@example.com"));
    }
    server.kill();
    unblock(&server);
    let second = server.second();
    let to: BTreeSet<String> = mails(&second).iter().map(|mail| mail.header("To").to_owned()).collect();
    assert_eq!(to.len(), 5, "{to:?}");
}

#[test]
fn several_processes_send_each_mail_once() {
    let server = blocked();
    let others = [server.second(), server.second()];
    for number in 0..30 {
        let body = json!({"email": format!("a{number}@example.com"), "password": PASSWORD});
        others[number % 2].post("/signup", body).expect(201);
    }
    unblock(&server);
    let sent = mails(&server);
    let ids: BTreeSet<&str> = sent.iter().map(|mail| mail.header("Message-ID")).collect();
    let to: BTreeSet<&str> = sent.iter().map(|mail| mail.header("To")).collect();
    assert_eq!((sent.len(), ids.len(), to.len()), (30, 30, 30));
}

#[test]
fn a_mail_whose_sender_died_is_sent_when_its_lease_is_over() {
    let server = blocked();
    server.sign_up(BOB);
    let lease = |until: u64| format!("UPDATE local_mail_outbox SET lease = 'dead', tries = 1, due_at = {until}");
    server.home.database.execute(&lease(9_000_000_000_000));
    unblock(&server);
    assert_eq!(list(&server)[0]["state"], "sending");
    let line = server.home.run(&["mail", "retry", "1"], "").expect_failure();
    assert!(line.contains("mail 1 is being sent at the moment"), "{line}");
    server.home.database.execute(&lease(1));
    assert_eq!(mails(&server).len(), 1);
}

#[test]
fn a_stopped_service_hands_over_nothing_half() {
    let mut server = Server::start();
    for number in 0..20 {
        server.post("/signup", json!({"email": format!("a{number}@example.com"), "password": PASSWORD})).expect(201);
    }
    server.signal("TERM");
    assert!(server.wait(DEADLINE).success());
    let leased = "SELECT CAST(COUNT(*) AS TEXT) AS value FROM local_mail_outbox WHERE lease IS NOT NULL";
    assert_eq!(server.home.database.text(leased), "0", "no mail waits for the end of a lease");
    let before = server.mails().len();
    let second = server.second();
    let all = second.all_mails();
    let ids: BTreeSet<&str> = all.iter().map(|mail| mail.header("Message-ID")).collect();
    assert_eq!((all.len(), ids.len()), (20, 20), "{before} before the stop");
}

#[test]
fn a_mail_is_given_up_after_a_day_and_forgotten_a_week_later() {
    let mut server = blocked();
    server.sign_up(BOB);
    ask_for_reset(&server, BOB).expect(202);
    server.home.database.execute("UPDATE local_mail_outbox SET waits_since = waits_since - 86400001");
    server.kill();
    let mut second = server.second();
    until("they are given up", DEADLINE, || list(&second).iter().all(|mail| mail["state"] == "failed"));
    let given_up = list(&second);
    assert_eq!(given_up.len(), 2);
    assert!(given_up.iter().all(|mail| mail["error"] == "it could not be sent within a day"), "{given_up:?}");
    let content = "SELECT CAST(COUNT(content) AS TEXT) AS value FROM local_mail_outbox";
    assert_eq!(second.home.database.text(content), "0", "nothing of them is left");

    second.home.database.execute("UPDATE local_mail_outbox SET ended_at = ended_at - 604800001");
    second.kill();
    let third = server.second();
    until("they are forgotten", DEADLINE, || list(&third).is_empty());
}

#[test]
fn the_operator_sees_every_mail_and_can_have_it_tried_again() {
    let server = blocked();
    server.sign_up(BOB);
    ask_for_reset(&server, BOB).expect(202);
    let listed = list(&server);
    let fields: Vec<&str> = listed[0].as_object().expect("an object").keys().map(String::as_str).collect();
    let expected = ["attempts", "ended_at", "error", "id", "kind", "next_attempt_at", "queued_at", "state", "user_id"];
    assert_eq!(fields, expected);
    let shown = |mail: &Value| (mail["kind"].clone(), mail["state"].clone(), mail["user_id"].clone());
    assert_eq!(shown(&listed[0]), (json!("email_verification"), json!("waiting"), json!(1)));
    assert_eq!(shown(&listed[1]), (json!("password_reset"), json!("waiting"), Value::Null));
    let text = server.home.run(&["mail", "list"], "").expect_success();
    assert!(text.starts_with("1\temail_verification\twaiting\t20") && !text.contains("bob"), "{text}");

    let fail = "UPDATE local_mail_outbox SET ended_at = 1, content = NULL, last_error = 'no such user'";
    server.home.database.execute(fail);
    assert!(server.home.run(&["mail", "list"], "").expect_success().contains("\tfailed\t"));
    let line = server.home.run(&["mail", "retry", "2"], "").expect_failure();
    assert!(line.contains("mail 2 cannot be tried again"), "{line}");
    server.home.run(&["mail", "retry", "1"], "").expect_success();
    unblock(&server);
    let sent = mails(&server);
    assert_eq!((sent.len(), sent[0].kind()), (1, "email_verification".to_owned()));
    let line = server.home.run(&["mail", "retry", "1"], "").expect_failure();
    assert!(line.contains("mail 1 has been sent"), "{line}");
    for (id, fault) in [("99", "no mail has the id 99"), ("x", "expected a number")] {
        let line = server.home.run(&["mail", "retry", id], "").expect_failure();
        assert!(line.contains(fault), "{line}");
    }
}

#[test]
fn a_mail_of_a_kind_that_only_a_newer_version_knows_is_left_to_it() {
    let server = Server::start();
    server.home.database.execute(
        "INSERT INTO local_mail_outbox (kind, language, is_notice, message_id, queued_at, waits_since, due_at, tries, is_sent) \
         VALUES ('telegram', 'en', FALSE, '<1@x>', 1, 9000000000000, 1, 0, FALSE)",
    );
    server.sign_up(BOB);
    until("the other mail is sent", DEADLINE, || server.mails().len() == 1);
    let listed = list(&server);
    assert_eq!((&listed[0]["kind"], &listed[0]["state"]), (&json!("telegram"), &json!("waiting")));
}

#[test]
fn files_for_the_mail_server_that_cannot_be_used_stop_the_start_with_one_line() {
    let mut home = Home::with(&[("mail.smtp_url", "smtp://mail.example.com"), ("mail.from", "a@example.com")]);
    home.write("empty", "");
    home.set_variable("SSL_CERT_FILE", "empty");
    home.set_variable("SSL_CERT_DIR", "none");
    let line = home.run(&[], "").expect_failure();
    assert!(line.contains("mail.smtp_url: this system has no certificate authorities"), "{line}");
    home.set("mail.ca_file", "empty");
    let line = home.run(&[], "").expect_failure();
    assert!(line.contains("mail.ca_file empty: holds no certificate in PEM form"), "{line}");
    home.unset("mail.ca_file");
    home.set("mail.smtp_url", "smtp+plain://localhost");
    home.set("mail.username", "ann");
    home.set("mail.password_file", "empty");
    let line = home.run(&[], "").expect_failure();
    assert!(line.contains("mail.password_file empty: is empty"), "{line}");
}
