//! Story: an operator changes the signing key while requests run, and nobody notices.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::keychain::verify;
use crate::steps::{
    PATIENCE, access_token, kid, let_pass, published_keys, published_kids, refresh_token, renew, restart_with,
    second_with, stop,
};
use crate::support::{Actor, Forge, Home, Server, decode, until};

/// Within which a running server takes a new key up (contract, "Other OAuth endpoints").
const TAKE_UP_BOUND: Duration = Duration::from_secs(10);
const DAY: Duration = Duration::from_hours(24);

/// `keyfob key rotate` with these arguments; what it printed.
#[track_caller]
fn rotate(server: &Server, arguments: &[&str]) -> String {
    server.home.run(&[&["key", "rotate"], arguments].concat(), "").expect_success()
}

/// The lines of `keyfob key list`.
#[track_caller]
fn listed(home: &Home) -> Vec<String> {
    home.run(&["key", "list"], "").expect_success().lines().map(str::to_owned).collect()
}

/// Makes every key look as if it had begun to sign earlier.
fn age_keys(home: &Home, by: Duration) {
    let earlier = by.as_millis();
    home.database.execute(&format!(
        "UPDATE signing_keys SET created_at = created_at - {earlier}, signs_from = signs_from - {earlier}"
    ));
}

/// Requests that run without a pause until they are told to stop.
struct Load {
    is_over: AtomicBool,
    count: AtomicUsize,
    refused: Mutex<Vec<String>>,
}

impl Load {
    fn new() -> Self {
        Self { is_over: AtomicBool::new(false), count: AtomicUsize::new(0), refused: Mutex::new(Vec::new()) }
    }

    /// One client: reads with its token at both processes in turn, and renews it now and then.
    fn run(&self, servers: [&Server; 2], bob: &Actor) {
        let mut grant = bob.grant.clone();
        for number in 0.. {
            if self.is_over.load(Ordering::Relaxed) {
                return;
            }
            if number % 25 == 24 {
                grant = renew(servers[number / 25 % 2], refresh_token(&grant));
            }
            let answer = servers[number % 2].with_token(access_token(&grant)).get("/me/sessions");
            self.count.fetch_add(1, Ordering::Relaxed);
            if answer.status != 200 {
                self.refused.lock().unwrap().push(answer.to_string());
            }
        }
    }
}

/// Logs in at both processes in turn until both sign with a new key. Each is published by both before one signs with it.
#[track_caller]
fn watch_until_both_sign_anew(servers: [&Server; 2], old_kid: &str, start: Instant) -> Actor {
    loop {
        let published: Vec<Vec<String>> = servers.iter().map(|server| published_kids(server)).collect();
        let actors = servers.map(|server| server.log_in("bob@example.com"));
        let kids = actors.each_ref().map(|actor| kid(&actor.token));
        for kid in &kids {
            let is_known = published.iter().all(|kids| kids.contains(kid));
            assert!(is_known, "signed with {kid} while {published:?} were published");
        }
        for server in servers {
            for actor in &actors {
                server.with_token(&actor.token).get("/me").expect_json(200);
            }
        }
        if kids.iter().all(|kid| kid != old_kid) {
            let [first, _] = actors;
            return first;
        }
        let passed = start.elapsed();
        assert!(passed < TAKE_UP_BOUND, "after {passed:?} still signed with the old key {old_kid}: {kids:?}");
    }
}

#[track_caller]
fn rotate_under_load(algorithm: Option<&str>) {
    let first = Server::start();
    let second = first.second();
    let bob = first.sign_up("bob@example.com");
    let old_kid = kid(&bob.token);
    let clients: Vec<Actor> = (0..4).map(|_| second.log_in("bob@example.com")).collect();
    let servers = [&first, &second];
    let load = Load::new();
    let anew = thread::scope(|scope| {
        for client in &clients {
            let load = &load;
            scope.spawn(move || load.run(servers, client));
        }
        // Whatever fails here must not leave the load running.
        let watched = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            rotate(&first, &algorithm.map_or(vec![], |name| vec!["--algorithm", name]));
            let anew = watch_until_both_sign_anew(servers, &old_kid, Instant::now());
            until("thousands of requests", PATIENCE * 6, || load.count.load(Ordering::Relaxed) > 2000);
            anew
        }));
        load.is_over.store(true, Ordering::Relaxed);
        watched.unwrap_or_else(|fault| std::panic::resume_unwind(fault))
    });
    let refused = load.refused.into_inner().unwrap();
    assert!(refused.is_empty(), "{} requests refused, such as {}", refused.len(), refused[0]);
    assert_eq!(decode(&anew.token).0["alg"], algorithm.unwrap_or("EdDSA"));
    for server in servers {
        let kids: BTreeSet<String> = published_kids(server).into_iter().collect();
        assert_eq!(kids, BTreeSet::from([old_kid.clone(), kid(&anew.token)]), "both during the overlap");
        server.with_token(&bob.token).get("/me").expect_json(200);
        let set = published_keys(server);
        verify(&bob.token, &set);
        verify(&anew.token, &set);
    }
    renew(&first, refresh_token(&bob.grant));
}

