//! Which indices the statements use: those that the service sends while it answers requests, noted as they are sent, and
//! explained by the database that they were sent to. On tables of twenty thousand rows no statement reads a whole table.
//!
//! The service runs inside this process, since that is where diesel tells what it sends. With
//! `KEYFOB_TEST_DATABASE_URL=postgres://…` it is `PostgreSQL` that explains. `cargo test --test plans -- --nocapture`
//! prints the plans.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test that meets something unexpected should stop there and say where"
)]
#![allow(unreachable_pub, reason = "nothing is outside of a test binary: `pub` marks what the tests may use")]

#[path = "api/support/mod.rs"]
#[allow(dead_code, unused_imports, reason = "what only the tests of the routes use")]
mod support;

use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use actix_web::{App, HttpServer};
use aws_lc_rs::digest::{SHA256, digest};
use diesel::connection::{Instrumentation, InstrumentationEvent, SimpleConnection, set_default_instrumentation};
use diesel::sql_types::Text;
use diesel::{Connection, PgConnection, QueryableByName, RunQueryDsl, SqliteConnection, sql_query};
use keyfob::{Keyfob, Settings};
use serde_json::{Value, json};

use support::{Answer, Client, Home, PASSWORD, now_seconds, until};

/// The tables that grow.
const TABLES: [&str; 8] =
    ["users", "posts", "sessions", "revocations", "events", "one_time_tokens", "pending_signups", "local_mail_outbox"];
const KINDS: [&str; 5] = ["SELECT", "INSERT", "UPDATE", "DELETE", "WITH"];

/// An index, by what `PostgreSQL` and `SQLite` call it.
type Index = (&'static str, &'static str);
const USERS_ID: Index = ("users_pkey on users", "users USING INTEGER PRIMARY KEY");
const USERS_EMAIL: Index = ("users_email_key_key on users", "users USING INDEX sqlite_autoindex_users_1");
const USERS_ADMINS: Index = ("users_admins on users", "users USING INDEX users_admins");
const USERS_LEAVING: Index = ("users_delete_after", "INDEX users_delete_after");
const USERS_HASHES: Index = ("users_kind_of_hash on users", "users USING INDEX users_kind_of_hash");
const POSTS_ID: Index = ("posts_pkey on posts", "posts USING INTEGER PRIMARY KEY");
const POSTS_NEWEST: Index = ("Backward using posts_pkey on posts", "posts USING INTEGER PRIMARY KEY");
const POSTS_AUTHOR: Index = ("posts_author_id", "posts USING INDEX posts_author_id");
const SESSIONS_ID: Index = ("sessions_pkey", "sessions USING INTEGER PRIMARY KEY");
const SESSIONS_USER: Index = ("sessions_user_id", "sessions USING INDEX sessions_live");
const SESSIONS_LIVE: Index = ("sessions_live", "sessions USING INDEX sessions_live");
const SESSIONS_OVER: Index = ("sessions_expires_at", "INDEX sessions_expires_at");
const SESSIONS_IDLE: Index = ("sessions_idle_until", "INDEX sessions_idle_until");
const REVOCATIONS_ID: Index = ("revocations_pkey", "revocations USING INDEX sqlite_autoindex_revocations_1");
const REVOCATIONS_SINCE: Index = ("revocations_position", "INDEX revocations_position");
const REVOCATIONS_OVER: Index = ("revocations_expires_at", "INDEX revocations_expires_at");
const EVENTS_NEWEST: Index = ("Backward using events_pkey on events", "events USING INTEGER PRIMARY KEY");
const EVENTS_USER: Index = ("events_user_id on events", "events USING INDEX events_user_id");
const EVENTS_KIND: Index = ("events_kind on events", "events USING INDEX events_kind");
const EVENTS_AT: Index = ("events_at on events", "INDEX events_at");

