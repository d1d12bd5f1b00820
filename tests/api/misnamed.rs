//! Contract, "`POST /login`": a missing parameter is named. So is what was sent in its place, by people who know another
//! service and by libraries that write camelCase.

use crate::support::{PASSWORD, Server};

const BOB: &str = "bob@example.com";

#[test]
fn a_parameter_under_another_name_is_missing_and_both_names_are_told() {
    let server = Server::start();
    let bob = server.sign_up(BOB);
    let refresh = bob.grant["refresh_token"].as_str().unwrap();
    let (password, renewal) = (("password", PASSWORD), ("grant_type", "refresh_token"));
    for (path, fields, missing, sent) in [
        ("/login", &[("email", BOB), password][..], "username", "email"),
        ("/login", &[("grant_type", "password"), ("email", BOB), password], "username", "email"),
        ("/login", &[("email", BOB)], "username", "email"),
        ("/login", &[("email", BOB), ("username", ""), password], "username", "email"),
        ("/login", &[("user", BOB), password], "username", "user"),
        ("/login", &[("userName", BOB), password], "username", "userName"),
        ("/login", &[("username", BOB), ("pass", PASSWORD)], "password", "pass"),
        ("/login", &[renewal, ("refreshToken", refresh)], "refresh_token", "refreshToken"),
        ("/login", &[renewal, ("token", refresh)], "refresh_token", "token"),
        ("/login", &[("grantType", "refresh_token"), ("refresh_token", refresh)], "grant_type", "grantType"),
        ("/revoke", &[("refresh_token", refresh)], "token", "refresh_token"),
        ("/revoke", &[("accessToken", &bob.token)], "token", "accessToken"),
    ] {
        let error = server.request("POST", path).form(fields).send().expect_oauth_error(400, "invalid_request");
        let told = format!("The parameter {missing} is missing: {sent} was sent in its place");
        assert_eq!(error["detail"], told.as_str(), "{fields:?}");
    }
    server.login(&[renewal, ("refresh_token", refresh)]).expect_json(200);
}

#[test]
fn without_a_username_a_password_implies_the_password_grant() {
    let server = Server::start();
    for (fields, missing) in [
        (&[("password", PASSWORD)][..], "username"),
        (&[("password", PASSWORD), ("scope", "profile"), ("client_id", "keyfob")], "username"),
        (&[("refresh_token", "kfr_x")], "grant_type"),
        (&[], "grant_type"),
    ] {
        let error = server.login(fields).expect_oauth_error(400, "invalid_request");
        assert_eq!(error["detail"], format!("The parameter {missing} is missing"), "{fields:?}");
    }
}

#[test]
fn an_unknown_parameter_beside_the_right_one_is_ignored() {
    let server = Server::start();
    server.sign_up(BOB);
    let fields = [("email", "eve@example.com"), ("username", BOB), ("password", PASSWORD), ("grantType", "x")];
    server.login(&fields).expect_json(200);
}
