//! Contract, "Accounts": `GET /me/export`, and the same on the command line.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::recovery::token_of;
use crate::support::{Actor, PASSWORD, Server};

const BOB: &str = "bob@example.com";

fn export(actor: &Actor) -> Value {
    actor.get("/me/export").expect_json(200)
}

fn list<'v>(document: &'v Value, name: &str) -> &'v Vec<Value> {
    document[name].as_array().unwrap_or_else(|| panic!("{name} in {document}"))
}

#[test]
fn an_export_has_all_that_is_kept_about_the_caller_and_nothing_of_others() {
    let server = Server::start();
    let eve = server.sign_up("eve@example.com");
    eve.write_post("of eve");
    let bob = server.sign_up(BOB);
    let ended = server.log_in(BOB);
    ended.request("POST", "/revoke").form(&[("token", &ended.token)]).send().expect(200);
    bob.write_post("first \"of\" bob");
    bob.write_post("second");
    server.home.run(&["user", "reset-link", BOB], "").expect_success();
    let document = export(&bob);
    assert_eq!(document["format"], "keyfob-export-1");
    assert_eq!(document["user"], bob.get("/me").expect_json(200));
    let titles: Vec<&Value> = list(&document, "posts").iter().map(|post| &post["title"]).collect();
    assert_eq!(titles, ["second", "first \"of\" bob"]);
    let sessions = list(&document, "sessions");
    assert_eq!(sessions.len(), 2);
    assert!(sessions[0]["ended_at"].is_string() && sessions[1]["ended_at"].is_null(), "{document}");
    assert_eq!(sessions[1]["ip"], "127.0.0.1");
    let tokens = list(&document, "one_time_tokens");
    assert_eq!(tokens[0]["purpose"], "password_reset");
    assert_eq!(list(&document, "mails")[0]["kind"], "email_verification");
    let kinds: BTreeSet<&str> = list(&document, "events").iter().filter_map(|event| event["type"].as_str()).collect();
    assert_eq!(kinds, BTreeSet::from(["exported", "log_in", "log_out", "reset_link_made", "signed_up"]));
    let text = document.to_string();
    assert!(!text.contains("eve@example.com") && !text.contains("of eve"), "{text}");
}

#[test]
fn an_export_holds_no_secret() {
    let server = Server::start();
    let bob = server.sign_up(BOB);
    let link = server.home.run(&["user", "reset-link", BOB], "").expect_success();
    let token = token_of(&link, "http://127.0.0.1:8000/password-reset/confirm");
    let answer = bob.get("/me/export").expect(200);
    let text = answer.text();
    let refresh_token = bob.grant["refresh_token"].as_str().expect("a token");
    for secret in [PASSWORD, "$2b$", "hash", &token, &bob.token, refresh_token] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
}

#[test]
fn an_export_is_a_file_to_save_that_no_cache_keeps() {
    let server = Server::start();
    let answer = server.sign_up(BOB).get("/me/export");
    assert_eq!(answer.need("content-disposition"), "attachment; filename=\"keyfob-export.json\"");
    assert_eq!(answer.need("content-type"), "application/json");
    assert_eq!(answer.need("cache-control"), "no-store");
}

#[test]
fn an_export_needs_the_scope_profile() {
    let server = Server::start();
    server.sign_up(BOB);
    server.get("/me/export").expect_no_credentials();
    server.log_in_for(BOB, "posts").get("/me/export").expect_insufficient_scope("profile");
}

#[test]
fn every_row_of_a_long_list_is_in_an_export_exactly_once() {
    let server = Server::start();
    let bob = server.sign_up(BOB);
    let id = bob.id();
    for table in [
        "posts (title, content, author_id, revision, created_at, updated_at) SELECT 'post ' || n, 'c', $id, 1, 0, 0",
        "events (at, kind, user_id, details) SELECT 4102444800000, 'log_in', $id, '{}'",
        "sessions (user_id, client_id, scope, secret_hash, generation, proven_generation, refreshed_at, \
         refresh_ttl_seconds, created_at, last_used_at, expires_at) \
         SELECT $id, 'keyfob', 'profile', $hash, 1, 1, 4102444800000, 60, n, n, 4102444800000",
    ] {
        let hash = server.home.database.bytes(&[7; 32]);
        let insert = table.replace("$id", &id.to_string()).replace("$hash", &hash);
        server.home.database.execute(&format!(
            "INSERT INTO {} FROM (WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 1001) \
             SELECT n FROM numbers) AS numbered",
            insert
        ));
    }
    let document = export(&bob);
    // The first session, and the events of sign-up, login and export.
    for (name, count) in [("posts", 1001), ("sessions", 1002), ("events", 1004)] {
        let ids: BTreeSet<i64> = list(&document, name).iter().filter_map(|row| row["id"].as_i64()).collect();
        assert_eq!((list(&document, name).len(), ids.len()), (count, count), "{name}");
    }
}