const TOKENS_HASH: Index = ("one_time_tokens_hash_key", "INDEX sqlite_autoindex_one_time_tokens_1");
const TOKENS_USER: Index = ("one_time_tokens_user_id", "INDEX one_time_tokens_user_id");
const TOKENS_OVER: Index = ("one_time_tokens_expires_at", "INDEX one_time_tokens_expires_at");
const SIGN_UPS_ID: Index = ("pending_signups_pkey", "pending_signups USING INTEGER PRIMARY KEY");
const SIGN_UPS_ADDRESS: Index = ("pending_signups_email_key", "INDEX pending_signups_email_key");
const SIGN_UPS_NETWORK: Index = ("pending_signups_network", "INDEX pending_signups_network");
const SIGN_UPS_OVER: Index = ("pending_signups_expires_at", "INDEX pending_signups_expires_at");
const MAILS_ID: Index = ("local_mail_outbox_pkey", "local_mail_outbox USING INTEGER PRIMARY KEY");
const MAILS_DUE: Index = ("mail_outbox_due", "INDEX mail_outbox_due");
const MAILS_SINCE: Index = ("mail_outbox_waits_since", "INDEX mail_outbox_waits_since");
/// Either index of those that wait is good for counting them.
const MAILS_WAITING: Index = ("using mail_outbox_", "INDEX mail_outbox_");
const MAILS_TO: Index = ("mail_outbox_recipient", "INDEX mail_outbox_recipient");
const MAILS_ENDED: Index = ("mail_outbox_ended_at", "INDEX mail_outbox_ended_at");

/// As many as were sent in the last hour, so that the worker sends none at first.
const MAILS_AN_HOUR: u32 = 10;

/// Every statement that was sent in this process, with its values, and not taken yet.
static SENT: Mutex<Vec<String>> = Mutex::new(Vec::new());

#[expect(clippy::unnecessary_wraps, reason = "what diesel asks for")]
fn recorder() -> Option<Box<dyn Instrumentation>> {
    Some(Box::new(|event: InstrumentationEvent<'_>| {
        if let InstrumentationEvent::StartQuery { query, .. } = event {
            SENT.lock().unwrap().push(query.to_string());
        }
    }))
}

/// What has been sent about the tables that grow since this was last asked.
fn sent() -> Vec<String> {
    let mut statements = std::mem::take(&mut *SENT.lock().unwrap());
    let concerns = |text: &str| TABLES.iter().any(|table| text.contains(table));
    statements.retain(|text| KINDS.iter().any(|kind| text.starts_with(kind)) && concerns(text));
    statements
}

/// A service in this process, its database full.
struct Service {
    home: Home,
    client: Client,
}

impl Service {
    fn start() -> Self {
        let home = Home::new();
        let outbox = home.folder().join("outbox");
        home.run(&["seed", "--users", "2000", "--posts", "20000"], &format!("{PASSWORD}\n")).expect_success();
        fill(&home);
        set_default_instrumentation(recorder).expect("nobody else sets one");
        let mut settings = Settings::load().expect("the defaults");
        settings.database.url = home.database.url().parse().expect("a URL");
        settings.password.bcrypt_cost = 4;
        settings.mail.outbox_dir = outbox;
        settings.mail.max_per_hour = MAILS_AN_HOUR;
        Self { client: serve(settings), home }
    }

    /// One more service on the database, at which sign-ups wait for their address to be proven.
    fn neutral(&self) -> Client {
        let mut settings = Settings::load().expect("the defaults");
        settings.database.url = self.home.database.url().parse().expect("a URL");
        settings.password.bcrypt_cost = 4;
        settings.mail.outbox_dir = self.home.folder().join("outbox");
        settings.mail.max_per_hour = 1;
        settings.accounts.neutral_signup = true;
        serve(settings)
    }

    /// Runs a request, and checks what was sent for it: all of it, and that each of these indices was used.
    #[track_caller]
    fn check(&self, what: &str, status: u16, indices: &[Index], request: impl Fn(&Client) -> Answer) -> Value {
        sent();
        let answer = request(&self.client);
        assert_eq!(answer.status, status, "{answer}");
        self.explain(what, &sent(), indices);
        serde_json::from_slice(&answer.body).unwrap_or_default()
    }

