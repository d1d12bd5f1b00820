//! The Rust client of docs/clients.md: the `oauth2` crate, unmodified, with concurrent calls on an expired access token.

use std::thread;

use serde_json::Value;

use crate::steps::PATIENCE;
use crate::support::{PASSWORD, Server, until};
use session::{Session, SignedOut};

#[path = "../../examples/client/session.rs"]
mod session;

const PAGE: &str = include_str!("../../docs/clients.md");
const AT_ONCE: usize = 6;

fn call_at_once(session: &Session, email: &str) {
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                let mut answer = session.send("GET", "/me", "").expect("an answer");
                assert_eq!(answer.status(), 200);
                let text = answer.body_mut().read_to_string().expect("a body");
                let me: Value = serde_json::from_str(&text).expect("JSON");
                assert_eq!(me["email"], email);
            });
        }
    });
}

/// How many requests the service has logged, by method, path and status.
fn count(server: &Server, method: &str, path: &str, status: u16) -> usize {
    let lines = server.whole_log();
    let requests = lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    requests.filter(|line| line["method"] == method && line["path"] == path && line["status"] == status).count()
}

#[test]
fn calls_at_once_with_an_expired_token_share_one_refresh() {
    // Long enough for the calls with a fresh token on a machine that is busy with other things.
    let server = Server::with(&[("token.access_ttl_seconds", "8")]);
    server.sign_up("mia@example.com");

    let session = Session::new(&format!("http://{}", server.address)).expect("a URL");
    session.log_in("mia@example.com", PASSWORD).expect("a session");
    call_at_once(&session, "mia@example.com");
    let later = server.log_in("mia@example.com");
    until("a token that was issued later has expired", PATIENCE, || later.get("/me").status == 401);
    let (log_ins, refused) = (count(&server, "POST", "/login", 200), count(&server, "GET", "/me", 401));
    call_at_once(&session, "mia@example.com");
    session.log_out().expect("a log-out");

    assert!(session.send("GET", "/me", "").is_err_and(|error| error.is::<SignedOut>()));
    assert!(count(&server, "GET", "/me", 401) > refused, "the token had not expired");
    assert_eq!(count(&server, "POST", "/login", 200), log_ins + 1, "one refresh");
    assert_eq!(count(&server, "POST", "/revoke", 200), 1);
}

#[test]
fn a_session_that_was_ended_elsewhere_is_reported_as_signed_out() {
    let server = Server::start();
    let mia = server.sign_up("mia@example.com");
    let session = Session::new(&format!("http://{}", server.address)).expect("a URL");
    session.log_in("mia@example.com", PASSWORD).expect("a session");
    mia.delete("/me/sessions").expect(204);
    let ended = || session.send("GET", "/me", "").is_err_and(|error| error.is::<SignedOut>());
    until("the session is over", PATIENCE, ended);
}

#[test]
fn the_oauth2_crate_tells_a_wrong_password() {
    let server = Server::start();
    server.sign_up("mia@example.com");
    let session = Session::new(&format!("http://{}", server.address)).expect("a URL");
    let error = session.log_in("mia@example.com", "a wrong password").expect_err("refused").to_string();
    assert!(error.contains("invalid_grant: Incorrect username or password"), "{error}");
}

#[test]
fn docs_clients_shows_the_files_of_the_example() {
    for file in [include_str!("../../examples/client/session.rs"), include_str!("../../examples/client/main.rs")] {
        assert!(PAGE.contains(&format!("```rust\n{file}```")), "docs/clients.md lacks this, as it is:\n{file}");
    }
}
