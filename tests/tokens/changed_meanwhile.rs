//! What changes while a request waits for its password, or for its body: nothing is decided on what was true before.

use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::steps::{App, PATIENCE, refresh_token, restart_with, revoke, session_id, time_until_refused};
use crate::support::{Answer, Client, PASSWORD, Server, USER_SCOPES, Wire, until, words};

const BOB: &str = "bob@example.com";
const NEW: &str = "another-Kettle 99";

/// A service whose only hashing thread can be kept busy for a while.
struct Slow {
    server: Server,
    metrics: Client,
}

impl Slow {
    fn start() -> Self {
        Self::with(&[])
    }

    fn with(settings: &[(&str, &str)]) -> Self {
        let slow = [
            ("server.metrics_bind", "127.0.0.1:0"),
            // A quarter of a second: five of them are long enough for a change, and do not reach the longest wait even on a
            // machine that is ten times slower.
            ("password.bcrypt_cost", "12"),
            ("password.hash_threads", "1"),
            ("password.max_wait_seconds", "60"),
        ];
        Self::on(Server::with(&[&slow, settings].concat()))
    }

    fn on(server: Server) -> Self {
        let mut address = None;
        until("the log says where the metrics are", PATIENCE, || {
            address = server.log().iter().find_map(|line| {
                let line: Value = serde_json::from_str(line).ok()?;
                Some(line["url"].as_str()?.strip_prefix("http://")?.strip_suffix("/metrics")?.to_owned())
            });
            address.is_some()
        });
        let metrics = Client::new(&address.expect("an address"));
        Self { server, metrics }
    }

    /// How many passwords have come into the queue so far.
    fn entered(&self) -> f64 {
        let answer = self.metrics.get("/metrics");
        let sample = |name: &str| -> f64 {
            let line = answer.text().lines().find(|line| line.starts_with(name)).expect("a sample");
            line.rsplit_once(' ').expect("a value").1.parse().expect("a number")
        };
        sample("keyfob_hash_queue_depth ") + sample("keyfob_hash_queue_wait_seconds_count ")
    }

    /// Sends the requests one after the other while the thread is busy, has `change` made while all of them wait, and gives
    /// their answers.
    #[track_caller]
    fn change_under_way<R>(&self, requests: Vec<R>, change: impl FnOnce()) -> Vec<Answer>
    where
        R: FnOnce() -> Answer + Send,
    {
        const OTHERS: u32 = 5;
        let mut expected = self.entered();
        thread::scope(|scope| {
            for number in 0..OTHERS {
                let client = self.server.anonymous();
                let user = format!("nobody-{number}@example.com");
                scope.spawn(move || client.login(&[("username", &user), ("password", PASSWORD)]));
            }
            expected += f64::from(OTHERS);
            until("others wait", PATIENCE, || self.entered() >= expected);
            let mut waiting = Vec::new();
            for request in requests {
                waiting.push(scope.spawn(request));
                expected += 1.0;
                until("the request waits", PATIENCE, || self.entered() >= expected);
            }
            change();
            waiting.into_iter().map(|answer| answer.join().expect("an answer")).collect()
        })
    }

    /// The same for one request.
    #[track_caller]
    fn change_under<R: FnOnce() -> Answer + Send>(&self, request: R, change: impl FnOnce()) -> Answer {
        self.change_under_way(vec![request], change).remove(0)
    }

    fn log_in(&self, password: &str) -> Answer {
        self.server.login(&[("username", BOB), ("password", password)])
    }
}

#[test]
fn an_admin_who_is_demoted_while_the_password_is_compared_gets_no_admin_scope() {
    let slow = Slow::start();
    let root = slow.server.admin(BOB);
    let answer = slow.change_under(
        || slow.log_in(PASSWORD),
        || slow.server.home.database.execute("UPDATE users SET is_admin = FALSE"),
    );
    assert_eq!(words(answer.expect_json(200)["scope"].as_str().unwrap()), USER_SCOPES);
    time_until_refused(&slow.server, &root.token);
}

