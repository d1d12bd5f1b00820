//! Contract, "Posts": the list and its cursor.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::{Value, json};

use crate::support::{Actor, Client, Server};

fn server_and_bob() -> (Server, Actor) {
    let server = Server::start();
    let bob = server.sign_up("bob@example.com");
    (server, bob)
}

/// The paths of the posts on a page.
fn paths(page: &Value) -> Vec<String> {
    page["items"].as_array().expect("items").iter().map(|post| format!("/posts/{}", post["id"])).collect()
}

/// Walks from the first page to the last, calling `between` after each.
fn walk(client: &Client, query: &str, mut between: impl FnMut(&Value)) -> Vec<Value> {
    let mut found = Vec::new();
    let mut cursor = String::new();
    for _ in 0..1000 {
        let page = client.get(&format!("/posts?{query}{cursor}")).expect_json(200);
        found.extend(page["items"].as_array().expect("items").iter().cloned());
        between(&page);
        match &page["next_cursor"] {
            Value::Null => return found,
            Value::String(next) => cursor = format!("&cursor={next}"),
            other => panic!("next_cursor is null or a string: {other}"),
        }
    }
    panic!("the walk does not end");
}

/// How often each of these paths was found.
fn counts(found: &[Value]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for post in found {
        *counts.entry(format!("/posts/{}", post["id"])).or_default() += 1;
    }
    counts
}

#[test]
fn an_empty_list_has_no_items_and_no_cursor() {
    let server = Server::start();
    assert_eq!(server.get("/posts").expect_json(200), json!({"items": [], "next_cursor": null}));
}

#[test]
fn posts_are_listed_newest_first_as_they_are_read_one_by_one() {
    let (server, bob) = server_and_bob();
    let mut written: Vec<_> = (0..5).map(|number| bob.write_post(&format!("post {number}"))).collect();
    written.reverse();
    let page = server.get("/posts").expect_json(200);
    assert_eq!(paths(&page), written);
    assert_eq!(page["next_cursor"], Value::Null);
    for post in page["items"].as_array().unwrap() {
        assert_eq!(server.get(&format!("/posts/{}", post["id"])).expect_json(200), *post);
    }
}

#[test]
fn a_change_does_not_move_a_post_in_the_list() {
    let (server, bob) = server_and_bob();
    let first = bob.write_post("first");
    bob.write_post("second");
    let before = paths(&server.get("/posts").expect_json(200));
    bob.patch(&first, json!({"title": "changed"})).expect_json(200);
    assert_eq!(paths(&server.get("/posts").expect_json(200)), before);
}

#[test]
fn a_page_has_20_posts_unless_asked_otherwise_and_100_at_most() {
    let (server, bob) = server_and_bob();
    for number in 0..101 {
        bob.write_post(&format!("post {number}"));
    }
    for (query, count) in [("", 20), ("?limit=1", 1), ("?limit=99", 99), ("?limit=100", 100)] {
        let page = server.get(&format!("/posts{query}")).expect_json(200);
        assert_eq!(paths(&page).len(), count, "{query}");
        assert!(page["next_cursor"].as_str().is_some_and(|cursor| !cursor.is_empty()), "{query}");
    }
}

#[test]
fn a_limit_outside_1_to_100_is_422() {
    let server = Server::start();
    for limit in ["0", "101", "-1", "abc", "1.5", "1e1", "99999999999999999999999", "%20", "0x10", "10%00"] {
        server.get(&format!("/posts?limit={limit}")).expect_faults(&[&["query", "limit"]]);
    }
}

#[test]
fn a_cursor_that_the_service_did_not_issue_is_422() {
    let (server, bob) = server_and_bob();
    for number in 0..3 {
        bob.write_post(&format!("post {number}"));
    }
    let good = server.get("/posts?limit=1").expect_json(200)["next_cursor"].as_str().unwrap().to_owned();
    let long = "x".repeat(5000);
    for cursor in [
        "garbage!",
        "-1",
        "!!!",
        "%00",
        "%FF",
        "%20",
        "..",
        "{}",
        "1.5",
        long.as_str(),
        &format!("{good}!"),
        &format!("!{good}"),
    ] {
        server.get(&format!("/posts?cursor={cursor}")).expect_faults(&[&["query", "cursor"]]);
    }
}

