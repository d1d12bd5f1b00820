//! Contract, "Accounts": which e-mail addresses are one account's.

use serde_json::json;

use crate::support::{Answer, PASSWORD, Server, decode};

fn sign_up(server: &Server, email: &str) -> Answer {
    server.post("/signup", json!({"email": email, "password": PASSWORD}))
}

/// The id of the account that logs in by that name.
#[track_caller]
fn account(server: &Server, username: &str) -> String {
    let grant = server.login(&[("username", username), ("password", PASSWORD)]).expect_json(200);
    let token = grant["access_token"].as_str().expect("a token");
    decode(token).1["sub"].as_str().expect("an id").to_owned()
}

#[test]
fn a_domain_is_the_same_in_unicode_and_in_ascii() {
    let server = Server::start();
    let user = sign_up(&server, "Mia@Bücher.example").expect_json(201);
    assert_eq!(user["email"], "Mia@Bücher.example", "kept as it was typed");
    for same in
        ["mia@xn--bcher-kva.example", "mia@XN--BCHER-KVA.example", "MIA@BÜCHER.EXAMPLE", "mia@bu\u{308}cher.example"]
    {
        sign_up(&server, same).expect_error(409);
        assert_eq!(account(&server, same), user["id"].to_string(), "{same}");
    }
}

#[test]
fn an_address_in_nfd_is_taken_and_is_the_same_as_in_nfc() {
    let server = Server::start();
    let typed = "jose\u{301}@example.com";
    let user = sign_up(&server, typed).expect_json(201);
    assert_eq!(user["email"], typed, "kept as it was typed");
    for same in ["josé@example.com", "JOSÉ@example.com", typed] {
        sign_up(&server, same).expect_error(409);
        assert_eq!(account(&server, same), user["id"].to_string(), "{same}");
    }
}

#[test]
fn no_character_beyond_ascii_takes_the_place_of_an_ascii_letter() {
    let server = Server::start();
    let mark = sign_up(&server, "mark@example.com").expect_json(201);
    for other in ["mar\u{212a}@example.com", "MAR\u{212a}@example.com"] {
        server.login(&[("username", other), ("password", PASSWORD)]).expect_oauth_error(400, "invalid_grant");
    }
    let other = sign_up(&server, "mar\u{212a}@example.com").expect_json(201);
    assert_ne!(other["id"], mark["id"]);
    assert_eq!(account(&server, "MARK@example.com"), mark["id"].to_string());
    assert_eq!(account(&server, "mar\u{212a}@example.com"), other["id"].to_string());
}

#[test]
fn a_password_that_is_the_address_in_another_form_is_422() {
    let server = Server::start();
    let account = json!({"email": "jose\u{301}@bücher.example", "password": "JOSÉ@xn--bcher-kva.example"});
    server.post("/signup", account).expect_faults(&[&["body", "password"]]);
}
