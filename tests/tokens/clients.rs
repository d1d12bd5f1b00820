//! `keyfob client`: who may ask for tokens, and for which.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::steps::{
    App, access_token, expect_refused, refresh_token, renew, restart_with, session_id, time_until_refused,
};
use crate::support::{Home, PASSWORD, Server, decode, words};

const BOB: &str = "bob@example.com";

fn server_with_bob() -> Server {
    let server = Server::start();
    server.sign_up(BOB);
    server
}

/// The characters that mean the same raw, form-encoded and in a URL.
fn is_client_text(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._~-".contains(&byte))
}

#[test]
fn client_add_prints_the_id_and_the_secret_as_json() {
    let home = Home::new();
    let output = home.run(&["client", "add", "--id", "shop"], "").expect_success();
    let printed: Value = serde_json::from_str(&output).expect("JSON");
    let names: Vec<_> = printed.as_object().unwrap().keys().collect();
    assert_eq!(names, ["client_id", "client_secret"]);
    assert_eq!(printed["client_id"], "shop");
    let secret = printed["client_secret"].as_str().unwrap();
    assert!(is_client_text(secret) && secret.len() >= 43, "256 bits in safe characters: {secret}");
    let again = App::add(&home, "shop2", &[]);
    assert_ne!(again.secret(), secret);
}

#[test]
fn a_public_client_gets_no_secret() {
    let server = server_with_bob();
    let phone = App::add(&server.home, "phone", &["--public"]);
    assert!(phone.secret.is_none());
    let grant = phone.log_in(&server, BOB);
    assert_eq!(decode(access_token(&grant)).1["client_id"], "phone");
    let fields = [("username", BOB), ("password", PASSWORD), ("client_id", "phone"), ("client_secret", "x")];
    server.login(&fields).expect_oauth_error(401, "invalid_client");
}

#[test]
fn the_database_holds_no_client_secret_in_clear() {
    let home = Home::new();
    let app = App::add(&home, "shop", &[]);
    let secret = home.database.bytes(app.secret().as_bytes());
    let kept = home.database.text(&format!(
        "SELECT CASE WHEN secret_hash = {secret} THEN 'in clear' ELSE id || grants || coalesce(scopes, '') END AS value \
         FROM clients"
    ));
    assert!(kept != "in clear" && !kept.contains(app.secret()), "{kept}");
}

#[test]
fn a_client_is_known_at_running_processes_at_once() {
    let server = server_with_bob();
    let second = server.second();
    let app = App::add(&server.home, "shop", &[]);
    for process in [&server, &second] {
        let grant = app.log_in(process, BOB);
        process.with_token(access_token(&grant)).get("/me").expect_json(200);
        app.refresh(process, refresh_token(&grant)).expect_json(200);
    }
}

#[test]
fn a_taken_id_is_refused_with_one_line() {
    let home = Home::new();
    App::add(&home, "shop", &[]);
    for options in [&[][..], &["--public"]] {
        let line = home.run(&[&["client", "add", "--id", "shop"], options].concat(), "").expect_failure();
        assert!(line.contains("shop"), "{line}");
    }
    let line = home.run(&["client", "add", "--id", "keyfob"], "").expect_failure();
    assert!(line.contains("keyfob"), "the built-in one: {line}");
}

#[test]
fn an_id_of_other_characters_an_unknown_grant_or_scope_is_refused() {
    let home = Home::new();
    let long = "x".repeat(129);
    for arguments in [
        &["--id", "a b"][..],
        &["--id", ""],
        &["--id", "a:b"],
        &["--id", "a/b"],
        &["--id", "é"],
        &["--id", "a+b"],
        &["--id", "a%b"],
        &["--id", &long],
        &["--id", "ok", "--grant", "client_credentials"],
        &["--id", "ok", "--grant", ""],
        &["--id", "ok", "--scope", "profile nonsense"],
        &["--id", "ok", "--access-ttl-seconds", "0"],
        &["--id", "ok", "--access-ttl-seconds", "soon"],
        &["--id", "ok", "--refresh-ttl-seconds", "-1"],
        &[],
    ] {
        let run = home.run(&[&["client", "add"], arguments].concat(), "");
        assert_eq!(run.code, Some(1), "{arguments:?}: {run:?}");
        assert!(run.stdout.is_empty() && !run.stderr.contains("panicked"), "{arguments:?}: {run:?}");
    }
    assert_eq!(home.run(&["client", "list"], "").expect_success().trim(), "");
}

