//! Contract, "Command line": `keyfob copy`.

use std::env;
use std::io::{Write, stderr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use diesel::sql_types::Text;
use diesel::{Connection, QueryableByName, RunQueryDsl, SqliteConnection, sql_query};
use serde_json::json;

use crate::support::{Home, PASSWORD, Server, until};

/// Every table with its columns as texts; the second list is of those that hold bytes.
const TABLES: [(&str, &str, &[&str], &[&str]); 12] = [
    (
        "users",
        "id",
        &[
            "email",
            "email_key",
            "password_hash",
            "full_name",
            "is_active",
            "is_admin",
            "email_verified",
            "created_at",
            "credential_epoch",
            "delete_after",
        ],
        &[],
    ),
    (
        "pending_signups",
        "id",
        &["email", "email_key", "password_hash", "full_name", "network", "created_at", "expires_at"],
        &[],
    ),
    (
        "one_time_tokens",
        "id",
        &["purpose", "user_id", "email", "credential_epoch", "created_at", "expires_at", "pending_signup_id"],
        &["hash"],
    ),
    ("deleted_users", "id", &["id"], &[]),
    ("first_admin", "number", &["created_at"], &[]),
    ("posts", "id", &["title", "content", "author_id", "revision", "created_at", "updated_at"], &[]),
    (
        "sessions",
        "id",
        &["user_id", "client_id", "scope", "generation", "expires_at", "revoked_at", "user_agent", "ip"],
        &["secret_hash"],
    ),
    (
        "events",
        "id",
        &["at", "kind", "user_id", "actor_id", "ip", "user_agent", "client_id", "session_id", "request_id", "details"],
        &[],
    ),
    ("revocations", "session_id", &["revoked_at", "expires_at"], &[]),
    ("clients", "id", &["grants", "scopes", "access_ttl_seconds", "created_at"], &["secret_hash"]),
    ("signing_keys", "kid", &["algorithm", "private_key", "created_at", "signs_from"], &[]),
    ("server_secrets", "name", &["value", "created_at"], &[]),
];

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Text)]
    line: String,
}

/// All rows of all tables as text, written by the database itself and not by the program that is tested.
fn dump(load: &mut dyn FnMut(&str) -> Vec<Line>, hex: &dyn Fn(&str) -> String) -> Vec<String> {
    let mut all = Vec::new();
    for (table, key, texts, bytes) in TABLES {
        let texts = texts.iter().map(|column| match *column {
            flag if flag.starts_with("is_") || flag == "email_verified" => {
                format!("CASE WHEN {flag} THEN 1 ELSE 0 END")
            }
            other => other.to_owned(),
        });
        let columns = texts.chain(bytes.iter().map(|column| hex(column)));
        let columns: Vec<String> =
            columns.map(|column| format!("COALESCE(CAST({column} AS TEXT), '<NULL>')")).collect();
        let query =
            format!("SELECT CAST({key} AS TEXT) || '|' || {} AS line FROM {table}", columns.join(" || '|' || "));
        let mut lines: Vec<String> = load(&query).into_iter().map(|row| format!("{table}|{}", row.line)).collect();
        lines.sort();
        all.extend(lines);
    }
    all
}

fn dump_sqlite(path: &Path) -> Vec<String> {
    let mut conn = SqliteConnection::establish(&path.to_string_lossy()).expect("the file opens");
    dump(&mut |query| sql_query(query).load(&mut conn).expect("the query"), &|column| {
        format!("CASE WHEN {column} IS NULL THEN NULL ELSE lower(hex({column})) END")
    })
}

fn dump_postgres(url: &str) -> Vec<String> {
    let mut conn = diesel::PgConnection::establish(url).expect("PostgreSQL answers");
    dump(&mut |query| sql_query(query).load(&mut conn).expect("the query"), &|column| {
        format!("encode({column}, 'hex')")
    })
}

