//! Contract, "Accounts": who may sign up (`accounts.signup`), and invitations.

use std::sync::Arc;
use std::thread;

use serde_json::json;

use crate::recovery::token_of;
use crate::support::{Home, PASSWORD, Server};

const MIA: &str = "Mia@example.com";

#[track_caller]
fn invite(server: &Server, email: &str) -> String {
    let link = server.home.run(&["user", "invite", email], "").expect_success();
    token_of(&link, "http://127.0.0.1:8000/invitation")
}

fn only_invited() -> Server {
    Server::with(&[("accounts.signup", "invited")])
}

#[test]
fn while_sign_up_is_closed_nobody_signs_up_whatever_they_send() {
    let mut server = only_invited();
    let token = invite(&server, MIA);
    server.kill();
    let mut home = Home::with(&[("accounts.signup", "closed")]);
    home.set("database.url", &server.home.database.url());
    let closed = Server::at(Arc::new(home));
    for body in [
        json!({"email": MIA, "password": PASSWORD}),
        json!({"email": MIA, "password": PASSWORD, "invitation": token}),
        json!({"email": "x"}),
    ] {
        closed.post("/signup", body).expect_error(403);
    }
    closed.request("POST", "/signup").body("text/plain", "x").send().expect_error(403);
    closed.post("/invitation", json!({"token": token, "password": PASSWORD})).expect_error(403);
    let line = closed.home.run(&["user", "invite", MIA], "").expect_failure();
    assert!(line.contains("accounts.signup is closed"), "{line}");
}

#[test]
fn an_invitation_lets_its_address_sign_up_once_and_proves_it() {
    let server = only_invited();
    server.post("/signup", json!({"email": MIA, "password": PASSWORD})).expect_error(403);
    let token = invite(&server, MIA);
    let with = |email: &str, token: &str| json!({"email": email, "password": PASSWORD, "invitation": token});
    for body in [with("eve@example.com", &token), with(MIA, "kfi_x"), with(MIA, "")] {
        server.post("/signup", body).expect_error(403);
    }
    let weak = json!({"email": MIA, "password": "short", "invitation": token});
    server.post("/signup", weak).expect_faults(&[&["body", "password"]]);
    let user = server.post("/signup", with("mia@example.com", &token)).expect_json(201);
    assert_eq!((&user["email"], &user["email_verified"]), (&json!(MIA), &json!(true)));
    server.log_in(MIA).get("/me").expect(200);
    server.post("/signup", with(MIA, &token)).expect_error(403);
}

#[test]
fn the_token_alone_is_enough_for_an_app_that_knows_no_address() {
    let server = only_invited();
    let token = invite(&server, MIA);
    let body = json!({"token": token, "password": PASSWORD, "full_name": "Mia"});
    server.post("/invitation", json!({"token": token, "password": MIA})).expect_faults(&[&["body", "password"]]);
    let answer = server.post("/invitation", body.clone());
    let location = answer.need("location").to_owned();
    let user = answer.expect_json(201);
    assert_eq!(location, format!("/profile/{}", user["id"]));
    assert_eq!((&user["email"], &user["full_name"]), (&json!(MIA), &json!("Mia")));
    server.post("/invitation", body).expect_error(400);
    server.post("/invitation", json!({})).expect_faults(&[&["body", "token"], &["body", "password"]]);
}

#[test]
fn while_sign_up_is_open_an_invitation_proves_the_address_and_a_bad_one_is_refused() {
    let server = Server::start();
    let token = invite(&server, MIA);
    let body = json!({"email": "eve@example.com", "password": PASSWORD, "invitation": token});
    server.post("/signup", body).expect_error(400);
    let body = json!({"email": MIA, "password": PASSWORD, "invitation": token});
    assert_eq!(server.post("/signup", body).expect_json(201)["email_verified"], true);
    let plain = json!({"email": "bob@example.com", "password": PASSWORD, "invitation": null});
    assert_eq!(server.post("/signup", plain).expect_json(201)["email_verified"], false);
}

#[test]
fn an_address_that_has_an_account_is_not_invited_and_cannot_take_up_an_older_invitation() {
    let server = Server::start();
    let token = invite(&server, MIA);
    server.sign_up(MIA);
    server.post("/invitation", json!({"token": token, "password": PASSWORD})).expect_error(409);
    let line = server.home.run(&["user", "invite", "mia@example.com"], "").expect_failure();
    assert!(line.contains("keyfob user reset-link 1"), "{line}");
}

#[test]
fn the_three_newest_invitations_of_an_address_work() {
    let server = only_invited();
    let tokens: Vec<String> = (0..4).map(|_| invite(&server, MIA)).collect();
    let accept = |token: &str| server.post("/invitation", json!({"token": token, "password": PASSWORD}));
    accept(&tokens[0]).expect_error(400);
    accept(&tokens[1]).expect(201);
    accept(&tokens[2]).expect_error(400);
}

#[test]
fn of_two_who_accept_an_invitation_at_once_one_gets_the_account() {
    let server = only_invited();
    let token = invite(&server, MIA);
    let statuses: Vec<u16> = thread::scope(|scope| {
        let accept = || {
            let body = json!({"token": token, "password": PASSWORD});
            let client = server.anonymous();
            scope.spawn(move || client.post("/invitation", body).status)
        };
        let each: Vec<_> = (0..6).map(|_| accept()).collect();
        each.into_iter().map(|one| one.join().expect("an answer")).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{statuses:?}");
    assert!(statuses.iter().all(|status| [201, 400, 409].contains(status)), "{statuses:?}");
}

#[test]
fn a_mode_that_does_not_exist_stops_the_start() {
    let home = Home::with(&[("accounts.signup", "maybe")]);
    let line = home.run(&["config"], "").expect_failure();
    assert!(line.contains("accounts.signup: `maybe` is unknown; expected open, invited or closed"), "{line}");
}
