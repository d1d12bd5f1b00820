//! `grant_type=refresh_token`: what it takes and gives (RFC 6749 §6).

use serde_json::Value;

use crate::steps::{access_token, expect_refused, refresh_token, renew, session_id};
use crate::support::{Actor, Answer, Server, decode};

fn server_and_bob() -> (Server, Actor) {
    let server = Server::start();
    let bob = server.sign_up("bob@example.com");
    (server, bob)
}

fn refresh_for(server: &Server, grant: &Value, scope: &str) -> Answer {
    server.login(&[("grant_type", "refresh_token"), ("refresh_token", refresh_token(grant)), ("scope", scope)])
}

#[test]
fn a_refresh_gives_the_same_members_as_a_login() {
    let (server, bob) = server_and_bob();
    let answer = crate::steps::refresh(&server, refresh_token(&bob.grant));
    answer.expect_uncached();
    let grant = answer.expect_json(200);
    let names: Vec<_> = grant.as_object().unwrap().keys().collect();
    assert_eq!(names, bob.grant.as_object().unwrap().keys().collect::<Vec<_>>());
    for member in ["token_type", "expires_in", "scope"] {
        assert_eq!(grant[member], bob.grant[member], "{member}");
    }
    assert_ne!(access_token(&grant), bob.token);
    server.with_token(access_token(&grant)).get("/me").expect_json(200);
}

#[test]
fn a_refresh_stays_in_its_session() {
    let (server, bob) = server_and_bob();
    let grant = renew(&server, refresh_token(&bob.grant));
    let grant = renew(&server, refresh_token(&grant));
    assert_eq!(session_id(access_token(&grant)), session_id(&bob.token));
    assert_eq!(bob.get("/me/sessions").expect_json(200)["items"].as_array().unwrap().len(), 1);
}

#[test]
fn a_refresh_may_narrow_the_scope_of_that_access_token_alone() {
    let (server, bob) = server_and_bob();
    let narrow = refresh_for(&server, &bob.grant, "profile").expect_json(200);
    assert_eq!(narrow["scope"], "profile");
    assert_eq!(decode(access_token(&narrow)).1["scope"], "profile");
    let body = serde_json::json!({"title": "t", "content": "c"});
    server.with_token(access_token(&narrow)).post("/posts", body.clone()).expect_insufficient_scope("posts");
    let whole = renew(&server, refresh_token(&narrow));
    assert_eq!(whole["scope"], bob.grant["scope"]);
    server.with_token(access_token(&whole)).post("/posts", body).expect(201);
}

#[test]
fn a_repeated_refresh_may_narrow_the_scope_too() {
    let (server, bob) = server_and_bob();
    let live = renew(&server, refresh_token(&bob.grant));
    let again = refresh_for(&server, &bob.grant, "posts").expect_json(200);
    assert_eq!(again["scope"], "posts");
    assert_eq!(refresh_token(&again), refresh_token(&live));
}

#[test]
fn a_refresh_for_more_than_was_granted_is_invalid_scope() {
    let server = Server::start();
    server.sign_up("bob@example.com");
    let admin = server.admin("root@example.com");
    assert!(admin.grant["scope"].as_str().unwrap().contains("admin"));
    let narrow = server.log_in_for("root@example.com", "profile");
    for scope in ["posts", "profile posts", "admin", "nonsense", "profile nonsense", "Profile"] {
        refresh_for(&server, &narrow.grant, scope).expect_oauth_error(400, "invalid_scope");
    }
    let bob = server.log_in("bob@example.com");
    refresh_for(&server, &bob.grant, "admin").expect_oauth_error(400, "invalid_scope");
    renew(&server, refresh_token(&narrow.grant));
    renew(&server, refresh_token(&bob.grant));
}

#[test]
fn revoked_rights_end_the_sessions_so_that_no_refresh_restores_them() {
    let server = Server::start();
    let admin = server.admin("root@example.com");
    let live = renew(&server, refresh_token(&admin.grant));
    server.home.database.execute("UPDATE users SET is_admin = FALSE");
    expect_refused(&server, refresh_token(&live));
    expect_refused(&server, refresh_token(&admin.grant));
    let anew = server.log_in("root@example.com");
    assert!(!anew.grant["scope"].as_str().unwrap().contains("admin"), "{}", anew.grant);
    renew(&server, refresh_token(&anew.grant));
}