/// A service on SQLite with something in every table: accounts that came and went, posts, sessions, clients.
fn lived_in() -> Server {
    let server = Server::with(&[("database.url", "sqlite://lived.db")]);
    let ada = server.sign_up("Ada@Example.com");
    let bob = server.sign_up("bob@example.com");
    let gone = server.sign_up("gone@example.com");
    for number in 0..1100 {
        let title = format!("post {number} with ü, \"quotes\", 'apostrophes' and \u{1f989}");
        let writer = if number % 2 == 0 { &ada } else { &bob };
        writer.post("/posts", json!({"title": title, "content": "line\nline\\N\t\u{7f}"})).expect(201);
    }
    gone.write_post("the last one, which goes with its author");
    gone.request("DELETE", "/me").json(&json!({"password": PASSWORD})).send().expect(204);
    ada.log_in("bob@example.com").delete("/me/sessions").expect(204);
    server.home.run(&["client", "add", "--id", "shop"], "").expect_success();
    server.home.run(&["client", "add", "--id", "App.2", "--public"], "").expect_success();
    server.home.run(&["key", "rotate"], "").expect_success();
    server.home.run(&["user", "reset-link", "bob@example.com"], "").expect_success();
    server.home.run(&["user", "invite", "zoe@example.com"], "").expect_success();
    let mut conn = SqliteConnection::establish(&path_of(&server.home).to_string_lossy()).expect("the file opens");
    for statement in [
        "PRAGMA busy_timeout = 20000",
        "INSERT INTO pending_signups VALUES (7, 'kim@example.com', 'kim@example.com', 'hash', NULL, '127.0.0.1', 1, 4102444800000)",
        "INSERT INTO one_time_tokens (purpose, hash, email, credential_epoch, created_at, expires_at, pending_signup_id) \
         VALUES ('sign_up', X'07', 'kim@example.com', 0, 1, 4102444800000, 7)",
    ] {
        sql_query(statement).execute(&mut conn).expect("the statement");
    }
    server.admin("root@example.com");
    server
}

fn sqlite_url(path: &Path) -> String {
    format!("sqlite://{}", path.display())
}

fn path_of(home: &Home) -> PathBuf {
    home.folder().join("lived.db")
}

/// A home whose database is that SQLite file.
fn home_at(path: &Path) -> Home {
    Home::with(&[("database.url", &sqlite_url(path))])
}

fn stop(mut server: Server) -> Arc<Home> {
    server.signal("TERM");
    server.wait(std::time::Duration::from_secs(30));
    Arc::clone(&server.home)
}

/// Fails with the first row that differs, since all of them would fill pages.
#[track_caller]
fn assert_same(before: &[String], after: &[String]) {
    for (left, right) in before.iter().zip(after) {
        assert_eq!(left, right);
    }
    assert_eq!(before.len(), after.len(), "rows");
}

/// How many mails wait in a database, or were sent.
fn count_mails(path: &Path) -> String {
    let mut conn = SqliteConnection::establish(&path.to_string_lossy()).expect("the file opens");
    let query = sql_query("SELECT CAST(COUNT(*) AS TEXT) AS line FROM local_mail_outbox");
    query.get_result::<Line>(&mut conn).expect("the query").line
}

fn rows_copied(output: &str) -> &str {
    output.lines().last().expect("a last line")
}

#[test]
fn a_copy_of_a_sqlite_database_is_equal_and_serves() {
    let server = lived_in();
    let bob = server.log_in("bob@example.com");
    let refresh_token = bob.grant["refresh_token"].as_str().expect("a refresh token").to_owned();
    let home = stop(server);
    let copy = home.folder().join("copy.db");
    let output = home.run(&["copy", "--to", &sqlite_url(&copy)], "").expect_success();
    assert!(rows_copied(&output).ends_with("counts and checksums match"), "{output}");
    for table in TABLES.map(|table| table.0) {
        assert!(output.lines().any(|line| line.starts_with(&format!("{table}\t"))), "{table} in {output}");
    }
    assert_eq!(count_mails(&path_of(&home)), "2");
    assert_eq!(count_mails(&copy), "0", "or both would send them");
    let (before, after) = (dump_sqlite(&path_of(&home)), dump_sqlite(&copy));
    assert_same(&before, &after);
    assert!(TABLES.iter().all(|table| before.iter().any(|line| line.starts_with(&format!("{}|", table.0)))));
    let server = Server::at(Arc::new(home_at(&copy)));
    server.with_token(&bob.token).get("/me").expect_json(200);
    server.login(&[("grant_type", "refresh_token"), ("refresh_token", &refresh_token)]).expect_json(200);
    assert_eq!(server.sign_up("new@example.com").id(), 5, "the id of the deleted account is not given out again");
    let url = server.log_in("bob@example.com").write_post("one more");
    assert_eq!(url, "/posts/1102", "nor that of its post");
}

