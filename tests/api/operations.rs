//! How the service starts, stops and logs.

use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Actor, Home, PASSWORD, SECRET, Server, Wire, until};

/// The contract's 30 seconds, and slack for a busy machine.
const STOP_DEADLINE: Duration = Duration::from_secs(40);

const LOG_DEADLINE: Duration = Duration::from_secs(10);

const WRONG_PASSWORD: &str = "wrongPassw0rd-of-bob";
const QUERY_TOKEN: &str = "queryT0kenqueryT0ken";
const CLIENT_SECRET: &str = "clientPassw0rd";
/// The client `ghost` with that secret.
const BASIC_WITH_SECRET: &str = "Z2hvc3Q6Y2xpZW50UGFzc3cwcmQ=";

/// Starts a `POST /posts` and returns when the service has begun to read its body.
fn open_request(server: &Server, token: &str, body: &str) -> Wire {
    let mut wire = Wire::open(&server.address);
    let head = format!(
        "POST /posts HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nexpect: 100-continue\r\n\r\n",
        server.address,
        body.len()
    );
    wire.send(head.as_bytes());
    assert_eq!(wire.answer(false).status, 100);
    wire
}

fn is_closed(server: &Server) -> bool {
    TcpStream::connect(&server.address).is_err()
}

#[test]
fn on_sigterm_the_request_in_flight_is_finished_and_the_exit_status_is_0() {
    let mut server = Server::start();
    let bob = server.sign_up("bob@example.com");
    let body = json!({"title": "in flight", "content": "c"}).to_string();
    let mut wire = open_request(&server, &bob.token, &body);
    server.signal("TERM");
    until("new connections are refused", STOP_DEADLINE, || is_closed(&server));
    wire.send(body.as_bytes());
    let answer = wire.answer(false);
    let path = answer.need("location").to_owned();
    answer.expect_json(201);
    assert_eq!(server.wait(STOP_DEADLINE).code(), Some(0));
    assert_eq!(server.second().get(&path).expect_json(200)["title"], "in flight");
}

#[test]
fn on_ctrl_c_the_exit_status_is_0() {
    let mut server = Server::start();
    server.sign_up("bob@example.com");
    server.signal("INT");
    assert_eq!(server.wait(STOP_DEADLINE).code(), Some(0));
}

#[test]
fn idle_connections_and_unfinished_requests_do_not_hold_up_the_end() {
    let mut server = Server::start();
    let bob = server.sign_up("bob@example.com");
    let idle = TcpStream::connect(&server.address).expect("the server listens");
    let mut kept_alive = Wire::open(&server.address);
    kept_alive.send(format!("GET /healthz HTTP/1.1\r\nhost: {}\r\n\r\n", server.address).as_bytes());
    kept_alive.answer(false).expect(200);
    let unfinished = open_request(&server, &bob.token, "never sent");
    server.signal("TERM");
    assert_eq!(server.wait(STOP_DEADLINE).code(), Some(0));
    drop((idle, kept_alive, unfinished));
}

#[test]
fn the_database_is_closed_cleanly_on_sigterm() {
    let mut server = Server::start();
    server.sign_up("bob@example.com");
    server.signal("TERM");
    assert_eq!(server.wait(STOP_DEADLINE).code(), Some(0));
    for name in ["keyfob.db-wal", "keyfob.db-shm"] {
        assert!(!server.home.folder().join(name).exists(), "{name} is left behind");
    }
    server.second().log_in("bob@example.com");
}

#[test]
fn the_start_says_where_it_listens_where_the_data_is_and_where_the_docs_are() {
    let server = Server::start();
    server.get("/healthz").expect(200);
    let said = || server.log().join("\n");
    until("the address", LOG_DEADLINE, || said().contains(&server.address));
    until("the docs", LOG_DEADLINE, || said().contains(&format!("http://{}/docs", server.address)));
    let data = server.home.database.name();
    until("the data", LOG_DEADLINE, || said().contains(&data));
}

#[test]
fn the_log_has_lines_of_the_server_library_only_if_they_are_asked_for() {
    let lines_of_library = |filter: Option<&str>| {
        let mut home = Home::new();
        if let Some(filter) = filter {
            home.set_variable("RUST_LOG", filter);
        }
        let mut server = Server::at(std::sync::Arc::new(home));
        server.signal("TERM");
        assert_eq!(server.wait(STOP_DEADLINE).code(), Some(0));
        until("the end of the log", LOG_DEADLINE, || server.log().iter().any(|line| line.contains("\"stopped\"")));
        assert!(server.log().iter().any(|line| line.contains("\"stopping: ")), "{:?}", server.log());
        server.log().iter().filter(|line| line.contains("actix_server")).count()
    };
    assert_eq!(lines_of_library(None), 0);
    assert_ne!(lines_of_library(Some("info")), 0);
    assert_ne!(lines_of_library(Some("info,actix_server=info")), 0);
}

#[test]
fn a_wrong_log_filter_stops_the_start() {
    for filter in ["keyfob=loud", "warning"] {
        let mut home = Home::new();
        home.set_variable("RUST_LOG", filter);
        let line = home.run(&["serve"], "").expect_failure();
        assert!(line.starts_with("keyfob: RUST_LOG: `") && line.contains("expected a level"), "{line}");
    }
}

#[test]
fn every_line_on_standard_output_is_json() {
    let server = Server::start();
    let bob = server.sign_up("bob@example.com");
    bob.get("/me").expect(200);
    server.get("/nothing").expect(404);
    for line in server.whole_log() {
        let line: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("no JSON: {line}"));
        assert!(line.is_object(), "{line}");
    }
}