#[test]
fn the_refresh_token_is_taken_from_the_body_alone() {
    let (server, bob) = server_and_bob();
    let token = refresh_token(&bob.grant);
    let path = format!("/login?grant_type=refresh_token&refresh_token={token}");
    server.request("POST", &path).form(&[]).send().expect_oauth_error(400, "invalid_request");
    let path = format!("/login?refresh_token={token}");
    let form = [("grant_type", "refresh_token")];
    server.request("POST", &path).form(&form).send().expect_oauth_error(400, "invalid_request");
    renew(&server, token);
}

#[test]
fn a_missing_empty_or_repeated_refresh_token_is_invalid_request_and_named() {
    let (server, bob) = server_and_bob();
    let token = refresh_token(&bob.grant);
    for fields in [
        &[("grant_type", "refresh_token")][..],
        &[("grant_type", "refresh_token"), ("refresh_token", "")],
        &[("grant_type", "refresh_token"), ("refresh_token", token), ("refresh_token", token)],
    ] {
        let error = server.login(fields).expect_oauth_error(400, "invalid_request");
        assert!(error["detail"].as_str().unwrap().contains("refresh_token"), "{error}");
    }
    renew(&server, token);
}

#[test]
fn an_empty_scope_and_unknown_parameters_do_not_matter() {
    let (server, bob) = server_and_bob();
    let grant = server.login(&[
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh_token(&bob.grant)),
        ("scope", ""),
        ("allow_redirects", "True"),
        ("username", "somebody@example.com"),
        ("client_id", "keyfob"),
    ]);
    assert_eq!(grant.expect_json(200)["scope"], bob.grant["scope"]);
}

#[test]
fn a_stale_bearer_header_does_not_matter() {
    let (server, bob) = server_and_bob();
    let fields = [("grant_type", "refresh_token"), ("refresh_token", refresh_token(&bob.grant))];
    bob.login(&fields).expect_json(200);
    server.with_token("stale").login(&fields).expect_json(200);
}

#[test]
fn anything_that_is_no_refresh_token_is_invalid_grant() {
    let (server, bob) = server_and_bob();
    let good = refresh_token(&bob.grant);
    let stranger = Server::start().sign_up("bob@example.com");
    let long = "x".repeat(60_000);
    let mut changed = good.to_owned();
    changed.replace_range(
        good.len() / 2..=good.len() / 2,
        if changed.as_bytes()[good.len() / 2] == b'A' { "B" } else { "A" },
    );
    let tokens = [
        "x".to_owned(),
        " ".to_owned(),
        "é\u{0}".to_owned(),
        long,
        changed,
        good[1..].to_owned(),
        good[..good.len() - 1].to_owned(),
        format!("{good}A"),
        format!("{good}="),
        format!(" {good}"),
        format!("{good}\n"),
        good.to_lowercase(),
        good.replace('_', "-"),
        bob.token.clone(),
        refresh_token(&stranger.grant).to_owned(),
    ];
    for token in tokens {
        expect_refused(&server, &token);
    }
    renew(&server, good);
}

#[test]
fn no_other_last_character_makes_the_same_refresh_token() {
    let (server, bob) = server_and_bob();
    let good = refresh_token(&bob.grant);
    let (rest, last) = good.split_at(good.len() - 1);
    for other in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".chars() {
        if !last.starts_with(other) {
            expect_refused(&server, &format!("{rest}{other}"));
        }
    }
    renew(&server, good);
}

#[test]
fn the_database_holds_no_refresh_token() {
    let server = Server::start();
    let bob = server.sign_up("bob@example.com");
    let grant = renew(&server, refresh_token(&bob.grant));
    let row = match server.home.database.url().starts_with("postgres") {
        true => "SELECT CAST(sessions AS TEXT) AS value FROM sessions",
        false => "SELECT client_id || scope || hex(secret_hash) || coalesce(user_agent, '') AS value FROM sessions",
    };
    let row = server.home.database.text(row).to_lowercase();
    for token in [refresh_token(&bob.grant), refresh_token(&grant)] {
        let secret = token.strip_prefix("kfr_").unwrap_or(token);
        assert!(!row.contains(&secret.to_lowercase()), "{row}");
    }
}

#[test]
fn no_log_line_holds_a_token() {
    let server = Server::start();
    let bob = server.sign_up("bob@example.com");
    let grant = renew(&server, refresh_token(&bob.grant));
    expect_refused(&server, &format!("{}x", refresh_token(&grant)));
    server.with_token(&format!("{}x", access_token(&grant))).get("/me").expect_invalid_token();
    crate::steps::revoke(&server, refresh_token(&grant));
    let log = server.whole_log().join("\n");
    for token in [refresh_token(&bob.grant), refresh_token(&grant), access_token(&grant), &bob.token] {
        assert!(!log.contains(token), "{log}");
    }
}