#[test]
fn a_rotation_under_load_at_two_processes_refuses_nobody() {
    rotate_under_load(None);
}

#[test]
fn a_rotation_to_another_algorithm_under_load_refuses_nobody() {
    rotate_under_load(Some("ES256"));
}

#[test]
fn two_rotations_in_a_row_lose_no_token() {
    let server = Server::start();
    let bob = server.sign_up("bob@example.com");
    rotate(&server, &[]);
    rotate(&server, &[]);
    until("all three keys are published", TAKE_UP_BOUND, || published_kids(&server).len() == 3);
    let mut signed_with = BTreeSet::from([kid(&bob.token)]);
    until("the newest key signs", TAKE_UP_BOUND * 2, || {
        let ann = server.log_in("bob@example.com");
        ann.get("/me").expect_json(200);
        signed_with.insert(kid(&ann.token));
        let newest = listed(&server.home).pop().unwrap();
        newest.contains(&kid(&ann.token))
    });
    bob.get("/me").expect_json(200);
}

#[test]
fn key_list_shows_every_key_and_makes_none() {
    let server = Server::start();
    let bob = server.sign_up("bob@example.com");
    let before = listed(&server.home);
    assert_eq!(before.len(), 1, "{before:?}");
    assert!(before[0].contains(&kid(&bob.token)) && before[0].contains("EdDSA"), "{before:?}");
    rotate(&server, &["--algorithm", "ES256"]);
    for _ in 0..3 {
        let lines = listed(&server.home);
        assert_eq!(lines.len(), 2, "{lines:#?}");
        assert!(lines[0].contains("EdDSA") && lines[1].contains("ES256"), "{lines:#?}");
    }
    until("the new key is published", TAKE_UP_BOUND, || published_kids(&server).len() == 2);
    let lines = listed(&server.home);
    for kid in published_kids(&server) {
        assert!(lines.iter().any(|line| line.contains(&kid)), "{kid} in {lines:#?}");
    }
}

#[test]
fn a_process_that_joins_after_a_rotation_to_another_algorithm_signs_with_the_new_key_too() {
    let first = Server::start();
    first.sign_up("bob@example.com");
    rotate(&first, &["--algorithm", "ES256"]);
    until("the new key signs", TAKE_UP_BOUND * 2, || {
        decode(&first.log_in("bob@example.com").token).0["alg"] == "ES256"
    });
    let second = first.second();
    let there = second.log_in("bob@example.com");
    first.with_token(&there.token).get("/me").expect_json(200);
    assert_eq!(kid(&there.token), kid(&first.log_in("bob@example.com").token));
    assert_eq!(published_kids(&second).len(), 2);
}

#[test]
fn a_rotation_before_the_first_start_leaves_a_key_that_signs() {
    let home = Arc::new(Home::new());
    home.run(&["key", "rotate"], "").expect_success();
    let server = Server::at(home);
    let bob = server.sign_up("bob@example.com");
    bob.get("/me").expect_json(200);
    assert!(published_kids(&server).contains(&kid(&bob.token)));
}

#[test]
fn the_old_key_goes_when_the_last_token_under_it_has_expired() {
    let server = Server::start();
    let bob = server.sign_up("bob@example.com");
    let old_kid = kid(&bob.token);
    rotate(&server, &[]);
    let home = stop(server);
    age_keys(&home, Duration::from_secs(900 + 60 - 60));
    let server = Server::at(home);
    assert!(published_kids(&server).contains(&old_kid), "still within access_ttl_seconds + 60 s");
    server.with_token(&bob.token).get("/me").expect_json(200);
    let home = stop(server);
    age_keys(&home, Duration::from_secs(90));
    let server = Server::at(home);
    assert_eq!(published_kids(&server).len(), 1);
    assert!(!published_kids(&server).contains(&old_kid));
    server.with_token(&bob.token).get("/me").expect_invalid_token();
    assert_eq!(listed(&server.home).len(), 1);
    renew(&server, refresh_token(&bob.grant));
}

#[test]
fn an_old_key_is_replaced_once_for_all_processes() {
    let home = stop(Server::start());
    age_keys(&home, DAY * 2);
    let mut home = Arc::try_unwrap(home).unwrap_or_else(|_| panic!("another process uses the same folder"));
    home.set("token.key_rotation_days", "1");
    let first = Server::at(Arc::new(home));
    let second = first.second();
    let bob = first.sign_up("bob@example.com");
    let old_kid = kid(&bob.token);
    until("a new key is published at both", TAKE_UP_BOUND, || {
        [&first, &second].iter().all(|server| published_kids(server).len() > 1)
    });
    until("the new key signs", TAKE_UP_BOUND, || kid(&second.log_in("bob@example.com").token) != old_kid);
    let_pass(Duration::from_secs(3), "by then every process has asked once more whether a key has grown old");
    let lines = listed(&first.home);
    assert_eq!(lines.len(), 2, "{lines:#?}");
    first.with_token(&bob.token).get("/me").expect_json(200);
}