    #[track_caller]
    fn explain(&self, what: &str, statements: &[String], indices: &[Index]) {
        assert!(!statements.is_empty(), "{what} sends nothing");
        let mut plans = Vec::new();
        for statement in statements {
            let plan = plan_of(&self.home.database.url(), statement);
            println!("{what}\n  {}\n    {}", without_values(statement), plan.join("\n    "));
            assert_eq!(reads_whole_table(&plan), None, "{what}: {statement}\n{plan:#?}");
            plans.extend(plan);
        }
        for (on_postgres, on_sqlite) in indices {
            let index = if is_postgres(&self.home.database.url()) { on_postgres } else { on_sqlite };
            assert!(plans.iter().any(|line| line.contains(index)), "{what} does not use {index}: {plans:#?}");
        }
    }
}

/// A service in this process.
fn serve(settings: Settings) -> Client {
    let (address, listening) = channel();
    thread::spawn(move || {
        actix_web::rt::System::new().block_on(async move {
            let keyfob = Keyfob::open(settings).await.expect("a database");
            let server = HttpServer::new(move || App::new().configure(|cfg| keyfob.configure(cfg)));
            let server = server.workers(1).disable_signals().bind("127.0.0.1:0").expect("a port");
            address.send(server.addrs()[0]).expect("somebody waits");
            server.run().await
        })
    });
    let address = listening.recv_timeout(Duration::from_secs(60)).expect("the service starts");
    Client::new(&address.to_string())
}

/// Sessions, revocations, events and one-time tokens, a few of which are over, and one admin; then the statistics that
/// `PostgreSQL` would soon gather by itself.
fn fill(home: &Home) {
    let now = now_seconds() * 1000;
    let (later, secret) = (now + 86_400_000, home.database.bytes(&[7; 32]));
    let over = |id: &str| format!("CASE WHEN {id} % 1000 = 0 THEN 1000 ELSE {later} END");
    home.database.execute(&format!(
        "INSERT INTO sessions (user_id, client_id, scope, secret_hash, generation, proven_generation, refreshed_at, \
         refresh_ttl_seconds, created_at, last_used_at, expires_at) \
         SELECT author_id, 'keyfob', 'profile', {secret}, 1, 1, {now}, 86400, {now}, {now}, {} FROM posts",
        over("id")
    ));
    home.database.execute(&format!(
        "INSERT INTO revocations (session_id, revoked_at, expires_at) SELECT id + 1000000, {now} - id * 1000, {} FROM posts",
        over("id")
    ));
    // The old ones are those of an account whose newest event lies far behind the newest of all.
    home.database.execute(&format!(
        "INSERT INTO events (at, kind, user_id, details) SELECT CASE WHEN id < 100 THEN 1000 ELSE {now} - 20000000 + id * 1000 END, \
         CASE WHEN id < 1000 THEN 'log_out' ELSE 'log_in' END, CASE WHEN id < 1000 THEN 7 ELSE author_id END, '{{}}' FROM posts"
    ));
    home.database.execute("UPDATE users SET is_admin = TRUE WHERE id = 43");
    let is_postgres = is_postgres(&home.database.url());
    let hash = if is_postgres { "convert_to('h' || id, 'UTF8')" } else { "CAST('h' || id AS BLOB)" };
    home.database.execute(&format!(
        "INSERT INTO one_time_tokens (purpose, user_id, hash, email, credential_epoch, created_at, expires_at) \
         SELECT 'email_verification', author_id, {hash}, 'x@example.com', 0, {now}, {} FROM posts",
        over("id")
    ));
    home.database.execute(&format!(
        "INSERT INTO pending_signups (email, email_key, password_hash, network, created_at, expires_at) \
         SELECT 'w' || id || '@example.com', 'w' || id || '@example.com', 'hash', '192.0.2.' || id % 250, {now}, {} FROM posts",
        over("id")
    ));
    fill_outbox(home, now, later);
    if is_postgres {
        home.database.execute("ANALYZE");
    }
}

