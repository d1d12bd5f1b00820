//! `keyfob backup`, and what comes of a restore. It is about `SQLite`, whatever the other tests run on.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};

use crate::support::{Actor, Home, Server, until};

const PATIENCE: Duration = Duration::from_secs(60);

/// Surroundings whose database is a file of this name in their folder.
fn home(name: &str) -> Home {
    let mut home = Home::new();
    let path = home.folder().join(name);
    home.set("database.url", &format!("sqlite://{}", path.display()));
    home
}

fn in_folder(home: &Home, name: &str) -> PathBuf {
    home.folder().join(name)
}

/// Ends the writers when it is dropped, also by a test that fails.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Writes posts until it is told to stop, and notes each one that was acknowledged.
fn write_posts(actor: &Actor, number: usize, is_over: &AtomicBool, noted: &Mutex<Vec<String>>) {
    let mut count = 0;
    while !is_over.load(Ordering::Relaxed) {
        let post = actor.write_post(&format!("post {count} of writer {number}"));
        noted.lock().expect("a lock").push(post);
        count += 1;
    }
}

#[test]
fn a_backup_under_load_holds_all_that_was_acknowledged_before_and_can_be_served() {
    let server = Server::at(Arc::new(home("live.db")));
    let bob = server.sign_up("bob@example.com");
    let refresh_token = bob.grant["refresh_token"].as_str().expect("a refresh token").to_owned();
    let noted = Mutex::new(Vec::new());
    let is_over = AtomicBool::new(false);
    let (mut before, mut printed) = (Vec::new(), String::new());
    thread::scope(|scope| {
        let _over = Over(&is_over);
        for number in 0..4 {
            let (bob, is_over, noted) = (&bob, &is_over, &noted);
            scope.spawn(move || write_posts(bob, number, is_over, noted));
        }
        until("some posts", PATIENCE, || noted.lock().expect("a lock").len() >= 50);
        before = noted.lock().expect("a lock").clone();
        printed = server.home.run(&["backup", "snapshot.db"], "").expect_success();
        let after = noted.lock().expect("a lock").len();
        until("posts after the backup", PATIENCE, || noted.lock().expect("a lock").len() >= after + 50);
    });
    assert!(printed.contains("users\t1\n") && printed.contains("verified and synced to disk"), "{printed}");
    let rows: usize = printed.lines().find_map(|line| line.strip_prefix("posts\t")?.parse().ok()).expect("posts");
    let all = noted.lock().expect("a lock").len();
    assert!((before.len()..all).contains(&rows), "{} before, {rows} backed up, {all} in all", before.len());

    let restored = home("restored.db");
    fs::copy(in_folder(&server.home, "snapshot.db"), in_folder(&restored, "restored.db")).expect("a copy");
    drop(server);
    let restored = Server::at(Arc::new(restored));
    for post in &before {
        restored.get(post).expect(200);
    }
    let bob = restored.with_token(&bob.token);
    assert_eq!(bob.get("/me").expect_json(200)["email"], "bob@example.com", "the keys are there");
    let renewed = restored.login(&[("grant_type", "refresh_token"), ("refresh_token", &refresh_token)]);
    renewed.expect_json(200);
    restored.log_in("bob@example.com").write_post("after the restore");
}

#[test]
fn what_is_written_after_the_backup_is_not_in_it() {
    let server = Server::at(Arc::new(home("live.db")));
    let bob = server.sign_up("bob@example.com");
    let before = bob.write_post("before");
    server.home.run(&["backup", "snapshot.db"], "").expect_success();
    let after = bob.write_post("after");
    let restored = home("restored.db");
    fs::rename(in_folder(&server.home, "snapshot.db"), in_folder(&restored, "restored.db")).expect("a move");
    let restored = Server::at(Arc::new(restored));
    restored.get(&before).expect(200);
    restored.get(&after).expect(404);
}

#[test]
fn a_backup_is_for_its_owner_only_and_leaves_nothing_else_behind() {
    let home = home("live.db");
    home.run(&["migrate"], "").expect_success();
    home.run(&["backup", "snapshot.db"], "").expect_success();
    let mode = fs::metadata(in_folder(&home, "snapshot.db")).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let names = fs::read_dir(home.folder()).expect("a folder").map(|entry| entry.expect("an entry").file_name());
    let mut names: Vec<_> = names.map(|name| name.to_string_lossy().into_owned()).collect();
    names.sort();
    assert_eq!(names, ["live.db", "snapshot.db"]);
}

#[test]
fn a_backup_replaces_no_file() {
    let home = home("live.db");
    home.run(&["migrate"], "").expect_success();
    home.write("kept.txt", "precious");
    for name in ["kept.txt", "live.db"] {
        let line = home.run(&["backup", name], "").expect_failure();
        assert!(line.contains(name) && line.contains("already"), "{line}");
    }
    assert_eq!(fs::read_to_string(in_folder(&home, "kept.txt")).expect("a file"), "precious");
    home.run(&["backup", "snapshot.db"], "").expect_success();
    home.run(&["backup", "snapshot.db"], "").expect_failure();
}

#[test]
fn a_backup_that_fails_leaves_no_file() {
    let home = home("live.db");
    let line = home.run(&["backup", "snapshot.db"], "").expect_failure();
    assert!(line.contains("live.db"), "{line}");
    assert!(!in_folder(&home, "live.db").exists(), "a backup makes no database");
    home.write("live.db", &"this is no database. ".repeat(500));
    home.run(&["backup", "snapshot.db"], "").expect_failure();
    home.run(&["backup", "missing/snapshot.db"], "").expect_failure();
    for name in ["snapshot.db", "snapshot.db.unfinished", "missing"] {
        assert!(!in_folder(&home, name).exists(), "{name}");
    }
}

#[test]
fn a_damaged_database_is_not_backed_up() {
    let server = Server::at(Arc::new(home("live.db")));
    let bob = server.sign_up("bob@example.com");
    let orphan = bob.write_post("of nobody");
    let home = Arc::clone(&server.home);
    drop((server, orphan));
    // A row whose author is gone, which no service would leave behind.
    let path = in_folder(&home, "live.db");
    let mut conn = SqliteConnection::establish(&path.to_string_lossy()).expect("the file opens");
    conn.batch_execute("PRAGMA foreign_keys = OFF; DELETE FROM users").expect("a deletion");
    let line = home.run(&["backup", "snapshot.db"], "").expect_failure();
    assert!(line.contains("damaged"), "{line}");
    assert!(!in_folder(&home, "snapshot.db").exists());
}

#[test]
fn on_postgresql_the_tool_of_its_own_is_named_and_no_password() {
    let mut home = Home::new();
    home.set("database.url", "postgres://keyfob:hunter2hunter2@127.0.0.1:1/keyfob");
    let line = home.run(&["backup", "snapshot.dump"], "").expect_failure();
    assert!(line.contains("pg_dump") && !line.contains("hunter2hunter2"), "{line}");
    assert!(!in_folder(&home, "snapshot.dump").exists());
}