#[test]
fn a_cursor_can_be_put_into_a_url_as_it_is() {
    let (server, bob) = server_and_bob();
    for number in 0..3 {
        bob.write_post(&format!("post {number}"));
    }
    let cursor = server.get("/posts?limit=2").expect_json(200)["next_cursor"].as_str().unwrap().to_owned();
    assert!(cursor.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)), "{cursor}");
}

#[test]
fn a_walk_shows_every_post_exactly_once_whatever_the_limit() {
    let (server, bob) = server_and_bob();
    let mut written: Vec<_> = (0..12).map(|number| bob.write_post(&format!("post {number}"))).collect();
    written.reverse();
    for limit in [1, 2, 3, 4, 5, 11, 12, 13, 100] {
        let found = walk(&server, &format!("limit={limit}"), |page| {
            assert!(paths(page).len() <= limit);
        });
        assert_eq!(paths(&json!({"items": found})), written, "limit {limit}");
    }
}

#[test]
fn the_limit_may_change_during_a_walk() {
    let (server, bob) = server_and_bob();
    let mut written: Vec<_> = (0..6).map(|number| bob.write_post(&format!("post {number}"))).collect();
    written.reverse();
    let first = server.get("/posts?limit=1").expect_json(200);
    let cursor = first["next_cursor"].as_str().unwrap();
    let rest = server.get(&format!("/posts?limit=50&cursor={cursor}")).expect_json(200);
    assert_eq!([paths(&first), paths(&rest)].concat(), written);
}

#[test]
fn a_walk_survives_what_others_write_between_its_pages() {
    let (server, bob) = server_and_bob();
    let written: Vec<_> = (0..10).map(|number| bob.write_post(&format!("post {number}"))).collect();
    let mut step = 0;
    let found = walk(&server, "limit=2", |page| {
        step += 1;
        bob.write_post(&format!("new {step}"));
        // The post at which the next page starts, and one that is yet to come, change under the walker.
        if step == 1 {
            bob.delete(paths(page).last().unwrap()).expect_empty(204);
            bob.patch(&written[0], json!({"title": "changed"})).expect_json(200);
        }
    });
    let counts = counts(&found);
    for path in &written {
        assert_eq!(counts.get(path), Some(&1), "{path} in {counts:?}");
    }
}

#[test]
fn a_walk_survives_what_others_write_at_the_same_time() {
    let (server, bob) = server_and_bob();
    let written: Vec<_> = (0..40).map(|number| bob.write_post(&format!("post {number}"))).collect();
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        for writer in 0..3 {
            let (bob, written, is_over) = (&bob, &written, &is_over);
            scope.spawn(move || {
                for number in 0..200 {
                    if is_over.load(Ordering::Relaxed) {
                        break;
                    }
                    let passing = bob.write_post(&format!("writer {writer} post {number}"));
                    bob.patch(&written[number % written.len()], json!({"content": "changed"})).expect_json(200);
                    bob.delete(&passing).expect_empty(204);
                }
            });
        }
        let walks: Vec<_> = (0..3).map(|_| scope.spawn(|| walk(&server, "limit=3", |_| ()))).collect();
        let walks: Vec<_> = walks.into_iter().map(thread::ScopedJoinHandle::join).collect();
        is_over.store(true, Ordering::Relaxed);
        for found in walks {
            let counts = counts(&found.expect("a walk"));
            for path in &written {
                assert_eq!(counts.get(path), Some(&1), "{path} in {counts:?}");
            }
        }
    });
}

#[test]
fn the_list_can_be_narrowed_to_one_author() {
    let (server, bob) = server_and_bob();
    let eve = server.sign_up("eve@example.com");
    let mut written: Vec<_> = (0..5)
        .map(|number| {
            eve.write_post(&format!("hers {number}"));
            bob.write_post(&format!("his {number}"))
        })
        .collect();
    written.reverse();
    let page = server.get(&format!("/posts?author_id={}", bob.id())).expect_json(200);
    assert_eq!(paths(&page), written);
    let found = walk(&server, &format!("author_id={}&limit=2", bob.id()), |_| ());
    assert_eq!(paths(&json!({"items": found})), written);
    let nobody = server.get("/posts?author_id=9007199254740991").expect_json(200);
    assert_eq!(nobody, json!({"items": [], "next_cursor": null}));
}

#[test]
fn an_author_id_that_is_no_id_is_422() {
    let server = Server::start();
    for author in ["0", "-1", "abc", "1.5", "9007199254740992", "99999999999999999999999", "%20"] {
        server.get(&format!("/posts?author_id={author}")).expect_faults(&[&["query", "author_id"]]);
    }
}