/// Most mails were sent long ago, some in the last hour, and some wait; one in a thousand is to be forgotten, or given up.
fn fill_outbox(home: &Home, now: i64, later: i64) {
    let is_postgres = is_postgres(&home.database.url());
    let (day, hour) = (86_400_000, 1_800_000);
    let ended = format!(
        "CASE WHEN id % 1000 = 0 THEN 1000 WHEN id % 10 = 1 THEN NULL WHEN id < 1100 AND id % 100 = 2 \
         THEN {now} - {hour} ELSE {now} - {day} END"
    );
    let recipient = if is_postgres { "convert_to('r' || id % 500, 'UTF8')" } else { "CAST('r' || id % 500 AS BLOB)" };
    home.database.execute(&format!(
        "INSERT INTO local_mail_outbox (kind, language, user_id, is_notice, message_id, queued_at, waits_since, due_at, tries, \
         recipient, allowed_at, ended_at, is_sent) \
         SELECT CASE id % 3 WHEN 0 THEN 'password_reset' WHEN 1 THEN 'email_verification' ELSE 'password_changed' END, 'en', author_id, id % 3 = 2, \
         '<' || id || '@x>', {now} - {day}, CASE WHEN id = 101 THEN 1000 ELSE {now} END, {later}, 1, {recipient}, \
         {now} - {day}, {ended}, TRUE FROM posts"
    ));
}

fn is_postgres(url: &str) -> bool {
    url.starts_with("postgres")
}

#[derive(QueryableByName)]
struct SqliteLine {
    #[diesel(sql_type = Text)]
    detail: String,
}

#[derive(QueryableByName)]
struct PostgresLine {
    #[diesel(sql_type = Text, column_name = "QUERY PLAN")]
    line: String,
}

/// How the database runs a statement: SQLite with the values that it came with, PostgreSQL by the plan for any values.
fn plan_of(url: &str, statement: &str) -> Vec<String> {
    let (text, values) = statement.split_once(" -- binds: ").expect("diesel's way to show a statement");
    if let Some(path) = url.strip_prefix("sqlite://") {
        let mut connection = SqliteConnection::establish(path).expect("the file opens");
        let lines: Vec<SqliteLine> =
            sql_query(format!("EXPLAIN QUERY PLAN {text}")).load(&mut connection).expect("a plan");
        return lines.into_iter().map(|line| line.detail).collect();
    }
    let mut connection = PgConnection::establish(url).expect("PostgreSQL answers");
    let prepare = format!("SET plan_cache_mode = force_generic_plan; PREPARE sent AS {text}");
    connection.batch_execute(&prepare).expect("a statement");
    let values = literals(values);
    let values = if values.is_empty() { String::new() } else { format!("({})", values.join(", ")) };
    let lines: Vec<PostgresLine> =
        sql_query(format!("EXPLAIN EXECUTE sent{values}")).load(&mut connection).expect("a plan");
    lines.into_iter().map(|line| line.line).collect()
}

/// Values as Rust shows them, such as `[Id(7), "text", None, [1, 2]]`, as SQL writes them.
fn literals(values: &str) -> Vec<String> {
    let inner = values.trim().strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).expect("a list");
    let (mut items, mut depth, mut is_quoted, mut before) = (vec![String::new()], 0, false, ' ');
    for c in inner.chars() {
        match c {
            '"' if before != '\\' => is_quoted = !is_quoted,
            '[' | '(' if !is_quoted => depth += 1,
            ']' | ')' if !is_quoted => depth -= 1,
            _ => {}
        }
        before = c;
        if c == ',' && depth == 0 && !is_quoted {
            items.push(String::new());
        } else {
            items.last_mut().expect("an item").push(c);
        }
    }
    items.iter().map(|item| item.trim()).filter(|item| !item.is_empty()).map(literal).collect()
}