#[test]
fn each_request_is_one_line_that_has_its_id() {
    let server = Server::start();
    let cases = [
        ("GET", "/healthz", "log-1", 200),
        ("GET", "/nothing", "log-2", 404),
        ("GET", "/me", "log-3", 401),
        ("DELETE", "/posts", "log-4", 405),
    ];
    for (method, path, id, status) in cases {
        server.request(method, path).header("x-request-id", id).send().expect(status);
    }
    for (method, path, id, status) in cases {
        let lines = || server.log().into_iter().filter(|line| line.contains(id)).collect::<Vec<_>>();
        until("a line", LOG_DEADLINE, || !lines().is_empty());
        let lines = lines();
        assert_eq!(lines.len(), 1, "{lines:?}");
        for part in [method, path, &status.to_string()] {
            assert!(lines[0].contains(part), "{part} in {}", lines[0]);
        }
    }
}

#[test]
fn no_line_holds_a_password_a_token_a_hash_or_sql() {
    for level in ["info", "trace"] {
        let server = talkative(level);
        let secrets = use_every_secret(&server);
        server.request("GET", "/healthz").header("x-request-id", "the-last-one").send().expect(200);
        if level == "info" {
            until("the last line", LOG_DEADLINE, || server.log().iter().any(|line| line.contains("the-last-one")));
        }
        for line in server.log() {
            for secret in &secrets {
                assert!(!line.contains(secret.as_str()), "{secret} at {level} in: {line}");
            }
            for forbidden in ["$2b$", "$2a$", "$2y$", "SELECT ", "INSERT INTO", "UPDATE users"] {
                assert!(!line.contains(forbidden), "{forbidden} at {level} in: {line}");
            }
        }
    }
}

/// A server that logs as much as this level allows.
fn talkative(level: &str) -> Server {
    let mut home = crate::support::Home::with(&[("token.algorithm", "HS256"), ("token.secret", SECRET)]);
    home.set_variable("RUST_LOG", level);
    Server::at(std::sync::Arc::new(home))
}

/// Sends secrets wherever one could be sent, rightly and wrongly, and lists them.
fn use_every_secret(server: &Server) -> Vec<String> {
    let bob = server.sign_up("bob@example.com");
    let refresh_token = bob.grant["refresh_token"].as_str().expect("a refresh token");
    use_tokens(server, &bob);
    use_passwords_at_login(server);
    use_passwords_beside_the_form(server);
    use_passwords_at_signup(server);
    let basic = BASIC_WITH_SECRET.trim_end_matches('=');
    let known = [PASSWORD, SECRET, WRONG_PASSWORD, QUERY_TOKEN, CLIENT_SECRET, basic, &bob.token, refresh_token];
    known.map(str::to_owned).to_vec()
}

fn use_tokens(server: &Server, bob: &Actor) {
    bob.get("/me").expect(200);
    bob.post("/posts", json!({"title": "t", "content": "c"})).expect(201);
    server.with_token(&format!("{}x", bob.token)).get("/me").expect(401);
    for (path, status) in [("/me", 401), ("/nothing", 404), ("/posts", 200), ("/login", 405)] {
        server.get(&format!("{path}?access_token={QUERY_TOKEN}&password={WRONG_PASSWORD}")).expect(status);
    }
    server.get(&format!("/posts?cursor={QUERY_TOKEN}")).expect(422);
}

fn use_passwords_at_login(server: &Server) {
    let wrong = ("password", WRONG_PASSWORD);
    for (fields, status) in [
        (&[("username", "bob@example.com"), wrong][..], 400),
        (&[("username", "bob@example.com"), wrong, ("client_secret", CLIENT_SECRET)], 401),
        (&[("username", WRONG_PASSWORD), wrong, ("grant_type", WRONG_PASSWORD)], 400),
        (&[("username", "bob@example.com"), ("scope", WRONG_PASSWORD), wrong], 400),
    ] {
        server.login(fields).expect(status);
    }
}

/// In the places of `/login` where a password does not belong.
fn use_passwords_beside_the_form(server: &Server) {
    let wrong = ("password", WRONG_PASSWORD);
    let query = format!("/login?username=bob%40example.com&password={WRONG_PASSWORD}");
    server.request("POST", &query).form(&[]).send().expect(400);
    let as_client = server.request("POST", "/login").header("authorization", &format!("Basic {BASIC_WITH_SECRET}"));
    as_client.form(&[("username", "bob@example.com"), wrong]).send().expect(401);
    let as_json = json!({"username": "bob@example.com", "password": WRONG_PASSWORD});
    server.request("POST", "/login").json(&as_json).send().expect(400);
}

fn use_passwords_at_signup(server: &Server) {
    for (email, status) in [("bob@example.com", 409), (WRONG_PASSWORD, 422)] {
        server.post("/signup", json!({"email": email, "password": WRONG_PASSWORD})).expect(status);
    }
    let broken = format!("{{\"email\": \"eve@example.com\", \"password\": \"{WRONG_PASSWORD}\"");
    server.request("POST", "/signup").body("application/json", broken).send().expect(400);
}

#[test]
fn healthcheck_tells_whether_the_service_responds() {
    let mut server = Server::start();
    let address = server.address.clone();
    let mut asker = Home::new();
    asker.set("server.bind", &address);
    asker.run(&["healthcheck"], "").expect_success();
    server.kill();
    let line = asker.run(&["healthcheck"], "").expect_failure();
    assert!(line.contains(&address), "{line}");
}