#[test]
fn a_copy_to_postgresql_and_back_is_equal() {
    if env::var("KEYFOB_TEST_DATABASE_URL").is_err() {
        // Past the runner, which keeps the output of tests that pass to itself.
        let note = "\nLEFT OUT: the copy to PostgreSQL and back, since KEYFOB_TEST_DATABASE_URL is not set\n";
        stderr().write_all(note.as_bytes()).expect("standard error");
        return;
    }
    let home = stop(lived_in());
    // A fresh database on that server.
    let postgres = Home::new();
    let url = postgres.database.url();
    home.run(&["copy", "--to", &url], "").expect_success();
    let before = dump_sqlite(&path_of(&home));
    assert_same(&before, &dump_postgres(&url));
    let back = home.folder().join("back.db");
    let output = postgres.run(&["copy", "--to", &sqlite_url(&back)], "").expect_success();
    assert_same(&before, &dump_sqlite(&back));
    let again = home.run(&["copy", "--to", &sqlite_url(&home.folder().join("again.db"))], "").expect_success();
    let sums = |text: &str| text.lines().filter(|line| line.contains("sha256:")).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(sums(&output), sums(&again), "checksums are the same on both back ends");
    for home in [Arc::new(postgres), Arc::new(home_at(&back))] {
        let server = Server::at(home);
        assert_eq!(server.sign_up("new@example.com").id(), 5);
        assert_eq!(server.log_in("bob@example.com").write_post("one more"), "/posts/1102");
    }
}

#[test]
fn a_target_with_data_is_refused_and_left_alone() {
    let home = stop(lived_in());
    let target = home_at(&home.folder().join("target.db"));
    target.run(&["user", "create", "--email", "zoe@example.com"], &format!("{PASSWORD}\n")).expect_success();
    let path = home.folder().join("target.db");
    let before = dump_sqlite(&path);
    for arguments in [&["copy", "--to", &sqlite_url(&path)][..], &["copy", "--resume", "--to", &sqlite_url(&path)]] {
        let line = home.run(arguments, "").expect_failure();
        assert!(line.contains("events") && line.contains("target.db"), "{line}");
        assert_same(&before, &dump_sqlite(&path));
    }
}

#[test]
fn an_interrupted_copy_is_resumed() {
    let home = stop(lived_in());
    let copy = home.folder().join("copy.db");
    home.run(&["copy", "--to", &sqlite_url(&copy)], "").expect_success();
    // What an interruption in the middle of the posts leaves behind.
    let mut conn = SqliteConnection::establish(&copy.to_string_lossy()).expect("the file opens");
    for statement in [
        "DELETE FROM posts WHERE id > 500",
        "DELETE FROM sessions",
        "DELETE FROM revocations",
        "DELETE FROM sqlite_sequence WHERE name <> 'users'",
    ] {
        sql_query(statement).execute(&mut conn).expect("the statement");
    }
    home.run(&["copy", "--to", &sqlite_url(&copy)], "").expect_failure();
    home.run(&["copy", "--to", &sqlite_url(&copy), "--resume"], "").expect_success();
    assert_same(&dump_sqlite(&path_of(&home)), &dump_sqlite(&copy));
    home.run(&["copy", "--to", &sqlite_url(&copy), "--resume"], "").expect_success();
    sql_query("UPDATE posts SET content = 'changed' WHERE id = 7").execute(&mut conn).expect("the statement");
    let line = home.run(&["copy", "--to", &sqlite_url(&copy), "--resume"], "").expect_failure();
    assert!(line.contains("posts"), "{line}");
}

/// So many posts that a copy of them takes a while.
const MANY_POSTS: i64 = 60_000;

/// An account with many posts, on SQLite.
fn with_many_posts() -> Home {
    let home = Home::with(&[("database.url", "sqlite://lived.db")]);
    home.run(&["user", "create", "--email", "bob@example.com"], &format!("{PASSWORD}\n")).expect_success();
    let mut conn = SqliteConnection::establish(&path_of(&home).to_string_lossy()).expect("the file opens");
    let posts = format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {MANY_POSTS}) \
         INSERT INTO posts (title, content, author_id, revision, created_at, updated_at) \
         SELECT 'post ' || i, hex(randomblob(100)), 1, 1, 0, 0 FROM n"
    );
    sql_query(posts).execute(&mut conn).expect("the posts");
    home
}

