//! Contract, "Posts": writing, reading, changing and deleting one post.

use serde_json::{Value, json};

use crate::support::{Actor, Server, is_time};

const UNKNOWN: &str = "/posts/9007199254740991";

fn server_and_bob() -> (Server, Actor) {
    let server = Server::start();
    let bob = server.sign_up("bob@example.com");
    (server, bob)
}

#[track_caller]
fn expect_post(post: &Value) {
    let mut members: Vec<_> = post.as_object().unwrap().keys().map(String::as_str).collect();
    members.sort_unstable();
    assert_eq!(members, ["author_id", "content", "created_at", "id", "title", "updated_at"]);
    for member in ["created_at", "updated_at"] {
        assert!(post[member].as_str().is_some_and(is_time), "{member} is RFC 3339 in UTC: {post}");
    }
}

#[test]
fn a_new_post_is_201_with_the_post_and_where_it_is() {
    let (server, bob) = server_and_bob();
    let answer = bob.post("/posts", json!({"title": "A title", "content": "Some content\nwith 🦀"}));
    let location = answer.need("location").to_owned();
    let post = answer.expect_json(201);
    expect_post(&post);
    assert_eq!(location, format!("/posts/{}", post["id"]));
    assert_eq!((&post["title"], &post["content"]), (&json!("A title"), &json!("Some content\nwith 🦀")));
    assert_eq!(post["author_id"], bob.id());
    assert_eq!(server.get(&location).expect_json(200), post);
}

#[test]
fn writing_changing_and_deleting_need_a_token() {
    let (server, bob) = server_and_bob();
    let own = bob.write_post("mine");
    let body = json!({"title": "t", "content": "c"});
    server.post("/posts", body.clone()).expect_no_credentials();
    server.put(&own, body.clone()).expect_no_credentials();
    server.patch(&own, body).expect_no_credentials();
    server.delete(&own).expect_no_credentials();
    server.get(&own).expect_json(200);
}

#[test]
fn anyone_may_read_a_post() {
    let (server, bob) = server_and_bob();
    let own = bob.write_post("mine");
    let eve = server.sign_up("eve@example.com");
    assert_eq!(server.get(&own).expect_json(200), eve.get(&own).expect_json(200));
}

#[test]
fn a_post_that_is_not_there_is_404() {
    let (server, bob) = server_and_bob();
    server.get(UNKNOWN).expect_error(404);
    bob.get(UNKNOWN).expect_error(404);
    bob.put(UNKNOWN, json!({"title": "t", "content": "c"})).expect_error(404);
    bob.patch(UNKNOWN, json!({"title": "t"})).expect_error(404);
    bob.delete(UNKNOWN).expect_error(404);
}

#[test]
fn a_title_has_1_to_200_characters() {
    let (_server, bob) = server_and_bob();
    let own = bob.write_post("mine");
    for letter in ["x", "ü", "🦀"] {
        for (length, is_fine) in [(0, false), (1, true), (200, true), (201, false)] {
            let body = json!({"title": letter.repeat(length), "content": "c"});
            for (method, path, status) in
                [("POST", "/posts", 201), ("PUT", own.as_str(), 200), ("PATCH", own.as_str(), 200)]
            {
                let answer = bob.request(method, path).json(&body).send();
                if is_fine {
                    assert_eq!(answer.expect_json(status)["title"], body["title"]);
                } else {
                    answer.expect_faults(&[&["body", "title"]]);
                }
            }
        }
    }
}

#[test]
fn content_has_1_to_20_000_characters() {
    let (_server, bob) = server_and_bob();
    let own = bob.write_post("mine");
    for letter in ["x", "ü", "🦀"] {
        for (length, is_fine) in [(0, false), (1, true), (20_000, true), (20_001, false)] {
            let body = json!({"title": "t", "content": letter.repeat(length)});
            for (method, path, status) in
                [("POST", "/posts", 201), ("PUT", own.as_str(), 200), ("PATCH", own.as_str(), 200)]
            {
                let answer = bob.request(method, path).json(&body).send();
                if is_fine {
                    assert_eq!(answer.expect_json(status)["content"], body["content"]);
                } else {
                    answer.expect_faults(&[&["body", "content"]]);
                }
            }
        }
    }
}

#[test]
fn title_and_content_that_are_no_text_are_422() {
    let (server, bob) = server_and_bob();
    let own = bob.write_post("mine");
    let before = server.get(&own).expect_json(200);
    for wrong in [json!(null), json!(1), json!(true), json!(["t"]), json!({"t": 1})] {
        let body = json!({"title": wrong, "content": wrong});
        for (method, path) in [("POST", "/posts"), ("PUT", own.as_str()), ("PATCH", own.as_str())] {
            bob.request(method, path).json(&body).send().expect_faults(&[&["body", "title"], &["body", "content"]]);
        }
    }
    assert_eq!(server.get(&own).expect_json(200), before);
}