#[test]
fn a_key_that_is_not_old_yet_is_kept() {
    let home = stop(Server::start());
    age_keys(&home, DAY / 2);
    let mut home = Arc::try_unwrap(home).unwrap_or_else(|_| panic!("another process uses the same folder"));
    home.set("token.key_rotation_days", "1");
    let server = Server::at(Arc::new(home));
    let_pass(Duration::from_secs(3), "by then the process has asked whether a key has grown old");
    assert_eq!(published_kids(&server).len(), 1);
}

#[test]
fn a_configured_key_cannot_be_rotated_and_the_one_line_says_why() {
    let server = Server::with_hs256();
    let line = server.home.run(&["key", "rotate"], "").expect_failure();
    assert!(line.contains("token.secret"), "{line}");
}

#[test]
fn an_unknown_algorithm_cannot_be_rotated_to() {
    let server = Server::start();
    for name in ["none", "HS512", "eddsa", "RS1", ""] {
        let run = server.home.run(&["key", "rotate", "--algorithm", name], "");
        assert!(run.code == Some(1) && !run.stderr.contains("panicked"), "{name}: {run:?}");
    }
    assert_eq!(listed(&server.home).len(), 1);
}

#[test]
fn another_algorithm_in_the_settings_signs_after_the_next_start_and_old_tokens_stay_good() {
    let mut server = Server::with(&[("sessions.max_per_account", "10000")]);
    let mut actors: Vec<Actor> = vec![server.sign_up("bob@example.com")];
    for algorithm in ["ES256", "RS256"] {
        server = restart_with(server, &[("token.algorithm", algorithm)]);
        let mut anew = server.log_in("bob@example.com");
        until("the new key signs", TAKE_UP_BOUND, || {
            anew = server.log_in("bob@example.com");
            decode(&anew.token).0["alg"] == algorithm
        });
        actors.push(anew);
        let set = published_keys(&server);
        assert_eq!(set.len(), actors.len());
        for actor in &actors {
            server.with_token(&actor.token).get("/me").expect_json(200);
            verify(&actor.token, &set);
        }
    }
    for actor in &actors {
        renew(&server, refresh_token(&actor.grant));
    }
}

#[test]
fn a_start_with_the_same_algorithm_makes_no_key() {
    let server = Server::with(&[("token.algorithm", "ES256")]);
    let bob = server.sign_up("bob@example.com");
    let server = restart_with(server, &[]);
    assert_eq!(published_kids(&server), [kid(&bob.token)]);
    assert_eq!(kid(&server.log_in("bob@example.com").token), kid(&bob.token));
}

#[test]
fn a_process_that_starts_with_another_algorithm_signs_nothing_that_a_running_one_refuses() {
    let first = Server::start();
    let bob = first.sign_up("bob@example.com");
    let second = second_with(&first, &[("token.algorithm", "ES256")]);
    let there = second.log_in("bob@example.com");
    let answers: Vec<u16> = thread::scope(|scope| {
        let ask = || first.with_token(&there.token).get("/me").status;
        let asked: Vec<_> = (0..16).map(|_| scope.spawn(ask)).collect();
        asked.into_iter().map(|answer| answer.join().unwrap()).collect()
    });
    assert!(answers.iter().all(|status| *status == 200), "{answers:?}");
    second.with_token(&bob.token).get("/me").expect_json(200);
}

#[test]
fn tokens_of_keys_that_nobody_has_do_not_keep_a_process_from_learning_of_a_new_key() {
    let first = Server::start();
    let bob = first.sign_up("bob@example.com");
    let unknown = Forge::of(&bob.token).header("kid", "unknown").unsigned("AAAA");
    let is_over = AtomicBool::new(false);
    let statuses = thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                first.with_token(&unknown).get("/me").expect_invalid_token();
            }
        });
        let asked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            ["ES256", "RS256", "ES256", "EdDSA"].map(|algorithm| {
                let second = second_with(&first, &[("token.algorithm", algorithm)]);
                let there = second.log_in("bob@example.com");
                first.with_token(&there.token).get("/me").status
            })
        }));
        is_over.store(true, Ordering::Relaxed);
        asked.unwrap_or_else(|fault| std::panic::resume_unwind(fault))
    });
    assert_eq!(statuses, [200; 4]);
}

#[test]
fn rotation_signs_nobody_out_and_keeps_every_claim() {
    let server = Server::start();
    let bob = server.sign_up("bob@example.com");
    rotate(&server, &["--algorithm", "RS256"]);
    let mut grant: Value = bob.grant.clone();
    until("the new key signs", TAKE_UP_BOUND * 2, || {
        grant = renew(&server, refresh_token(&grant));
        decode(access_token(&grant)).0["alg"] == "RS256"
    });
    let (before, after) = (decode(&bob.token).1, decode(access_token(&grant)).1);
    for claim in ["iss", "sub", "aud", "client_id", "scope", "sid"] {
        assert_eq!(before[claim], after[claim], "{claim}");
    }
    assert_eq!(decode(access_token(&grant)).0["typ"], "at+jwt");
    server.with_token(access_token(&grant)).get("/me").expect_json(200);
}