/// How many posts are there; `None` as long as there is no such table.
fn count_posts(url: &str) -> Option<i64> {
    let query = sql_query("SELECT CAST(COUNT(*) AS TEXT) AS line FROM posts");
    let lines: Vec<Line> = match url.strip_prefix("sqlite://") {
        // Not to be made by this look at it.
        Some(path) if !Path::new(path).exists() => return None,
        Some(path) => query.load(&mut SqliteConnection::establish(path).ok()?).ok()?,
        None => query.load(&mut diesel::PgConnection::establish(url).ok()?).ok()?,
    };
    lines.first().and_then(|row| row.line.parse().ok())
}

/// `kill -9` of a copy once it has copied some of the posts.
#[track_caller]
fn kill_half_way(home: &Home, url: &str) {
    let mut copy = home.command(&["copy", "--to", url]).spawn().expect("the binary starts");
    until("posts are copied", Duration::from_secs(40), || count_posts(url).is_some_and(|count| count > 0));
    copy.kill().expect("a running copy");
    copy.wait().expect("an end");
    let count = count_posts(url).expect("posts");
    assert!(count < MANY_POSTS, "the copy was too quick: {count} posts");
}

#[test]
fn what_a_killed_copy_left_behind_is_not_served_until_it_is_resumed() {
    let source = with_many_posts();
    let target = Arc::new(Home::new());
    let url = target.database.url();
    kill_half_way(&source, &url);
    target.write("users.csv", "email,password_hash\n");
    let commands: [&[&str]; 5] = [
        &[],
        &["migrate"],
        &["key", "rotate"],
        &["user", "import", "users.csv"],
        &["copy", "--to", "sqlite://third.db"],
    ];
    for arguments in commands {
        let line = target.run(arguments, "").expect_failure();
        let is_clear = line.contains("keyfob copy --resume") && line.contains(&target.database.name());
        assert!(is_clear, "{arguments:?}: {line}");
    }
    source.run(&["copy", "--to", &url], "").expect_failure();
    source.run(&["copy", "--to", &url, "--resume"], "").expect_success();
    assert_eq!(count_posts(&url), Some(MANY_POSTS));
    let server = Server::at(target);
    server.log_in("bob@example.com").write_post("after the copy");
    // The target is in use: to go on with the copy once more is refused, and does no harm.
    source.run(&["copy", "--to", &url, "--resume"], "").expect_failure();
    server.second().log_in("bob@example.com").write_post("after that");
}

#[test]
fn a_copy_is_of_one_moment_while_the_service_runs() {
    let server = lived_in();
    let copy = server.home.folder().join("copy.db");
    let bob = server.log_in("bob@example.com");
    std::thread::scope(|scope| {
        let writing = scope.spawn(|| (0..200).for_each(|number| drop(bob.write_post(&format!("meanwhile {number}")))));
        server.home.run(&["copy", "--to", &sqlite_url(&copy)], "").expect_success();
        writing.join().expect("the posts");
    });
    let (before, after) = (dump_sqlite(&path_of(&server.home)), dump_sqlite(&copy));
    assert!(after.len() <= before.len() && after.iter().any(|line| line.starts_with("posts|1100|")));
}

#[test]
fn a_source_or_target_that_cannot_be_used_fails_with_one_line() {
    let home = Home::with(&[("database.url", "sqlite://missing.db")]);
    let line = home.run(&["copy", "--to", "sqlite://copy.db"], "").expect_failure();
    assert!(line.contains("missing.db"), "{line}");
    assert!(!home.folder().join("missing.db").exists() && !home.folder().join("copy.db").exists());
    home.run(&["migrate"], "").expect_success();
    for (url, word) in [
        ("postgres://keyfob:hunter2hunter2@127.0.0.1:1/keyfob", "127.0.0.1:1"),
        ("mysql://keyfob:hunter2hunter2@127.0.0.1/keyfob", "sqlite://"),
        ("sqlite://no/such/folder/copy.db", "no/such/folder"),
    ] {
        let line = home.run(&["copy", "--to", url], "").expect_failure();
        assert!(line.contains(word) && !line.contains("hunter2"), "{line}");
    }
}
