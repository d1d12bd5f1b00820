//! `examples/orders.rs`: an application of somebody else, closed by one extractor. The real program, over real HTTP.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

struct Shop {
    process: Child,
    url: String,
    _dir: tempfile::TempDir,
}

impl Shop {
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

    fn read_order(&self, token: Option<&str>, id: &str) -> (u16, Value) {
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let mut request = agent.get(format!("{}/order?id={id}", self.url));
        if let Some(token) = token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        let mut answer = request.call().expect("an answer");
        (answer.status().as_u16(), answer.body_mut().read_json().expect("JSON"))
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The example's program, built if this test runs alone (`cargo test` builds the examples by itself).
fn example() -> PathBuf {
    let root = env!("CARGO_MANIFEST_DIR");
    let built =
        Command::new(env!("CARGO")).args(["build", "--quiet", "--example", "orders"]).current_dir(root).status();
    assert!(built.expect("cargo").success());
    // Beside this test: `target/debug/examples/orders` for `target/debug/deps/orders-...`.
    let test = std::env::current_exe().expect("this test");
    let profile = test.parent().and_then(|deps| deps.parent()).expect("a profile's directory");
    profile.join("examples").join("orders")
}

#[test]
fn only_the_caller_s_own_orders_are_found() {
    let shop = Shop::open();
    let (ada, bob) = (shop.sign_up("ada@example.com"), shop.sign_up("bob@example.com"));

    assert_eq!(shop.read_order(Some(&ada), "3"), (200, json!({ "id": 3, "item": "punched cards" })));
    assert_eq!(shop.read_order(Some(&bob), "2"), (200, json!({ "id": 2, "item": "a loom" })));

    let (status, others) = shop.read_order(Some(&bob), "3");
    assert_eq!(status, 404);
    assert_eq!((404, others), shop.read_order(Some(&bob), "999"), "somebody else's order looks like none");

    assert_eq!(shop.read_order(None, "3").0, 401);
    assert_eq!(shop.read_order(Some("nonsense"), "3").0, 401);
    assert_eq!(shop.read_order(Some(&ada), "x").0, 422);
}