#[test]
fn client_list_names_every_client_and_no_secret() {
    let home = Home::new();
    let shop = App::add(&home, "shop", &["--grant", "password", "--scope", "profile"]);
    App::add(&home, "phone", &["--public"]);
    let output = home.run(&["client", "list"], "").expect_success();
    let lines: Vec<_> = output.lines().collect();
    assert_eq!(lines.len(), 2, "{output}");
    let line = |id: &str| lines.iter().find(|line| line.starts_with(id)).unwrap_or_else(|| panic!("{id}: {output}"));
    assert!(line("shop").contains("password") && line("shop").contains("profile"), "{output}");
    assert!(!line("shop").contains("refresh_token") && line("phone").contains("refresh_token"), "{output}");
    assert!(line("phone").contains("public") && !line("shop").contains("public"), "{output}");
    assert!(!output.contains(shop.secret()), "{output}");
}

#[test]
fn removing_a_client_ends_its_sessions_and_no_others() {
    let server = server_with_bob();
    let second = server.second();
    let (shop, phone) = (App::add(&server.home, "shop", &[]), App::add(&server.home, "phone", &["--public"]));
    let (there, here) = (shop.log_in(&server, BOB), phone.log_in(&second, BOB));
    let own = server.log_in(BOB);
    server.home.run(&["client", "remove", "--id", "shop"], "").expect_success();
    for process in [&server, &second] {
        shop.refresh(process, refresh_token(&there)).expect_oauth_error(401, "invalid_client");
        time_until_refused(process, access_token(&there));
        process.with_token(access_token(&here)).get("/me").expect_json(200);
    }
    phone.refresh(&server, refresh_token(&here)).expect_json(200);
    renew(&server, refresh_token(&own.grant));
    let listed = own.get("/me/sessions").expect_json(200);
    let left: Vec<_> = listed["items"].as_array().unwrap().iter().map(|item| item["client_id"].clone()).collect();
    assert!(!left.contains(&json!("shop")), "{listed}");
    assert!(!server.home.run(&["client", "list"], "").expect_success().contains("shop"));
}

#[test]
fn a_client_that_comes_back_under_its_old_id_has_none_of_its_old_sessions() {
    let server = server_with_bob();
    let before = App::add(&server.home, "shop", &[]);
    let grant = before.log_in(&server, BOB);
    server.home.run(&["client", "remove", "--id", "shop"], "").expect_success();
    let after = App::add(&server.home, "shop", &[]);
    assert_ne!(after.secret(), before.secret());
    before.refresh(&server, refresh_token(&grant)).expect_oauth_error(401, "invalid_client");
    after.refresh(&server, refresh_token(&grant)).expect_oauth_error(400, "invalid_grant");
    time_until_refused(&server, access_token(&grant));
    after.log_in(&server, BOB);
}

#[test]
fn removing_an_unknown_client_fails() {
    let home = Home::new();
    for id in ["ghost", "keyfob"] {
        let line = home.run(&["client", "remove", "--id", id], "").expect_failure();
        assert!(line.contains(id), "{line}");
    }
}

#[test]
fn the_password_grant_is_refused_to_a_client_without_it() {
    let server = server_with_bob();
    for (id, options) in
        [("later", &["--grant", "refresh_token"][..]), ("phone", &["--public", "--grant", "refresh_token"])]
    {
        let app = App::add(&server.home, id, options);
        for grant_type in ["password", ""] {
            let fields = [("grant_type", grant_type), ("username", BOB), ("password", PASSWORD)];
            app.post(&server, "/login", &fields).expect_oauth_error(400, "unauthorized_client");
        }
        app.refresh(&server, "x").expect_oauth_error(400, "invalid_grant");
    }
}

#[test]
fn a_refresh_is_refused_to_a_client_without_that_grant() {
    let server = server_with_bob();
    let once = App::add(&server.home, "once", &["--public", "--grant", "password"]);
    let grant = once.log_in(&server, BOB);
    let token = grant["refresh_token"].as_str().unwrap_or("none was given, which is fine");
    once.refresh(&server, token).expect_oauth_error(400, "unauthorized_client");
}

#[test]
fn both_grants_may_be_named() {
    let server = server_with_bob();
    let app = App::add(&server.home, "app", &["--grant", "password", "--grant", "refresh_token"]);
    let grant = app.log_in(&server, BOB);
    app.refresh(&server, refresh_token(&grant)).expect_json(200);
}

