//! How a confidential client proves who it is, in the ways that client libraries write it (RFC 6749 §2.3.1).

use std::fmt::Write;

use crate::steps::{App, access_token, basic, refresh_token};
use crate::support::{Answer, PASSWORD, Server, decode};

const BOB: &str = "bob@example.com";
/// An id with every character that one encoder or another writes differently.
const ID: &str = "shop-1.web_app~x";

fn server_and_shop() -> (Server, App) {
    let server = Server::start();
    server.sign_up(BOB);
    let shop = App::add(&server.home, ID, &[]);
    (server, shop)
}

fn log_in(server: &Server, authorization: &str, more: &[(&str, &str)]) -> Answer {
    let fields = [&[("username", BOB), ("password", PASSWORD)], more].concat();
    server.request("POST", "/login").form(&fields).header("authorization", authorization).send()
}

/// With these characters percent-encoded.
fn percent_encoded(text: &str, which: &str) -> String {
    let mut encoded = String::new();
    for c in text.chars() {
        if which.contains(c) {
            write!(encoded, "%{:02X}", u32::from(c)).expect("a String takes everything");
        } else {
            encoded.push(c);
        }
    }
    encoded
}

#[test]
fn basic_is_taken_raw_form_encoded_and_as_a_url() {
    let (server, shop) = server_and_shop();
    let secret = shop.secret();
    for (id, secret) in [
        // As curl, simple-oauth2 and requests-oauthlib send it; Dart's Uri.encodeFull changes none of these characters.
        (ID.to_owned(), secret.to_owned()),
        // oauth4webapi
        (percent_encoded(ID, "-._~"), percent_encoded(secret, "-._~")),
        // form encoders that leave `*-._` alone
        (percent_encoded(ID, "~"), percent_encoded(secret, "~")),
        (percent_encoded(ID, "-"), secret.to_owned()),
        (ID.to_owned(), percent_encoded(secret, "_")),
    ] {
        let grant = log_in(&server, &basic(&id, &secret), &[]).expect_json(200);
        assert_eq!(decode(access_token(&grant)).1["client_id"], ID);
    }
}

#[test]
fn percent_encoding_in_either_case_and_of_every_character_is_taken() {
    let (server, shop) = server_and_shop();
    let all = |text: &str| percent_encoded(text, text);
    log_in(&server, &basic(&all(ID), &all(shop.secret())), &[]).expect_json(200);
    let lower = |text: &str| {
        let upper = percent_encoded(text, "-._~");
        [("%2D", "%2d"), ("%2E", "%2e"), ("%5F", "%5f"), ("%7E", "%7e")]
            .iter()
            .fold(upper, |text, (upper, lower)| text.replace(upper, lower))
    };
    log_in(&server, &basic(&lower(ID), &lower(shop.secret())), &[]).expect_json(200);
}

#[test]
fn client_credentials_in_the_body_are_accepted_too() {
    let (server, shop) = server_and_shop();
    let fields = [("username", BOB), ("password", PASSWORD), ("client_id", ID), ("client_secret", shop.secret())];
    let grant = server.login(&fields).expect_json(200);
    assert_eq!(decode(access_token(&grant)).1["client_id"], ID);
}

#[test]
fn the_id_may_stand_in_the_body_beside_basic() {
    let (server, shop) = server_and_shop();
    let encoded = percent_encoded(ID, "-._~");
    for id in [ID, &encoded] {
        log_in(&server, &basic(id, shop.secret()), &[("client_id", ID)]).expect_json(200);
    }
    log_in(&server, &basic(ID, shop.secret()), &[("client_id", ID), ("client_secret", "")]).expect_json(200);
    log_in(&server, &basic(ID, shop.secret()), &[("client_id", "keyfob")]).expect_oauth_error(400, "invalid_request");
}

#[test]
fn two_secrets_in_one_request_are_invalid_request() {
    let (server, shop) = server_and_shop();
    let authorization = basic(ID, shop.secret());
    let more = [("client_id", ID), ("client_secret", shop.secret())];
    log_in(&server, &authorization, &more).expect_oauth_error(400, "invalid_request");
}

#[test]
fn a_wrong_secret_is_invalid_client_however_it_is_sent() {
    let (server, shop) = server_and_shop();
    let secret = shop.secret();
    let wrong = [&secret[1..], &secret[..secret.len() - 1], &secret.to_uppercase(), "x", "%", "%zz", "é"];
    for secret in wrong {
        log_in(&server, &basic(ID, secret), &[]).expect_oauth_error(401, "invalid_client");
        let fields = [("username", BOB), ("password", PASSWORD), ("client_id", ID), ("client_secret", secret)];
        server.login(&fields).expect_oauth_error(401, "invalid_client");
    }
    log_in(&server, &basic(ID, &format!(" {secret}")), &[]).expect_oauth_error(401, "invalid_client");
    log_in(&server, &basic(&ID.to_uppercase(), secret), &[]).expect_oauth_error(401, "invalid_client");
    log_in(&server, &basic("shop", secret), &[]).expect_oauth_error(401, "invalid_client");
    log_in(&server, &basic("keyfob", secret), &[]).expect_oauth_error(401, "invalid_client");
}

#[test]
fn a_good_client_does_not_make_a_wrong_password_right() {
    let (server, shop) = server_and_shop();
    let fields = [("username", BOB), ("password", "not it at all")];
    shop.post(&server, "/login", &fields).expect_oauth_error(400, "invalid_grant");
}

#[test]
fn a_wrong_secret_fails_a_refresh_and_leaves_the_token_good() {
    let (server, shop) = server_and_shop();
    let grant = shop.log_in(&server, BOB);
    let token = refresh_token(&grant);
    for secret in ["", "wrong"] {
        let fields = [("grant_type", "refresh_token"), ("refresh_token", token)];
        let request = server.request("POST", "/login").form(&fields).header("authorization", &basic(ID, secret));
        request.send().expect_oauth_error(401, "invalid_client");
    }
    shop.refresh(&server, token).expect_json(200);
}

#[test]
fn the_credentials_are_not_read_from_the_query_string() {
    let (server, shop) = server_and_shop();
    let path = format!("/login?client_id={ID}&client_secret={}", shop.secret());
    let fields = [("username", BOB), ("password", PASSWORD)];
    let grant = server.request("POST", &path).form(&fields).send().expect_json(200);
    assert_eq!(decode(access_token(&grant)).1["client_id"], "keyfob");
}

#[test]
fn every_oauth_endpoint_takes_the_same_credentials() {
    let (server, shop) = server_and_shop();
    for (id, secret) in [
        (ID.to_owned(), shop.secret().to_owned()),
        (percent_encoded(ID, "-._~"), percent_encoded(shop.secret(), "-._~")),
    ] {
        let grant = log_in(&server, &basic(&id, &secret), &[]).expect_json(200);
        let token = ("token", access_token(&grant));
        let ask = |path: &str| {
            server.request("POST", path).form(&[token]).header("authorization", &basic(&id, &secret)).send()
        };
        assert_eq!(ask("/introspect").expect_json(200)["active"], true);
        ask("/revoke").expect_json(200);
        assert_eq!(ask("/introspect").expect_json(200)["active"], false);
    }
}