#[test]
fn a_log_in_that_asks_for_admin_alone_is_refused_when_it_is_taken_away_meanwhile() {
    let slow = Slow::start();
    slow.server.admin(BOB);
    let answer = slow.change_under(
        || slow.server.login(&[("username", BOB), ("password", PASSWORD), ("scope", "admin")]),
        || slow.server.home.database.execute("UPDATE users SET is_admin = FALSE"),
    );
    answer.expect_oauth_error(400, "invalid_scope");
}

#[test]
fn an_account_that_is_disabled_while_the_password_is_compared_is_not_let_in() {
    let slow = Slow::start();
    slow.server.sign_up(BOB);
    let answer = slow.change_under(
        || slow.log_in(PASSWORD),
        || slow.server.home.database.execute("UPDATE users SET is_active = FALSE"),
    );
    answer.expect_oauth_error(400, "invalid_grant");
}

#[test]
fn an_address_that_loses_its_proof_while_the_password_is_compared_is_not_let_in_where_proof_is_required() {
    let slow = Slow::with(&[("accounts.require_verified_email", "true")]);
    slow.server.home.run(&["user", "create", "--email", BOB], &format!("{PASSWORD}\n")).expect_success();
    let set = |is_verified: &str| format!("UPDATE users SET email_verified = {is_verified}");
    slow.server.home.database.execute(&set("TRUE"));
    let answer = slow.change_under(|| slow.log_in(PASSWORD), || slow.server.home.database.execute(&set("FALSE")));
    assert_eq!(answer.expect_oauth_error(400, "invalid_grant")["reason"], "email_unverified");
    slow.server.home.database.execute(&set("TRUE"));
    slow.log_in(PASSWORD).expect(200);
}

#[test]
fn a_client_that_is_removed_locks_out_the_log_in_that_is_under_way() {
    let slow = Slow::start();
    let bob = slow.server.sign_up(BOB);
    let shop = App::add(&slow.server.home, "shop", &["--public"]);
    let answer = slow.change_under(
        || shop.post(&slow.server, "/login", &[("username", BOB), ("password", PASSWORD)]),
        || drop(slow.server.home.run(&["client", "remove", "--id", "shop"], "").expect_success()),
    );
    answer.expect_oauth_error(401, "invalid_client");
    App::add(&slow.server.home, "shop", &["--public"]);
    let sessions = bob.get("/me/sessions").expect_json(200);
    assert_eq!(sessions["items"].as_array().unwrap().len(), 1, "{sessions}");
}

#[test]
fn a_client_that_comes_back_with_another_secret_locks_out_the_log_in_that_is_under_way() {
    let slow = Slow::start();
    slow.server.sign_up(BOB);
    let shop = App::add(&slow.server.home, "shop", &[]);
    let answer = slow.change_under(
        || shop.post(&slow.server, "/login", &[("username", BOB), ("password", PASSWORD)]),
        || {
            slow.server.home.run(&["client", "remove", "--id", "shop"], "").expect_success();
            App::add(&slow.server.home, "shop", &[]);
        },
    );
    answer.expect_oauth_error(401, "invalid_client");
}

#[test]
fn a_login_in_progress_gets_only_the_rights_that_its_client_still_has() {
    let slow = Slow::start();
    slow.server.sign_up(BOB);
    let shop = App::add(&slow.server.home, "shop", &["--public"]);
    let log_in = || shop.post(&slow.server, "/login", &[("username", BOB), ("password", PASSWORD)]);
    let execute = |statement: &str| slow.server.home.database.execute(statement);
    let answer = slow.change_under(log_in, || execute("UPDATE clients SET scopes = 'profile'"));
    assert_eq!(answer.expect_json(200)["scope"], "profile");
    let answer = slow.change_under(log_in, || execute("UPDATE clients SET grants = 'refresh_token'"));
    answer.expect_oauth_error(400, "unauthorized_client");
}

