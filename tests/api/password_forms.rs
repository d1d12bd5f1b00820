//! Contract, "Accounts": passwords are compared in NFC first, then as they were typed.

use serde_json::json;

use crate::support::{Actor, Answer, Server};

const EMAIL: &str = "mia@example.com";
/// The same password as most keyboards type it, and as those of macOS and iOS do.
const NFC: &str = "mañana-öl";
const NFD: &str = "man\u{303}ana-o\u{308}l";
/// bcrypt of the second, cost 4, made by a version that did not know of forms.
const HASH_OF_NFD: &str = "$2b$04$z1n9fGyJQn7oCRvJ1Rw4FeDGsvPqRO3Xxm/cDv9PTPGEWOrPc9Gda";

fn log_in(server: &Server, password: &str) -> Answer {
    server.login(&[("username", EMAIL), ("password", password)])
}

fn sign_up(server: &Server, password: &str) -> Actor {
    server.post("/signup", json!({"email": EMAIL, "password": password})).expect(201);
    server.actor(log_in(server, password).expect_json(200))
}

#[test]
fn a_password_is_right_in_both_forms_whichever_it_was_set_in() {
    for set in [NFC, NFD] {
        let server = Server::start();
        let mia = sign_up(&server, set);
        for typed in [NFC, NFD] {
            log_in(&server, typed).expect_json(200);
        }
        for (current, new) in [(NFC, NFD), (NFD, "gru\u{308}ne-Lampe 7"), ("grüne-Lampe 7", NFC)] {
            let change = json!({"current_password": current, "new_password": new});
            mia.post("/me/password", change).expect_empty(204);
        }
        log_in(&server, NFD).expect_json(200);
        mia.request("DELETE", "/me").json(&json!({"password": NFD})).send().expect_empty(204);
    }
}

#[test]
fn a_hash_of_another_form_goes_on_working_and_is_renewed_in_nfc() {
    let server = Server::start();
    sign_up(&server, "copper-Lantern 31");
    server.home.database.execute(&format!("UPDATE users SET password_hash = '{HASH_OF_NFD}'"));
    log_in(&server, NFC).expect_oauth_error(400, "invalid_grant");
    log_in(&server, NFD).expect_json(200);
    for typed in [NFC, NFD] {
        log_in(&server, typed).expect_json(200);
    }
}

#[test]
fn the_length_that_counts_is_that_in_nfc() {
    let server = Server::with(&[("password.min_score", "0")]);
    let longest = "e\u{301}".repeat(36);
    assert_eq!(longest.len(), 108);
    sign_up(&server, &longest);
    log_in(&server, &"é".repeat(36)).expect_json(200);
    for refused in [format!("{longest}x"), "e\u{301}e\u{301}-b".into()] {
        let account = json!({"email": "bob@example.com", "password": refused});
        server.post("/signup", account).expect_faults(&[&["body", "password"]]);
    }
}

#[test]
fn a_password_from_standard_input_is_the_same_in_both_forms() {
    let server = Server::start();
    server.home.run(&["user", "create", "--email", EMAIL], &format!("{NFD}\n")).expect_success();
    for typed in [NFC, NFD] {
        log_in(&server, typed).expect_json(200);
    }
}
