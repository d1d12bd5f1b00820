//! PostgreSQL databases that somebody else has made: their encoding, and what the service's role may do there.

use std::env;
use std::io::{Write, stderr};
use std::process;
use std::sync::Arc;

use diesel::{Connection, PgConnection, RunQueryDsl, sql_query};
use serde_json::json;

use crate::support::{Home, PASSWORD, Server};

/// The server for tests; `None`, said aloud, where there is none.
fn server_url(what: &str) -> Option<String> {
    let url = env::var("KEYFOB_TEST_DATABASE_URL").ok();
    if url.is_none() {
        // Past the runner, which keeps the output of tests that pass to itself.
        let note = format!("\nLEFT OUT: {what}, since KEYFOB_TEST_DATABASE_URL is not set\n");
        stderr().write_all(note.as_bytes()).expect("standard error");
    }
    url
}

fn execute(url: &str, statement: &str) {
    let mut connection = PgConnection::establish(url).expect("PostgreSQL answers");
    sql_query(statement).execute(&mut connection).expect("the statement");
}

/// A role or a database that is dropped at the end of its test.
struct Made {
    server_url: String,
    name: String,
    drop: &'static str,
}

impl Made {
    fn new(server_url: &str, kind: &str, name: &str, how: &str, drop: &'static str) -> Self {
        let name = format!("keyfob_test_{}_{name}", process::id());
        execute(server_url, &format!("CREATE {kind} {name} {how}"));
        Self { server_url: server_url.to_owned(), name, drop }
    }

    fn database(server_url: &str, encoding: &str) -> Self {
        let how = format!("ENCODING '{encoding}' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'");
        Self::new(server_url, "DATABASE", &encoding.to_lowercase(), &how, "DROP DATABASE")
    }

    /// The URL of the database.
    fn url(&self) -> String {
        let (server, _) = self.server_url.rsplit_once('/').expect("a database");
        format!("{server}/{}", self.name)
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        execute(&self.server_url, &format!("{} {}", self.drop, self.name));
    }
}

#[test]
fn a_database_that_is_not_in_utf_8_is_refused_by_every_command_with_what_to_do() {
    let Some(server_url) = server_url("databases that are not in UTF-8") else { return };
    for encoding in ["LATIN1", "KOI8R", "EUC_JP", "WIN1252", "SQL_ASCII"] {
        let made = Made::database(&server_url, encoding);
        let home = Home::with(&[("database.url", &made.url())]);
        let source = Home::with(&[("database.url", "sqlite://source.db")]);
        source.run(&["migrate"], "").expect_success();
        let to = made.url();
        let mut lines = vec![source.run(&["copy", "--to", &to], "").expect_failure()];
        for command in
            [&["serve"][..], &["migrate"], &["doctor"], &["client", "list"], &["copy", "--to", "sqlite://x.db"]]
        {
            let run = home.run(command, "");
            assert_eq!(run.code, Some(1), "{run:?}");
            lines.push(run.stderr);
        }
        let create = home.run(&["user", "create", "--email", "mia@example.com"], PASSWORD);
        lines.push(create.expect_failure());
        for line in lines {
            assert!(line.contains(encoding) && line.contains("UTF8") && line.contains("createdb"), "{line}");
        }
        let fails_if_tables_were_made = "SELECT 1 / CASE WHEN to_regclass('users') IS NULL THEN 1 ELSE 0 END";
        execute(&made.url(), fails_if_tables_were_made);
    }
}

#[test]
fn a_replica_that_is_not_in_utf_8_is_refused_at_the_start_and_one_that_is_away_is_not() {
    let Some(server_url) = server_url("a replica that is not in UTF-8") else { return };
    let made = Made::database(&server_url, "LATIN9");
    let mut home = Home::new();
    home.set("database.read_url", &made.url());
    let line = home.run(&["serve"], "").expect_failure();
    assert!(line.contains(&made.name) && line.contains("LATIN9") && line.contains("createdb"), "{line}");
    home.set("database.read_url", "postgres://127.0.0.1:1/keyfob");
    Server::at(Arc::new(home)).get("/readyz").expect(200);
}

/// The same URL for another role.
fn as_role(url: &str, role: &str) -> String {
    let (scheme, rest) = url.split_once("://").expect("a scheme");
    let server = rest.split_once('@').map_or(rest, |(_, server)| server);
    format!("{scheme}://{role}:kettle@{server}")
}

#[test]
fn a_role_that_may_make_no_tables_serves_a_database_that_is_up_to_date() {
    let Some(server_url) = server_url("a role that may make no tables") else { return };
    let role = Made::new(&server_url, "ROLE", "guest", "LOGIN PASSWORD 'kettle'", "DROP ROLE");
    let mut home = Home::new();
    let as_guest = as_role(&home.database.url(), &role.name);
    let as_owner = home.database.url();
    let grant = |home: &Home, what: &str| home.database.execute(&format!("GRANT {what} TO {}", role.name));
    home.database.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC");

    home.set("database.url", &as_guest);
    let line = home.run(&["serve"], "").expect_failure();
    assert!(line.contains("permission denied") && line.contains("`keyfob migrate`"), "{line}");
    assert!(!line.contains("kettle"), "{line}");

    home.set("database.url", &as_owner);
    home.run(&["migrate"], "").expect_success();
    grant(&home, "SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public");
    home.set("database.url", &as_guest);
    home.run(&["migrate"], "").expect_success();
    let home = Arc::new(home);
    let server = Server::at(Arc::clone(&home));
    let mia = server.sign_up("mia@example.com");
    mia.write_post("as a guest");
    server.log_in("mia@example.com").delete("/me/sessions").expect(204);
    mia.anonymous()
        .log_in("mia@example.com")
        .request("DELETE", "/me")
        .json(&json!({"password": PASSWORD}))
        .send()
        .expect(204);
    home.run(&["key", "list"], "").expect_success();
    home.run(&["client", "add", "--id", "shop"], "").expect_success();
    drop(server);

    home.database.execute(
        "DELETE FROM __diesel_schema_migrations WHERE version = (SELECT max(version) FROM __diesel_schema_migrations)",
    );
    let line = home.run(&["serve"], "").expect_failure();
    assert!(line.contains("`keyfob migrate`"), "{line}");
}