fn literal(value: &str) -> String {
    if let Some((_, inner)) = value.strip_suffix(')').and_then(|value| value.split_once('(')) {
        return literal(inner);
    }
    if let Some(list) = value.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return format!("'{{{}}}'", literals(&format!("[{list}]")).join(","));
    }
    match value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(text) => format!("'{}'", text.replace('\'', "''")),
        None if value == "None" => "NULL".to_owned(),
        None => value.to_owned(),
    }
}

fn without_values(statement: &str) -> &str {
    statement.split(" -- binds: ").next().unwrap_or_default()
}

/// The line of a plan that reads a whole table or a whole index.
fn reads_whole_table(plan: &[String]) -> Option<&String> {
    let is_walk = |at: usize, line: &str| {
        let is_bounded = plan.get(at + 1).is_some_and(|next| next.contains("Index Cond"));
        line.contains("Index") && line.contains(" using ") && !is_bounded
    };
    let mut lines = plan.iter().enumerate();
    lines.find_map(|(at, line)| {
        let is_whole = line.contains("Seq Scan on") || line.starts_with("SCAN ") || is_walk(at, line);
        // The whole index of the active admins, who are few.
        let is_of_admins = line.contains(" users_admins");
        (is_whole && !is_of_admins).then_some(line)
    })
}

#[track_caller]
fn text<'v>(value: &'v Value, member: &str) -> &'v str {
    value[member].as_str().unwrap_or_else(|| panic!("{member} in {value}"))
}

#[test]
fn no_statement_of_a_request_reads_a_whole_table() {
    let service = Service::start();
    work_of_the_background(&service);
    lists(&service);
    events(&service);
    accounts(&service);
    administration(&service);
    mails(&service);
    sign_ups(&service);
    a_statement_without_an_index_is_noticed(&service);
}

/// The clean-up, which comes first and then once a minute, the feed of revocations, and which kinds of hashes there are.
#[track_caller]
fn work_of_the_background(service: &Service) {
    // The mails are the last.
    let has_come =
        || SENT.lock().unwrap().iter().any(|text| text.starts_with("DELETE") && text.contains("local_mail_outbox"));
    until("the first clean-up is over", Duration::from_secs(30), has_come);
    let mut statements = sent();
    // At the start a replica reads all revocations, whose access tokens may still live.
    let start = statements.iter().position(|text| text.contains("revocations")).expect("they are read");
    statements.remove(start);
    let sessions = [SESSIONS_OVER, SESSIONS_IDLE, SESSIONS_ID];
    let others = [
        REVOCATIONS_SINCE,
        REVOCATIONS_OVER,
        REVOCATIONS_ID,
        USERS_HASHES,
        USERS_LEAVING,
        EVENTS_AT,
        TOKENS_OVER,
        SIGN_UPS_OVER,
    ];
    let mails = [MAILS_DUE, MAILS_SINCE, MAILS_ENDED, MAILS_ID];
    let indices = [&sessions[..], &others, &mails].concat();
    service.explain("background", &statements, &indices);
}

#[track_caller]
fn lists(service: &Service) {
    service.check("post", 200, &[POSTS_ID], |client| client.get("/posts/12345"));
    let page = service.check("first page", 200, &[POSTS_NEWEST], |client| client.get("/posts"));
    let next = format!("/posts?cursor={}", text(&page, "next_cursor"));
    service.check("later page", 200, &[POSTS_NEWEST], |client| client.get(&next));
    for author in [1, 2, 500] {
        let first = format!("/posts?author_id={author}&limit=1");
        let page = service.check("author, first page", 200, &[POSTS_AUTHOR], |client| client.get(&first));
        let next = format!("{first}&cursor={}", text(&page, "next_cursor"));
        service.check("author, later page", 200, &[POSTS_AUTHOR], |client| client.get(&next));
    }
}

