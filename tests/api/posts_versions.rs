//! Contract, "Posts": `ETag`, `If-None-Match` and `If-Match` (RFC 9110 §13).

use serde_json::{Value, json};

use crate::support::{Actor, Answer, Server};

fn server_bob_and_post() -> (Server, Actor, String) {
    let server = Server::start();
    let bob = server.sign_up("bob@example.com");
    let own = bob.write_post("mine");
    (server, bob, own)
}

#[track_caller]
fn tag(server: &Server, path: &str) -> String {
    server.get(path).expect(200).need("etag").to_owned()
}

fn read_unless(server: &Server, path: &str, tags: &str) -> Answer {
    server.request("GET", path).header("if-none-match", tags).send()
}

fn write_if(bob: &Actor, method: &str, path: &str, tags: &str, title: &str) -> Answer {
    bob.request(method, path).header("if-match", tags).json(&json!({"title": title, "content": "c"})).send()
}

fn title(server: &Server, path: &str) -> Value {
    server.get(path).expect_json(200)["title"].clone()
}

#[test]
fn a_post_has_a_strong_etag_that_stays_until_it_changes() {
    let (server, bob, own) = server_bob_and_post();
    let first = tag(&server, &own);
    assert!(first.len() > 2 && first.starts_with('"') && first.ends_with('"'), "{first}");
    assert_eq!(tag(&server, &own), first);
    assert_eq!(server.head(&own).expect(200).need("etag"), first);
    bob.put(&own, json!({"title": "t", "content": "c"})).expect_json(200);
    assert_ne!(tag(&server, &own), first);
}

#[test]
fn the_etag_of_an_earlier_version_never_comes_back() {
    let (server, bob, own) = server_bob_and_post();
    let mut seen = vec![tag(&server, &own)];
    for text in ["other", "mine", "other", "mine"] {
        bob.patch(&own, json!({"title": text})).expect_json(200);
        let now = tag(&server, &own);
        assert!(!seen.contains(&now), "{now} in {seen:?}");
        seen.push(now);
    }
}

#[test]
fn if_none_match_with_the_current_etag_gives_304() {
    let (server, _bob, own) = server_bob_and_post();
    let current = tag(&server, &own);
    for tags in [
        current.clone(),
        format!("W/{current}"),
        "*".to_owned(),
        format!("\"a\", {current}"),
        format!("\"a\",W/{current} , \"b\""),
        format!("\"a,b\", {current}"),
        format!("\"é\", {current}"),
    ] {
        let answer = read_unless(&server, &own, &tags).expect_empty(304);
        assert_eq!(answer.need("etag"), current, "{tags}");
        let head = server.request("HEAD", &own).header("if-none-match", &tags).send().expect_empty(304);
        assert_eq!(head.need("etag"), current, "{tags}");
    }
}

#[test]
fn if_none_match_with_another_etag_gives_the_post() {
    let (server, bob, own) = server_bob_and_post();
    let old = tag(&server, &own);
    read_unless(&server, &own, "\"other\"").expect_json(200);
    read_unless(&server, &own, "\"a\", W/\"b\"").expect_json(200);
    bob.patch(&own, json!({"title": "new"})).expect_json(200);
    assert_eq!(read_unless(&server, &own, &old).expect_json(200)["title"], "new");
}

#[test]
fn if_none_match_on_a_post_that_is_not_there_is_404() {
    let (server, _bob, _own) = server_bob_and_post();
    for tags in ["*", "\"x\""] {
        read_unless(&server, "/posts/9007199254740991", tags).expect_error(404);
    }
}

#[test]
fn a_change_without_if_match_is_carried_out() {
    let (server, bob, own) = server_bob_and_post();
    bob.put(&own, json!({"title": "one", "content": "c"})).expect_json(200);
    bob.patch(&own, json!({"title": "two"})).expect_json(200);
    assert_eq!(title(&server, &own), "two");
}

#[test]
fn if_match_with_the_current_etag_lets_the_change_through() {
    let (server, bob, own) = server_bob_and_post();
    for method in ["PUT", "PATCH"] {
        for (number, form) in
            ["{}", "*", "\"a\", {}", "{} ,\"b\"", "W/\"a\", {}, \"b\"", "\"é\",{}"].into_iter().enumerate()
        {
            let tags = form.replace("{}", &tag(&server, &own));
            let text = format!("{method} {number}");
            write_if(&bob, method, &own, &tags, &text).expect_json(200);
            assert_eq!(title(&server, &own), text.as_str(), "{tags}");
        }
    }
}

#[test]
fn if_match_that_no_longer_matches_is_412_and_changes_nothing() {
    let (server, bob, own) = server_bob_and_post();
    let old = tag(&server, &own);
    bob.patch(&own, json!({"title": "new"})).expect_json(200);
    for method in ["PUT", "PATCH"] {
        for tags in [old.clone(), "\"a\"".to_owned(), format!("\"a\", {old}"), format!("W/{old}")] {
            write_if(&bob, method, &own, &tags, "lost").expect_error(412);
        }
    }
    assert_eq!(title(&server, &own), "new");
}

#[test]
fn if_match_compares_strongly_so_a_weak_etag_never_matches() {
    let (server, bob, own) = server_bob_and_post();
    for method in ["PUT", "PATCH"] {
        let weak = format!("W/{}", tag(&server, &own));
        write_if(&bob, method, &own, &weak, "lost").expect_error(412);
    }
    assert_eq!(title(&server, &own), "mine");
}

#[test]
fn an_if_match_that_cannot_be_read_changes_nothing() {
    let (server, bob, own) = server_bob_and_post();
    let bare = tag(&server, &own).trim_matches('"').to_owned();
    for method in ["PUT", "PATCH"] {
        for tags in ["", ",", bare.as_str(), "\"open", "'x'", "**", "* , \"a\""] {
            let answer = write_if(&bob, method, &own, tags, "lost");
            let status = answer.status;
            assert!(status == 412 || status == 400, "{tags}: {answer}");
            answer.expect_error(status);
        }
    }
    assert_eq!(title(&server, &own), "mine");
}

#[test]
fn a_delete_with_an_if_match_that_no_longer_matches_is_412() {
    let (server, bob, own) = server_bob_and_post();
    let old = tag(&server, &own);
    bob.patch(&own, json!({"title": "new"})).expect_json(200);
    bob.request("DELETE", &own).header("if-match", &old).send().expect_error(412);
    let current = tag(&server, &own);
    bob.request("DELETE", &own).header("if-match", &current).send().expect_empty(204);
}

#[test]
fn of_many_concurrent_changes_with_one_etag_exactly_one_succeeds() {
    let (server, bob, own) = server_bob_and_post();
    for round in 0..5 {
        let current = tag(&server, &own);
        let mut statuses: Vec<u16> = std::thread::scope(|scope| {
            let write = |number: usize| {
                let (bob, own, current) = (&bob, &own, &current);
                let method = if number.is_multiple_of(2) { "PUT" } else { "PATCH" };
                move || write_if(bob, method, own, current, &format!("{round} {number}")).status
            };
            let threads: Vec<_> = (0..8).map(|number| scope.spawn(write(number))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 412, 412, 412, 412, 412, 412, 412]);
    }
}
