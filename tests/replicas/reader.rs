//! `database.read_url`: a standby answers what may lag.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::postgres::{Postgres, service_url, start_postgres};
use crate::support::{Actor, Client, Home, Server, until};

const PATIENCE: Duration = Duration::from_secs(40);
/// What a standby that is away may cost all of these reads together; each would wait 5 s for a connection to it.
const READS: usize = 60;
const LONGEST_OF_ALL: Duration = Duration::from_secs(8);

/// A primary, a standby that reads are sent to, and the service on both.
fn start() -> Option<(Postgres, Postgres, Server)> {
    let primary = start_postgres()?;
    let standby = primary.stand_by();
    primary.acknowledge_alone();
    let (url, read_url) = (service_url(&[&primary], "keyfob"), service_url(&[&standby], "keyfob"));
    let server = Server::with(&[("database.url", &url), ("database.read_url", &read_url)]);
    Some((primary, standby, server))
}

/// From now on the standby takes in what the primary writes, but does not show it.
#[track_caller]
fn pause_replay(standby: &Postgres) {
    standby.execute("SELECT pg_wal_replay_pause()");
    let state = "SELECT pg_get_wal_replay_pause_state() AS value";
    until("replay is paused", PATIENCE, || standby.text(state) == "paused");
}

#[track_caller]
fn titles(client: &Client, path: &str) -> Vec<String> {
    let page = client.get(path).expect_json(200);
    let items = page["items"].as_array().expect("items").iter();
    items.map(|post| post["title"].as_str().expect("a title").to_owned()).collect()
}

#[track_caller]
fn until_shown(client: &Client, title: &str) {
    until(title, PATIENCE, || titles(client, "/posts").iter().any(|shown| shown == title));
}

/// The standby is the one that answers strangers: it does not show them a post, of a title that no other has, which was
/// written while its replay is paused.
#[track_caller]
fn expect_answers_of_standby(standby: &Postgres, author: &Actor, stranger: &Client, title: &str) {
    pause_replay(standby);
    author.write_post(title);
    until("the standby is asked again", PATIENCE, || {
        assert_eq!(titles(author, "/posts?limit=1"), [title]);
        titles(stranger, "/posts?limit=1") != [title]
    });
    standby.execute("SELECT pg_wal_replay_resume()");
    until_shown(stranger, title);
}

/// Many reads of a stranger, none of which fails, and which together do not wait long.
#[track_caller]
fn expect_quick_answers(stranger: &Client, post_url: &str) {
    let start = Instant::now();
    for _ in 0..READS / 2 {
        stranger.get("/posts").expect_json(200);
        stranger.get(post_url).expect_json(200);
    }
    assert!(start.elapsed() <= LONGEST_OF_ALL, "{READS} reads within {:?}", start.elapsed());
}

#[test]
fn strangers_read_the_standby_and_who_sends_a_token_sees_the_own_write() {
    let Some((_primary, standby, server)) = start() else { return };
    let ada = server.sign_up("ada@example.com");
    let stranger = server.anonymous();
    let first = ada.write_post("First");
    ada.write_post("Second");
    until_shown(&stranger, "Second");
    pause_replay(&standby);
    let third = ada.write_post("Third");
    let changed = ada.patch(&first, json!({"title": "First, changed"})).expect(200);

    assert_eq!(titles(&ada, "/posts"), ["Third", "Second", "First, changed"]);
    assert_eq!(titles(&stranger, "/posts"), ["Second", "First"]);
    ada.get(&third).expect_json(200);
    stranger.get(&third).expect_error(404);

    // The version and its ETag belong together, wherever they come from.
    let (old, new) = (stranger.get(&first).expect(200), ada.get(&first).expect(200));
    assert_eq!(new.need("etag"), changed.need("etag"));
    assert_ne!(old.need("etag"), new.need("etag"));
    let known = |client: &Client, etag: &str| client.request("GET", &first).header("if-none-match", etag).send();
    known(&stranger, old.need("etag")).expect_empty(304);
    known(&ada, new.need("etag")).expect_empty(304);
    assert_eq!(known(&ada, old.need("etag")).expect_json(200)["title"], "First, changed");
    // A change that is meant for the old version is judged by the newest state.
    let change = ada.request("PATCH", &first).header("if-match", old.need("etag")).json(&json!({"title": "No"}));
    change.send().expect_error(412);

    // A page that follows another is of the newest state: nothing between the two states is left out.
    let page: Value = stranger.get("/posts?limit=1").expect_json(200);
    assert_eq!(page["items"][0]["title"], "Second");
    let next = format!("/posts?limit=1&cursor={}", page["next_cursor"].as_str().expect("a next page"));
    assert_eq!(titles(&stranger, &next), ["First, changed"]);

    standby.execute("SELECT pg_wal_replay_resume()");
    until_shown(&stranger, "Third");
}