#[track_caller]
fn events(service: &Service) {
    let form = [("username", "user000043@example.com"), ("password", PASSWORD)];
    let grant = service.check("log-in of an admin", 200, &[], |client| client.login(&form));
    let admin = service.client.with_token(text(&grant, "access_token"));
    let check = |path: &str, index: Index| {
        let what = format!("events {path}");
        let page = service.check(&what, 200, &[index], |_| admin.get(path));
        let next = format!("{path}{}cursor={}", if path.contains('?') { '&' } else { '?' }, text(&page, "next_cursor"));
        service.check(&what, 200, &[index], |_| admin.get(&next));
    };
    let since = "since=1970-01-02T00:00:00Z";
    check("/me/activity?limit=1", EVENTS_USER);
    check("/audit", EVENTS_NEWEST);
    for user in [1, 7] {
        check(&format!("/audit?user_id={user}&limit=1"), EVENTS_USER);
    }
    check("/audit?user_id=7&type=log_out&limit=1", EVENTS_USER);
    for kind in ["log_in", "log_out"] {
        check(&format!("/audit?type={kind}"), EVENTS_KIND);
        check(&format!("/audit?type={kind}&{since}"), EVENTS_KIND);
    }
    check(&format!("/audit?{since}"), EVENTS_AT);
}

#[track_caller]
fn accounts(service: &Service) {
    let account = json!({"email": "new@example.com", "password": PASSWORD});
    service.check("sign-up", 201, &[], |client| client.post("/signup", account.clone()));
    service.check("sign-up, taken", 409, &[], |client| client.post("/signup", account.clone()));
    let form = [("username", "user000042@example.com"), ("password", PASSWORD)];
    let grant = service.check("log-in", 200, &[USERS_EMAIL, USERS_ID], |client| client.login(&form));
    let form = [("grant_type", "refresh_token"), ("refresh_token", text(&grant, "refresh_token"))];
    let grant = service.check("refresh", 200, &[SESSIONS_ID, USERS_ID], |client| client.login(&form));
    let token = text(&grant, "access_token");
    let check = |what: &str, status: u16, indices: &[Index], request: &dyn Fn(&Client) -> Answer| {
        service.check(what, status, indices, |client| request(&client.with_token(token)))
    };
    check("profile", 200, &[USERS_ID], &|user| user.get("/profile/42"));
    let change = json!({"full_name": "Ada"});
    check("change of profile", 200, &[USERS_ID], &|user| user.patch("/me", change.clone()));
    let post = json!({"title": "title", "content": "content"});
    check("new post", 201, &[], &|user| user.post("/posts", post.clone()));
    check("change of a post", 200, &[POSTS_ID], &|user| user.patch("/posts/20001", post.clone()));
    check("deletion of a post", 204, &[POSTS_ID], &|user| user.delete("/posts/20001"));
    check("export", 200, &[SESSIONS_USER, TOKENS_USER, POSTS_AUTHOR, EVENTS_USER], &|user| user.get("/me/export"));
    check("sessions", 200, &[SESSIONS_LIVE], &|user| user.get("/me/sessions?limit=1"));
    check("sign-out elsewhere", 204, &[SESSIONS_LIVE], &|user| user.delete("/me/sessions"));
    many_sessions_end_by_as_many_statements_as_one(service, token);
    links(service);
    let deletion = json!({"password": PASSWORD});
    let gone = |user: &Client| user.request("DELETE", "/me").json(&deletion).send();
    check("deletion of an account", 204, &[USERS_ID, SESSIONS_LIVE], &gone);
}

