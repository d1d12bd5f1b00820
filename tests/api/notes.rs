//! `examples/notes.rs`: an application that embeds Keyfob. The real program, over real HTTP.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

struct App {
    process: Child,
    url: String,
    _dir: tempfile::TempDir,
}

impl App {
    fn open() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let mut process = Command::new(example())
            .current_dir(dir.path())
            .env("KEYFOB__SERVER__BIND", "127.0.0.1:0")
            .env("KEYFOB__DATABASE__URL", format!("sqlite://{}/keyfob.db", dir.path().display()))
            .env("KEYFOB__PASSWORD__BCRYPT_COST", "4")
            .stdout(Stdio::piped())
            .spawn()
            .expect("the example");
        let mut line = String::new();
        let stdout = process.stdout.take().expect("piped");
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        let address = line.trim().strip_prefix("listening on ").expect("the address").to_owned();
        Self { process, url: format!("http://{address}"), _dir: dir }
    }

    /// Signs up and logs in; the access token.
    fn sign_up(&self, email: &str) -> String {
        let account = json!({ "email": email, "password": "lantern-quartz" });
        ureq::post(format!("{}/signup", self.url)).send_json(&account).expect("201");
        let form = [("username", email), ("password", "lantern-quartz")];
        let mut answer = ureq::post(format!("{}/login", self.url)).send_form(form).expect("200");
        let answer: Value = answer.body_mut().read_json().expect("JSON");
        answer["access_token"].as_str().expect("a token").to_owned()
    }

    fn send(&self, token: Option<&str>, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let mut request = ureq::http::Request::builder().method(method).uri(format!("{}{path}", self.url));
        if let Some(token) = token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        let answer = match body {
            Some(body) => {
                agent.run(request.header("Content-Type", "application/json").body(body.to_string()).expect("a request"))
            }
            None => agent.run(request.body(()).expect("a request")),
        };
        let mut answer = answer.expect("an answer");
        let text = answer.body_mut().read_to_string().expect("text");
        (answer.status().as_u16(), serde_json::from_str(&text).unwrap_or_default())
    }
}

impl Drop for App {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The example's program, built if this test runs alone (`cargo test` builds the examples by itself).
fn example() -> PathBuf {
    let root = env!("CARGO_MANIFEST_DIR");
    let built = Command::new(env!("CARGO")).args(["build", "--quiet", "--example", "notes"]).current_dir(root).status();
    assert!(built.expect("cargo").success());
    // Beside this test: `target/debug/examples/notes` for `target/debug/deps/notes-...`.
    let test = std::env::current_exe().expect("this test");
    let profile = test.parent().and_then(|deps| deps.parent()).expect("a profile's directory");
    profile.join("examples").join("notes")
}

#[test]
fn only_the_caller_s_own_notes_are_found() {
    let app = App::open();
    let (ada, bob) = (app.sign_up("ada@example.com"), app.sign_up("bob@example.com"));
    let (ada, bob) = (Some(ada.as_str()), Some(bob.as_str()));
    let note = |id: i64, text: &str| json!({ "id": id, "text": text });

    assert_eq!(app.send(ada, "POST", "/notes", Some(&json!({ "text": "loom" }))), (201, note(1, "loom")));
    assert_eq!(app.send(bob, "POST", "/notes", Some(&json!({ "text": "bob" }))), (201, note(2, "bob")));
    assert_eq!(app.send(ada, "POST", "/notes", Some(&json!({ "text": "cards" }))), (201, note(3, "cards")));

    let items = json!({ "items": [note(3, "cards"), note(1, "loom")] });
    assert_eq!(app.send(ada, "GET", "/notes", None), (200, items));
    assert_eq!(app.send(ada, "GET", "/notes/1", None), (200, note(1, "loom")));

    for method in ["GET", "DELETE"] {
        let (status, others) = app.send(bob, method, "/notes/1", None);
        assert_eq!(status, 404);
        assert_eq!((404, others), app.send(bob, method, "/notes/999", None), "another account's note looks like none");
    }
    assert_eq!(app.send(ada, "DELETE", "/notes/1", None).0, 204);
    assert_eq!(app.send(ada, "GET", "/notes/1", None).0, 404);
}

#[test]
fn a_request_without_a_token_or_with_faults_is_refused() {
    let app = App::open();
    let ada = app.sign_up("ada@example.com");
    let note = json!({ "text": "loom" });
    for (method, path) in [("POST", "/notes"), ("GET", "/notes"), ("GET", "/notes/1"), ("DELETE", "/notes/1")] {
        let body = Some(&note).filter(|_| method == "POST");
        assert_eq!(app.send(None, method, path, body).0, 401, "{method} {path}");
        assert_eq!(app.send(Some("nonsense"), method, path, body).0, 401, "{method} {path}");
    }
    for body in [json!({}), json!({ "text": "" }), json!({ "text": 1 }), json!({ "text": "x".repeat(1001) })] {
        assert_eq!(app.send(Some(&ada), "POST", "/notes", Some(&body)).0, 422, "{body}");
    }
    assert_eq!(app.send(Some(&ada), "GET", "/notes/x", None).0, 422);
}
