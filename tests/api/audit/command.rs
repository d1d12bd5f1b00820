//! Contract, "Command line": `keyfob audit`.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};
use std::thread;

use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection};
use serde_json::Value;

use super::{PATIENCE, events};
use crate::support::{Home, Server, until};

/// The events that the command prints with these arguments.
#[track_caller]
fn printed(home: &Home, arguments: &[&str]) -> Vec<Value> {
    let output = home.run(&[&["audit", "--json"], arguments].concat(), "").expect_success();
    output.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// `keyfob audit --follow`, and what it has printed so far.
struct Follower {
    process: Child,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Follower {
    fn start(server: &Server, arguments: &[&str]) -> Self {
        let arguments = [&["audit", "--follow", "--json"], arguments].concat();
        let mut process = server.home.command(&arguments).spawn().expect("the binary starts");
        let (lines, output) = (Arc::<Mutex<Vec<String>>>::default(), process.stdout.take().expect("a pipe"));
        let read = Arc::clone(&lines);
        thread::spawn(move || {
            for line in BufReader::new(output).lines() {
                read.lock().expect("a lock").push(line.expect("UTF-8"));
            }
        });
        Self { process, lines }
    }

    fn events(&self) -> Vec<Value> {
        let lines = self.lines.lock().expect("a lock");
        lines.iter().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    #[track_caller]
    fn wait_for(&self, what: &str, is_it: impl Fn(&Value) -> bool) {
        until(what, PATIENCE, || self.events().iter().any(&is_it));
    }

    #[track_caller]
    fn stop(mut self, signal: &str) {
        let arguments = [format!("-{signal}"), self.process.id().to_string()];
        assert!(Command::new("kill").args(arguments).status().expect("kill runs").success());
        let mut status = None;
        until("it ends", PATIENCE, || {
            status = self.process.try_wait().expect("a child");
            status.is_some()
        });
        assert_eq!(status.and_then(|status| status.code()), Some(0), "SIG{signal}");
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        // It may have ended already.
        let _ended = self.process.kill();
        let _reaped = self.process.wait();
    }
}

#[test]
fn the_command_prints_the_events_oldest_first_as_admins_see_them() {
    let server = Server::start();
    let root = server.admin("root@example.com");
    server.sign_up("ada@example.com");
    assert_eq!(printed(&server.home, &[]), events(&root, ""));
    let lines = server.home.run(&["audit"], "").expect_success();
    let last = lines.lines().last().expect("a line");
    for part in [" log_in ", " user_id=2 ", " actor_id=2 ", " ip=127.0.0.1 ", " client_id=keyfob ", " user_agent=\""] {
        assert!(last.contains(part), "{part:?} in {last}");
    }
}

#[test]
fn the_command_finds_events_by_account_type_and_time() {
    let server = Server::start();
    let root = server.admin("root@example.com");
    let ada = server.sign_up("ada@example.com");
    let of_ada = events(&root, &format!("user_id={}", ada.id()));
    assert_eq!(printed(&server.home, &["--user", "ada@example.com"]), of_ada);
    assert_eq!(printed(&server.home, &["--user", &ada.id().to_string()]), of_ada);
    assert_eq!(printed(&server.home, &["--type", "log_in", "--user", "ada@example.com"]), of_ada[1..]);
    server.home.database.execute("UPDATE events SET at = at - 7200000 WHERE kind = 'signed_up'");
    let at = of_ada[0]["at"].as_str().expect("a time");
    assert_eq!(printed(&server.home, &["--user", "ada@example.com", "--since", at]), of_ada[1..]);
    assert_eq!(printed(&server.home, &["--since", "1970-01-01T00:00:00Z"]), events(&root, ""));
}

#[test]
fn the_events_since_a_time_are_all_printed_however_many_they_are() {
    let home = Home::new();
    home.run(&["migrate"], "").expect_success();
    let rows = vec!["(1795294680000, 'log_out', '{}')"; 1201].join(", ");
    home.database.execute(&format!("INSERT INTO events (at, kind, details) VALUES {rows}"));
    assert_eq!(printed(&home, &["--since", "2026-01-01T00:00:00Z"]).len(), 1201);
    let last = printed(&home, &[]);
    assert_eq!((last.len(), &last[0]["id"], &last[99]["id"]), (100, &1102.into(), &1201.into()));
}

#[test]
fn what_the_command_cannot_use_is_said_in_one_line() {
    let home = Home::new();
    home.run(&["migrate"], "").expect_success();
    for (arguments, part) in [
        (["--type", "nothing"], "log_in_refused"),
        (["--since", "yesterday"], "2026-11-21T20:58:00Z"),
        (["--user", "nobody@example.com"], "nobody@example.com"),
        (["--user", "no address"], "an e-mail address or an id"),
    ] {
        let line = home.run(&[&["audit"][..], &arguments].concat(), "").expect_failure();
        assert!(line.contains(part), "{line}");
    }
}

#[test]
fn a_follower_sees_what_happens_from_then_on_and_ends_on_a_signal() {
    let server = Server::start();
    server.sign_up("ada@example.com");
    for signal in ["TERM", "INT"] {
        let follower = Follower::start(&server, &[]);
        follower.wait_for("what has happened before", |event| event["type"] == "signed_up");
        let before = follower.events().len();
        server.log_in("ada@example.com");
        until("the login", PATIENCE, || follower.events().len() > before);
        assert_eq!(follower.events()[before]["type"], "log_in");
        follower.stop(signal);
    }
}

#[test]
fn a_follower_of_one_type_and_account_sees_only_those_events() {
    let server = Server::start();
    let (ada, bob) = (server.sign_up("ada@example.com"), server.sign_up("bob@example.com"));
    let follower = Follower::start(&server, &["--type", "log_out", "--user", "ada@example.com"]);
    for actor in [&bob, &ada] {
        server.request("POST", "/revoke").form(&[("token", actor.token.as_str())]).send().expect(200);
    }
    follower.wait_for("the own one", |event| event["type"] == "log_out");
    let seen = follower.events();
    assert!(seen.len() == 1 && seen[0]["user_id"] == ada.id(), "{seen:?}");
    follower.stop("TERM");
}

#[test]
fn a_follower_sees_an_event_that_is_committed_after_later_ones() {
    let server = Server::start();
    server.sign_up("ada@example.com");
    let url = server.home.database.url();
    let follower = Follower::start(&server, &[]);
    follower.wait_for("what has happened before", |event| event["type"] == "log_in");
    let insert = "INSERT INTO events (at, kind, details) VALUES (1795294680000, 'client_added', '{}')";
    if url.starts_with("postgres") {
        let mut connection = PgConnection::establish(&url).expect("PostgreSQL answers");
        connection.batch_execute(&format!("BEGIN; {insert}")).expect("the statement");
        server.sign_up("bob@example.com");
        follower.wait_for("the later one", |event| event["type"] == "log_in" && event["user_id"] == 2);
        connection.batch_execute("COMMIT").expect("the commit");
    } else {
        server.home.database.execute(insert);
    }
    follower.wait_for("the one that was committed late", |event| event["type"] == "client_added");
    server.sign_up("eve@example.com");
    let is_last = |event: &Value| event["type"] == "log_in" && event["user_id"].as_i64() >= Some(2);
    until("the last one", PATIENCE, || follower.events().last().is_some_and(is_last));
    let ids: Vec<i64> = follower.events().iter().map(|event| event["id"].as_i64().expect("an id")).collect();
    let mut once = ids.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), ids.len(), "each is printed once: {ids:?}");
    follower.stop("TERM");
}