#[track_caller]
fn administration(service: &Service) {
    service.home.database.execute("UPDATE users SET is_admin = TRUE WHERE id = 44");
    let form = [("username", "user000044@example.com"), ("password", PASSWORD)];
    let grant = service.check("log-in of an admin", 200, &[], |client| client.login(&form));
    let admin = service.client.with_token(text(&grant, "access_token"));
    let check = |what: &str, status: u16, indices: &[Index], request: &dyn Fn(&Client) -> Answer| {
        service.check(what, status, indices, |_| request(&admin))
    };
    let page = check("accounts", 200, &[USERS_ID], &|admin| admin.get("/users"));
    let next = format!("/users?cursor={}", text(&page, "next_cursor"));
    check("accounts, later page", 200, &[USERS_ID], &|admin| admin.get(&next));
    for part in ["user00", "user001999@", "nobody"] {
        check("accounts with a part", 200, &[USERS_ID], &|admin| admin.get(&format!("/users?email={part}")));
    }
    let new = json!({"email": "managed@example.com"});
    let id = check("new account", 201, &[USERS_ADMINS], &|admin| admin.post("/users", new.clone()))["id"].to_string();
    let user = format!("/users/{id}");
    check("account", 200, &[USERS_ID], &|admin| admin.get(&user));
    let change = json!({"is_admin": true});
    check("change of an account", 200, &[USERS_ADMINS, USERS_ID], &|admin| admin.patch(&user, change.clone()));
    check("sessions of an account", 200, &[SESSIONS_LIVE], &|admin| admin.get("/users/45/sessions"));
    check("sign-out of an account", 204, &[SESSIONS_LIVE], &|admin| admin.delete("/users/45/sessions"));
    let disabled = json!({"is_active": false});
    check("disabling", 200, &[SESSIONS_LIVE], &|admin| admin.patch("/users/45", disabled.clone()));
    check("deletion by an admin", 204, &[USERS_ID, SESSIONS_LIVE], &|admin| admin.delete(&user));
}

#[track_caller]
fn links(service: &Service) {
    let link = service.home.run(&["user", "reset-link", "43"], "").expect_success();
    let token = link.trim().split_once("token=").expect("a token").1;
    let body = json!({"token": token, "new_password": "orange-Kettle 99"});
    let reset = |client: &Client| client.post("/password-reset/confirm", body.clone());
    service.check("reset", 204, &[TOKENS_HASH, TOKENS_USER, USERS_ID, SESSIONS_LIVE], reset);
    service.check("reset, used token", 400, &[TOKENS_HASH], reset);
    change_of_address(service, "orange-Kettle 99");
    let link = service.home.run(&["user", "invite", "invited@example.com"], "").expect_success();
    let body = json!({"token": link.trim().split_once("token=").expect("a token").1, "password": PASSWORD});
    service.check("invitation", 201, &[TOKENS_HASH], |client| client.post("/invitation", body.clone()));
}

/// Of the account 43.
#[track_caller]
fn change_of_address(service: &Service, password: &str) {
    let grant = service.client.login(&[("username", "user000043@example.com"), ("password", password)]);
    let grant: Value = serde_json::from_slice(&grant.body).expect("JSON");
    let user = service.client.with_token(text(&grant, "access_token"));
    let body = json!({"new_email": "new43@example.com", "current_password": password});
    let indices = [TOKENS_USER, USERS_ID, SESSIONS_ID];
    service.check("change of address", 202, &indices, |_| user.post("/me/email", body.clone()));
    for (purpose, path) in [("email_change", "/email-change/confirm"), ("email_change_undo", "/email-change/undo")] {
        let token = format!("kfe_{purpose:A>43}");
        let hash = service.home.database.bytes(digest(&SHA256, token.as_bytes()).as_ref());
        // As its mail would have it.
        service.home.database.execute(&format!(
            "INSERT INTO one_time_tokens (purpose, user_id, hash, email, credential_epoch, created_at, expires_at) \
             SELECT purpose, user_id, {hash}, email, credential_epoch, created_at, expires_at FROM one_time_tokens \
             WHERE id = (SELECT MIN(id) FROM one_time_tokens WHERE purpose = '{purpose}' AND user_id = 43)"
        ));
        let confirm = |client: &Client| client.post(path, json!({ "token": token }));
        service.check(path, 204, &[TOKENS_HASH, TOKENS_USER, USERS_ID], confirm);
    }
}