#[test]
fn a_client_that_is_deleted_by_hand_ends_its_sessions() {
    let server = Server::start();
    server.sign_up(BOB);
    let shop = App::add(&server.home, "shop", &["--public"]);
    let grant = shop.log_in(&server, BOB);
    server.home.database.execute("DELETE FROM clients");
    time_until_refused(&server, grant["access_token"].as_str().unwrap());
    App::add(&server.home, "shop", &["--public"]);
    shop.refresh(&server, refresh_token(&grant)).expect_oauth_error(400, "invalid_grant");
}

#[test]
fn a_right_password_is_accepted_while_other_logins_renew_the_hash() {
    let server = Server::with(&[("server.metrics_bind", "127.0.0.1:0"), ("password.hash_threads", "1")]);
    server.sign_up(BOB);
    let slow = Slow::on(restart_with(
        server,
        &[("password.bcrypt_cost", "12"), ("password.max_wait_seconds", "60"), ("password.queue_length", "100")],
    ));
    let log_ins: Vec<_> = (0..5).map(|_| || slow.log_in(PASSWORD)).collect();
    for answer in slow.change_under_way(log_ins, || {}) {
        answer.expect_json(200);
    }
    let hash = "SELECT password_hash AS value FROM users";
    assert!(slow.server.home.database.text(hash).contains("$12$"), "it was renewed");
}

#[test]
fn a_password_that_is_changed_while_it_is_compared_is_refused() {
    let slow = Slow::start();
    slow.server.sign_up(BOB);
    slow.server.post("/signup", json!({"email": "eve@example.com", "password": NEW})).expect(201);
    let of_eve = "UPDATE users SET password_hash = \
                  (SELECT password_hash FROM users WHERE email_key = 'eve@example.com')";
    let answer = slow.change_under(|| slow.log_in(PASSWORD), || slow.server.home.database.execute(of_eve));
    answer.expect_oauth_error(400, "invalid_grant");
    let answer = slow.change_under(|| slow.log_in(NEW), || {});
    answer.expect_json(200);
}

const THIRD: &str = "a-third-Kettle 11";

fn change(password: &str) -> Value {
    json!({"current_password": PASSWORD, "new_password": password})
}

#[test]
fn of_two_concurrent_password_changes_the_second_has_lost_its_session_and_changes_nothing() {
    let slow = Slow::start();
    let (owner, thief) = (slow.server.sign_up(BOB), slow.server.log_in(BOB));
    let requests: Vec<Box<dyn FnOnce() -> Answer + Send>> = vec![
        Box::new(move || owner.post("/me/password", change(NEW))),
        Box::new(move || thief.post("/me/password", change(THIRD))),
    ];
    // They are compared side by side, so either may be the first to store its hash.
    let answers = slow.change_under_way(requests, || {});
    let [by_owner, by_thief] = answers.try_into().expect("two answers");
    let (first, second, kept, lost) = match by_owner.status {
        204 => (by_owner, by_thief, NEW, THIRD),
        _ => (by_thief, by_owner, THIRD, NEW),
    };
    first.expect_empty(204);
    second.expect_invalid_token();
    slow.log_in(lost).expect_oauth_error(400, "invalid_grant");
    slow.log_in(kept).expect_json(200);
}

