//! Many at once, and the sudden end: nothing acknowledged is lost and nobody sees a 5xx.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::support::{Actor, Server, until};

#[test]
fn sixty_four_clients_writing_at_once_see_no_5xx_and_lose_nothing() {
    let server = Server::start();
    let bob = server.sign_up("bob@example.com");
    let written = Mutex::new(BTreeSet::new());
    thread::scope(|scope| {
        for writer in 0..64 {
            let (bob, written) = (&bob, &written);
            scope.spawn(move || {
                for number in 0..4 {
                    let path = bob.write_post(&format!("{writer} {number}"));
                    bob.patch(&path, json!({"content": "changed"})).expect_json(200);
                    assert!(written.lock().unwrap().insert(path), "an id was given out twice");
                }
            });
        }
    });
    let written = written.into_inner().unwrap();
    assert_eq!(written.len(), 256);
    for path in &written {
        assert_eq!(server.get(path).expect_json(200)["content"], "changed");
    }
}

/// On PostgreSQL, lookups that wait at the same time share a statement.
#[test]
fn many_readers_at_once_each_get_the_row_that_they_asked_for() {
    let server = Server::start();
    let actors: Vec<Actor> = (0..4).map(|number| server.sign_up(&format!("user{number}@example.com"))).collect();
    let posts: Vec<String> = (0..16).map(|number| actors[0].write_post(&format!("title {number}"))).collect();
    actors[0].delete(&posts[7]).expect_empty(204);
    thread::scope(|scope| {
        for reader in 0..32 {
            let (server, actors, posts) = (&server, &actors, &posts);
            scope.spawn(move || {
                for step in 0..64 {
                    let number = (reader + step * 5) % 16;
                    let answer = server.get(&posts[number]);
                    if number == 7 {
                        answer.expect_error(404);
                    } else {
                        assert_eq!(answer.expect_json(200)["title"], format!("title {number}"));
                    }
                    let user = (reader + step) % 4;
                    assert_eq!(actors[user].get("/me").expect_json(200)["email"], format!("user{user}@example.com"));
                }
            });
        }
    });
}

#[test]
fn two_processes_writing_at_once_see_no_5xx() {
    let first = Server::start();
    let second = first.second();
    let bob = first.sign_up("bob@example.com");
    let there: Actor = second.log_in("bob@example.com");
    thread::scope(|scope| {
        for actor in [&bob, &there].into_iter().cycle().take(32) {
            scope.spawn(move || {
                for number in 0..5 {
                    let path = actor.write_post(&format!("{number}"));
                    actor.patch("/me", json!({"full_name": format!("{number}")})).expect_json(200);
                    actor.delete(&path).expect_empty(204);
                }
            });
        }
    });
    assert_eq!(second.get("/posts").expect_json(200)["items"], json!([]));
}

#[test]
fn many_logins_at_once_are_all_answered() {
    let server = Server::start();
    for number in 0..4 {
        server.sign_up(&format!("user{number}@example.com"));
    }
    thread::scope(|scope| {
        for number in 0..16 {
            let server = &server;
            scope.spawn(move || server.log_in(&format!("user{}@example.com", number % 4)).get("/me").expect_json(200));
        }
    });
}

#[test]
fn a_killed_process_loses_nothing_that_it_acknowledged() {
    let mut server = Server::start();
    let bob = server.sign_up("bob@example.com");
    let acknowledged = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for writer in 0..8 {
            let (bob, acknowledged) = (&bob, &acknowledged);
            scope.spawn(move || {
                for number in 0..10_000 {
                    let body = json!({"title": format!("{writer} {number}"), "content": "c"});
                    match bob.request("POST", "/posts").json(&body).attempt() {
                        Ok(answer) => acknowledged.lock().unwrap().push(answer.need("location").to_owned()),
                        // Killed: a write that nobody acknowledged may be there or not.
                        Err(_) => break,
                    }
                }
            });
        }
        until("fifty writes", Duration::from_mins(1), || acknowledged.lock().unwrap().len() >= 50);
        server.kill();
    });
    let acknowledged = acknowledged.into_inner().unwrap();
    let second = server.second();
    for path in &acknowledged {
        second.get(path).expect_json(200);
    }
    second.with_token(&bob.token).get("/me").expect_json(200);
}

#[test]
fn a_killed_process_loses_no_account_that_it_acknowledged() {
    let mut server = Server::start();
    let emails: Vec<_> = (0..5).map(|number| format!("user{number}@example.com")).collect();
    for email in &emails {
        server.sign_up(email);
    }
    server.kill();
    let second = server.second();
    for email in &emails {
        second.log_in(email).get("/me").expect_json(200);
    }
}