/// A request for a reset looks nothing up about accounts; the worker does, when it sends the mail.
#[track_caller]
fn mails(service: &Service) {
    sent();
    let body = json!({"email": "user000044@example.com"});
    assert_eq!(service.client.post("/password-reset", body).status, 202);
    let statements = sent();
    assert!(statements.iter().any(|text| text.starts_with("INSERT INTO")), "{statements:#?}");
    let of_accounts = statements.iter().find(|text| text.contains("users") || text.contains("one_time_tokens"));
    assert_eq!(of_accounts, None);
    service.explain("request for a reset", &statements, &[MAILS_WAITING]);
    service.home.database.execute("UPDATE local_mail_outbox SET ended_at = ended_at - 3600000");
    let files = || support::mails_in(&service.home.folder().join("outbox"));
    let is_sent = || files().iter().any(|mail| mail.kind() == "password_reset");
    until("the mail is sent", Duration::from_secs(20), is_sent);
    let is_note = |text: &&String| text.contains("\"is_sent\" = ") || text.contains("`is_sent` = ");
    let has_ended = || SENT.lock().unwrap().iter().filter(is_note).count() >= files().len();
    until("that is noted", Duration::from_secs(20), has_ended);
    let indices = [MAILS_DUE, MAILS_TO, MAILS_ENDED, MAILS_ID, USERS_EMAIL, TOKENS_USER];
    let mut statements = sent();
    statements.retain(|text| !text.starts_with("UPDATE local_mail_outbox SET ended_at"));
    service.explain("sending", &statements, &indices);
}

/// Sign-ups that wait.
#[track_caller]
fn sign_ups(service: &Service) {
    let client = service.neutral();
    let account = json!({"email": "waiting@example.com", "password": PASSWORD});
    let indices = [SIGN_UPS_ADDRESS, SIGN_UPS_NETWORK];
    service.check("neutral sign-up", 202, &indices, |_| client.post("/signup", account.clone()));
    let token = format!("kfn_{:A>43}", "");
    let hash = service.home.database.bytes(digest(&SHA256, token.as_bytes()).as_ref());
    // As its mail would have it.
    service.home.database.execute(&format!(
        "INSERT INTO one_time_tokens (purpose, hash, email, credential_epoch, created_at, expires_at, pending_signup_id) \
         SELECT 'sign_up', {hash}, email, 0, created_at, expires_at, id FROM pending_signups \
         WHERE id = (SELECT MAX(id) FROM pending_signups)"
    ));
    let indices = [TOKENS_HASH, SIGN_UPS_ADDRESS, SIGN_UPS_ID];
    let confirm = |_: &Client| client.post("/signup/confirm", json!({ "token": token }));
    service.check("confirmation of a sign-up", 201, &indices, confirm);
}

#[track_caller]
fn many_sessions_end_by_as_many_statements_as_one(service: &Service, token: &str) {
    let statements = |log_ins: usize| {
        for _ in 0..log_ins {
            let answer = service.client.login(&[("username", "user000042@example.com"), ("password", PASSWORD)]);
            assert_eq!(answer.status, 200, "{answer}");
        }
        sent();
        assert_eq!(service.client.with_token(token).delete("/me/sessions").status, 204);
        // The background sends statements of its own, about revocations and uses.
        let ends = |text: &&String| text.contains("SET revoked_at") || text.contains("INSERT INTO revocations");
        sent().iter().filter(ends).count()
    };
    let for_one = statements(1);
    assert!(for_one > 0);
    assert_eq!(statements(20), for_one);
}

/// Or this test could not fail.
#[track_caller]
fn a_statement_without_an_index_is_noticed(service: &Service) {
    for text in [
        "SELECT id FROM users WHERE full_name = 'User 7'",
        "SELECT id FROM posts WHERE revision = 2 ORDER BY id DESC LIMIT 20",
        "SELECT id FROM posts ORDER BY title LIMIT 20",
        "SELECT id FROM sessions WHERE client_id = 'shop'",
    ] {
        let statement = format!("{text} -- binds: []");
        let plan = plan_of(&service.home.database.url(), &statement);
        assert!(reads_whole_table(&plan).is_some(), "{text}: {plan:#?}");
    }
}