#[test]
fn an_export_of_much_takes_little_memory_however_slowly_it_is_read() {
    use std::io::Read;

    if !cfg!(target_os = "linux") {
        return;
    }
    let server = Server::start();
    let bob = server.sign_up(BOB);
    // Forty megabytes.
    server.home.database.execute(&format!(
        "INSERT INTO posts (title, content, author_id, revision, created_at, updated_at) SELECT 'post', '{}', {}, 1, 0, 0 \
         FROM (WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 2000) SELECT n FROM numbers) \
         AS numbered",
        "x".repeat(20_000),
        bob.id()
    ));
    let resident = || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", server.id())).expect("the status");
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("a line").to_owned();
        line.split_whitespace().nth(1).and_then(|kilobytes| kilobytes.parse::<u64>().ok()).expect("a number") / 1024
    };
    bob.get("/me").expect(200);
    let before = resident();
    let mut stream = std::net::TcpStream::connect(&server.address).expect("a connection");
    let head = format!(
        "GET /me/export HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\r\n",
        bob.token
    );
    std::io::Write::write_all(&mut stream, head.as_bytes()).expect("a request");
    // Time enough to read all, if it were not for the client.
    (0..100).for_each(|_| drop(bob.get("/me").expect(200)));
    let mut text = Vec::new();
    stream.read_to_end(&mut text).expect("a document");
    assert!(text.len() > 40_000_000, "{}", text.len());
    assert!(text.ends_with(b"0\r\n\r\n"), "to its end");
    let growth = resident() - before;
    assert!(growth < 20, "{growth} MB");
}

#[test]
fn an_export_ends_with_the_session() {
    use std::io::Read;

    let server = Server::start();
    let (bob, other) = (server.sign_up(BOB), server.log_in(BOB));
    server.home.database.execute(&format!(
        "INSERT INTO posts (title, content, author_id, revision, created_at, updated_at) SELECT 'post', '{}', {}, 1, 0, 0 \
         FROM (WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 2000) SELECT n FROM numbers) \
         AS numbered",
        "x".repeat(20_000),
        bob.id()
    ));
    let mut stream = std::net::TcpStream::connect(&server.address).expect("a connection");
    let head = format!("GET /me/export HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\r\n", bob.token);
    std::io::Write::write_all(&mut stream, head.as_bytes()).expect("a request");
    let mut first = [0; 1000];
    stream.read_exact(&mut first).expect("the beginning");
    other.delete("/me/sessions").expect(204);
    crate::support::until("the session has ended", std::time::Duration::from_secs(10), || bob.get("/me").status == 401);
    let mut rest = Vec::new();
    let _cut_off = stream.read_to_end(&mut rest);
    assert!(rest.len() < 30_000_000 && !rest.ends_with(b"0\r\n\r\n"), "{}", rest.len());
}

#[test]
fn the_command_line_prints_the_same_document() {
    let server = Server::start();
    let bob = server.sign_up(BOB);
    bob.write_post("mine");
    let id = bob.id().to_string();
    for account in [BOB, id.as_str()] {
        let printed = server.home.run(&["user", "export", account], "").expect_success();
        let mut printed: Value = serde_json::from_str(&printed).expect("a document");
        let mut document = export(&bob);
        // Uses are noted at once, and written a moment later.
        for either in [&mut printed, &mut document] {
            either["sessions"][0]["last_used_at"].take();
        }
        for name in ["format", "user", "sessions", "one_time_tokens", "posts"] {
            assert_eq!(printed[name], document[name], "{name}");
        }
        assert_eq!(list(&printed, "events")[0]["details"], json!({"by": "command line"}));
    }
    let line = server.home.run(&["user", "export", "nobody@example.com"], "").expect_failure();
    assert!(line.contains("no account has the e-mail address nobody@example.com"), "{line}");
}