#[test]
fn a_client_has_at_the_most_the_scopes_that_it_was_given() {
    let server = server_with_bob();
    server.admin("root@example.com");
    let reader = App::add(&server.home, "reader", &["--scope", "profile"]);
    let grant = reader.log_in(&server, BOB);
    assert_eq!(grant["scope"], "profile");
    let ask =
        |scope: &str| reader.post(&server, "/login", &[("username", BOB), ("password", PASSWORD), ("scope", scope)]);
    assert_eq!(ask("profile posts").expect_json(200)["scope"], "profile");
    ask("posts").expect_oauth_error(400, "invalid_scope");
    ask("nonsense").expect_oauth_error(400, "invalid_scope");
    assert_eq!(reader.log_in(&server, "root@example.com")["scope"], "profile");
    let editor = App::add(&server.home, "editor", &["--scope", "posts profile"]);
    let grant = editor.log_in(&server, "root@example.com");
    assert_eq!(words(grant["scope"].as_str().unwrap()), ["posts", "profile"]);
    let again = editor.refresh(&server, refresh_token(&grant)).expect_json(200);
    assert_eq!(again["scope"], grant["scope"]);
}

#[test]
fn a_client_s_own_lifetime_is_never_longer_than_the_configured_one() {
    let server = Server::with(&[("token.access_ttl_seconds", "60")]);
    server.sign_up(BOB);
    let app = App::add(&server.home, "app", &["--access-ttl-seconds", "3600"]);
    let grant = app.log_in(&server, BOB);
    assert!(grant["expires_in"].as_u64().unwrap() <= 60, "{grant}");
}

#[test]
fn a_refresh_token_is_bound_to_its_client() {
    let server = server_with_bob();
    let (shop, phone) = (App::add(&server.home, "shop", &[]), App::add(&server.home, "phone", &["--public"]));
    let (there, here) = (shop.log_in(&server, BOB), phone.log_in(&server, BOB));
    let own = server.log_in(BOB);
    for token in [refresh_token(&here), refresh_token(&own.grant)] {
        shop.refresh(&server, token).expect_oauth_error(400, "invalid_grant");
    }
    for token in [refresh_token(&there), refresh_token(&own.grant)] {
        phone.refresh(&server, token).expect_oauth_error(400, "invalid_grant");
    }
    for token in [refresh_token(&there), refresh_token(&here)] {
        expect_refused(&server, token);
    }
    let there = shop.refresh(&server, refresh_token(&there)).expect_json(200);
    phone.refresh(&server, refresh_token(&here)).expect_json(200);
    renew(&server, refresh_token(&own.grant));
    assert_eq!(decode(access_token(&there)).1["client_id"], "shop");
    assert_ne!(session_id(access_token(&there)), session_id(&own.token));
}

#[test]
fn the_built_in_client_can_be_switched_off() {
    let server = server_with_bob();
    let own = server.log_in(BOB);
    let shop = App::add(&server.home, "shop", &[]);
    let server = restart_with(server, &[("token.builtin_client", "false")]);
    for client in [&[][..], &[("client_id", "keyfob")], &[("client_id", "")]] {
        let fields = [&[("username", BOB), ("password", PASSWORD)], client].concat();
        server.login(&fields).expect_oauth_error(401, "invalid_client");
    }
    let token = refresh_token(&own.grant);
    let fields = [("grant_type", "refresh_token"), ("refresh_token", token)];
    server.login(&fields).expect_oauth_error(401, "invalid_client");
    let revocation = server.request("POST", "/revoke").form(&[("token", token)]).send();
    revocation.expect_oauth_error(401, "invalid_client");
    let grant = shop.log_in(&server, BOB);
    shop.refresh(&server, refresh_token(&grant)).expect_json(200);
}

#[test]
fn the_password_grant_can_be_switched_off_for_everybody() {
    let server = server_with_bob();
    let shop = App::add(&server.home, "shop", &[]);
    let (own, there) = (server.log_in(BOB), shop.log_in(&server, BOB));
    let server = restart_with(server, &[("token.password_grant", "false")]);
    for grant_type in ["password", ""] {
        let fields = [("grant_type", grant_type), ("username", BOB), ("password", PASSWORD)];
        server.login(&fields).expect_oauth_error(400, "unauthorized_client");
        shop.post(&server, "/login", &fields).expect_oauth_error(400, "unauthorized_client");
    }
    server.with_token(&own.token).get("/me").expect_json(200);
    renew(&server, refresh_token(&own.grant));
    shop.refresh(&server, refresh_token(&there)).expect_json(200);
}

#[test]
fn a_client_may_be_added_before_the_first_start() {
    let home = Arc::new(Home::new());
    let shop = App::add(&home, "shop", &[]);
    let server = Server::at(home);
    server.sign_up(BOB);
    shop.log_in(&server, BOB);
}