#[test]
fn put_replaces_both_texts_and_needs_both() {
    let (server, bob) = server_and_bob();
    let own = bob.write_post("before");
    let post = bob.put(&own, json!({"title": "after", "content": "new"})).expect_json(200);
    expect_post(&post);
    assert_eq!((&post["title"], &post["content"]), (&json!("after"), &json!("new")));
    assert_eq!(server.get(&own).expect_json(200), post);
    bob.put(&own, json!({"title": "x"})).expect_faults(&[&["body", "content"]]);
    bob.put(&own, json!({"content": "x"})).expect_faults(&[&["body", "title"]]);
    bob.put(&own, json!({})).expect_faults(&[&["body", "title"], &["body", "content"]]);
    assert_eq!(server.get(&own).expect_json(200), post);
}

#[test]
fn patch_changes_what_is_there_and_leaves_the_rest() {
    let (server, bob) = server_and_bob();
    let own = bob.write_post("before");
    let texts = |post: &Value| (post["title"].clone(), post["content"].clone());
    assert_eq!(texts(&bob.patch(&own, json!({"title": "after"})).expect_json(200)), (json!("after"), json!("text")));
    assert_eq!(texts(&bob.patch(&own, json!({"content": "new"})).expect_json(200)), (json!("after"), json!("new")));
    assert_eq!(texts(&bob.patch(&own, json!({})).expect_json(200)), (json!("after"), json!("new")));
    assert_eq!(texts(&bob.patch(&own, json!({"unknown": 1})).expect_json(200)), (json!("after"), json!("new")));
    let post = bob.patch(&own, json!({"title": "both", "content": "at once"})).expect_json(200);
    expect_post(&post);
    assert_eq!(texts(&post), (json!("both"), json!("at once")));
    assert_eq!(server.get(&own).expect_json(200), post);
}

#[test]
fn a_change_keeps_id_author_and_created_at() {
    let (server, bob) = server_and_bob();
    let own = bob.write_post("before");
    let before = server.get(&own).expect_json(200);
    let after = bob
        .put(&own, json!({"title": "t", "content": "c", "id": 5, "author_id": 6, "created_at": "2000-01-01T00:00:00Z"}))
        .expect_json(200);
    for member in ["id", "author_id", "created_at"] {
        assert_eq!(after[member], before[member], "{member}");
    }
}

#[test]
fn another_s_post_can_be_neither_changed_nor_deleted() {
    let (server, bob) = server_and_bob();
    let eve = server.sign_up("eve@example.com");
    let own = bob.write_post("mine");
    let before = server.get(&own).expect_json(200);
    eve.put(&own, json!({"title": "t", "content": "c"})).expect_error(403);
    eve.patch(&own, json!({"title": "t"})).expect_error(403);
    eve.patch(&own, json!({})).expect_error(403);
    eve.delete(&own).expect_error(403);
    assert_eq!(server.get(&own).expect_json(200), before);
}

#[test]
fn an_admin_may_change_and_delete_any_post_and_its_author_stays() {
    let (server, bob) = server_and_bob();
    let admin = server.admin("admin@example.com");
    let own = bob.write_post("mine");
    let post = admin.put(&own, json!({"title": "t", "content": "c"})).expect_json(200);
    assert_eq!((&post["title"], &post["author_id"]), (&json!("t"), &json!(bob.id())));
    admin.patch(&own, json!({"title": "u"})).expect_json(200);
    admin.delete(&own).expect_empty(204);
    server.get(&own).expect_error(404);
}

#[test]
fn a_deleted_post_is_gone() {
    let (server, bob) = server_and_bob();
    let own = bob.write_post("mine");
    bob.delete(&own).expect_empty(204);
    bob.delete(&own).expect_error(404);
    server.get(&own).expect_error(404);
    server.head(&own).expect_empty(404);
    bob.put(&own, json!({"title": "t", "content": "c"})).expect_error(404);
    bob.patch(&own, json!({"title": "t"})).expect_error(404);
    assert_eq!(server.get("/posts").expect_json(200)["items"], json!([]));
}

#[test]
fn the_id_of_a_deleted_post_is_never_given_out_again() {
    let (_server, bob) = server_and_bob();
    let first = bob.write_post("first");
    bob.delete(&first).expect_empty(204);
    assert_ne!(bob.write_post("second"), first);
}

#[test]
fn texts_come_back_exactly_as_they_were_sent() {
    let (server, bob) = server_and_bob();
    for text in [
        "  blanks  ",
        "<script>alert('x')</script>",
        "'; DROP TABLE posts; --",
        "\u{202e}right\u{200b}to\u{feff}left",
        "e\u{301}",
        "\u{1}\u{1f}\u{7f}",
        "\\ \" / %00 \\u0041",
        "\u{10ffff}",
    ] {
        let post = bob.post("/posts", json!({"title": text, "content": text})).expect_json(201);
        assert_eq!((&post["title"], &post["content"]), (&json!(text), &json!(text)));
        assert_eq!(server.get(&format!("/posts/{}", post["id"])).expect_json(200), post);
    }
}

#[test]
fn a_second_delete_at_the_same_time_is_404() {
    let (_server, bob) = server_and_bob();
    for _ in 0..5 {
        let own = bob.write_post("mine");
        let mut statuses: Vec<u16> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| bob.delete(&own).status)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        statuses.sort_unstable();
        assert_eq!(statuses, [204, 404, 404, 404]);
    }
}