#[test]
fn while_the_standby_is_away_strangers_read_the_primary_and_then_the_standby_again() {
    let Some((_primary, mut standby, server)) = start() else { return };
    let ada = server.sign_up("ada@example.com");
    let stranger = server.anonymous();
    let post_url = ada.write_post("Hello");
    until_shown(&stranger, "Hello");
    expect_answers_of_standby(&standby, &ada, &stranger, "Before");

    standby.freeze();
    expect_quick_answers(&stranger, &post_url);
    server.get("/readyz").expect_json(200);
    standby.thaw();
    expect_answers_of_standby(&standby, &ada, &stranger, "After it stood still");

    standby.kill();
    expect_quick_answers(&stranger, &post_url);
    server.get("/readyz").expect_json(200);
    // A process that starts meanwhile does not mind either.
    let second = server.second();
    expect_quick_answers(&second, &post_url);
    second.get("/readyz").expect_json(200);
    standby.start();
    expect_answers_of_standby(&standby, &ada, &stranger, "After its death");
    expect_answers_of_standby(&standby, &ada, &second, "Of the second");
}

#[test]
fn a_read_that_the_standby_stops_is_answered_by_the_primary() {
    let Some((primary, standby, server)) = start() else { return };
    let ada = server.sign_up("ada@example.com");
    let post_url = ada.write_post("Hello");
    until_shown(&server, "Hello");
    // What a conflict with recovery looks like to a reader, at will: a rule that the standby cannot check.
    for statement in [
        "CREATE FUNCTION conflict() RETURNS BOOLEAN LANGUAGE plpgsql AS $$ BEGIN IF pg_is_in_recovery() THEN \
         RAISE EXCEPTION 'canceling statement due to conflict with recovery' USING ERRCODE = '40001'; END IF; \
         RETURN TRUE; END $$",
        "CREATE POLICY conflict ON posts USING (conflict())",
        "ALTER TABLE posts FORCE ROW LEVEL SECURITY",
        "ALTER TABLE posts ENABLE ROW LEVEL SECURITY",
    ] {
        primary.execute_in("keyfob", statement);
    }
    let count = "SELECT count(*)::text AS value FROM pg_class WHERE relname = 'posts' AND relrowsecurity";
    until("the standby has the rule", PATIENCE, || standby.text_in("keyfob", count) == "1");
    expect_quick_answers(&server, &post_url);
    let said = server.whole_log();
    assert!(!said.iter().any(|line| line.contains("the read replica failed")), "a conflict is no fault: {said:?}");
    primary.execute_in("keyfob", "ALTER TABLE posts DISABLE ROW LEVEL SECURITY");
    expect_answers_of_standby(&standby, &ada, &server, "After the conflicts");
}

#[test]
fn a_read_replica_of_sqlite_stops_the_start_with_one_line() {
    let home = Arc::new(Home::with(&[
        ("database.url", "sqlite://keyfob.db"),
        ("database.read_url", "postgres://keyfob@127.0.0.1:1/keyfob"),
    ]));
    let line = home.run(&[], "").expect_failure();
    assert!(line.contains("database.read_url"), "{line}");
}