#[test]
fn a_hash_that_is_renewed_meanwhile_does_not_keep_the_owner_from_changing_the_password() {
    let server = Server::with(&[("server.metrics_bind", "127.0.0.1:0"), ("password.hash_threads", "1")]);
    let bob = server.sign_up(BOB);
    let slow = Slow::on(restart_with(
        server,
        &[("password.bcrypt_cost", "12"), ("password.max_wait_seconds", "60"), ("password.queue_length", "100")],
    ));
    let bob = slow.server.with_token(&bob.token);
    // The password is compared and hashed, and in between a log-in renews the hash that it was compared with: others come
    // after both of them, so the new password waits for a place of its own.
    let mut requests: Vec<Box<dyn FnOnce() -> Answer + Send>> =
        vec![Box::new(|| bob.post("/me/password", change(NEW))), Box::new(|| slow.log_in(PASSWORD))];
    for number in 5..9 {
        let (client, user) = (slow.server.anonymous(), format!("nobody-{number}@example.com"));
        requests.push(Box::new(move || client.login(&[("username", &user), ("password", PASSWORD)])));
    }
    let mut answers = slow.change_under_way(requests, || {}).into_iter();
    let (changed, logged_in) = (answers.next().expect("an answer"), answers.next().expect("an answer"));
    logged_in.expect_json(200);
    changed.expect_empty(204);
    slow.log_in(NEW).expect_json(200);
    slow.log_in(PASSWORD).expect_oauth_error(400, "invalid_grant");
}

#[test]
fn a_session_that_ends_while_the_password_is_compared_neither_changes_it_nor_deletes_the_account() {
    let slow = Slow::start();
    let owner = slow.server.sign_up(BOB);
    for way in ["password", "account"] {
        let thief = slow.server.log_in(BOB);
        let id = session_id(&thief.token);
        let answer = slow.change_under(
            move || match way {
                "password" => thief.post("/me/password", change(NEW)),
                _ => thief.request("DELETE", "/me").json(&json!({"password": PASSWORD})).send(),
            },
            || drop(owner.delete(&format!("/me/sessions/{id}")).expect_empty(204)),
        );
        answer.expect_invalid_token();
        owner.get("/me").expect_json(200);
        slow.log_in(PASSWORD).expect_json(200);
    }
}

#[test]
fn an_account_that_is_disabled_while_its_password_is_compared_is_neither_changed_nor_deleted() {
    let slow = Slow::start();
    slow.server.sign_up(BOB);
    for way in ["password", "account"] {
        let bob = slow.server.log_in(BOB);
        let answer = slow.change_under(
            move || match way {
                "password" => bob.post("/me/password", change(NEW)),
                _ => bob.request("DELETE", "/me").json(&json!({"password": PASSWORD})).send(),
            },
            || slow.server.home.database.execute("UPDATE users SET is_active = FALSE"),
        );
        answer.expect_invalid_token();
        slow.server.home.database.execute("UPDATE users SET is_active = TRUE");
        slow.log_in(PASSWORD).expect_json(200);
    }
}

#[test]
fn a_session_that_ends_while_a_body_is_on_its_way_writes_nothing() {
    let server = Server::start();
    let watcher = server.sign_up(BOB);
    let post = watcher.write_post("as it was");
    for (method, path) in [("POST", "/posts"), ("PUT", post.as_str()), ("PATCH", post.as_str()), ("PATCH", "/me")] {
        let bob = server.log_in(BOB);
        let body = json!({"title": "too late", "content": "too late", "full_name": "too late"}).to_string();
        let (begin, rest) = body.split_at(10);
        let mut wire = Wire::open(&server.address);
        wire.send(
            format!(
                "{method} {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
                 content-length: {}\r\n\r\n{begin}",
                bob.token,
                body.len()
            )
            .as_bytes(),
        );
        // The use is noted when the token has been checked, so this request has come so far.
        let used = || {
            let listed = watcher.get("/me/sessions").expect_json(200);
            let find =
                |item: &&Value| item["id"] == session_id(&bob.token) && item["last_used_at"] != item["created_at"];
            listed["items"].as_array().unwrap().iter().any(|item| find(&item))
        };
        until("the token was checked", Duration::from_secs(30), used);
        revoke(&server, &bob.token);
        wire.send(rest.as_bytes());
        wire.answer(false).expect_invalid_token();
    }
    assert_eq!(server.get("/posts").expect_json(200)["items"].as_array().unwrap().len(), 1);
    assert_eq!(server.get(&post).expect_json(200)["title"], "as it was");
    assert_eq!(watcher.get("/me").expect_json(200)["full_name"], Value::Null);
}
