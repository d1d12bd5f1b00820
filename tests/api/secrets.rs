//! Contract, "Conventions": no log line or error, and no response but the one that hands it out, ever holds a password, a
//! token, a hash or an SQL text. The whole API is used, rightly and wrongly, and then all that came out is searched.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::support::{Actor, Answer, Client, Home, Request, Server, until};

const DEADLINE: Duration = Duration::from_secs(20);

const KEY_ENCRYPTION_SECRET: &str = "u7Rk2-Tm9x_Qe4Wz8Lp1Vb6Nc3Hy5Jd0Gs";
const BCRYPT: &str = "$2b$04$Fz3WHKg9WUUKG7dwkyNCk.6AuQU3J9R73xG7urDmAi/tXHVwWl0em";
const BCRYPT_PASSWORD: &str = "correct-Horse 7";
const PBKDF2: &str = "pbkdf2_sha256$1000$seasalt$GvHCo0mXQN0oaOHOtQlNs9oF4jLWuvP7kWBkSiQpH5I=";

/// What no output holds, whatever it is about.
const FORBIDDEN: [&str; 9] = [
    "$2b$0",
    "$2a$0",
    "$argon2id$v",
    "pbkdf2_sha256$1",
    "SELECT ",
    "INSERT INTO",
    "UPDATE users",
    "DELETE FROM",
    "PRIVATE KEY",
];

/// A service that is used, and everything that it said.
struct Story {
    server: Server,
    metrics: Client,
    secrets: Vec<String>,
    /// Each output, and the secrets that it is for.
    said: Vec<(String, Vec<String>)>,
}

impl Story {
    fn begin(level: &str) -> Self {
        let mut home = Home::with(&[
            ("server.metrics_bind", "127.0.0.1:0"),
            ("token.key_encryption_secret", KEY_ENCRYPTION_SECRET),
            ("rate_limit.enabled", "true"),
            ("rate_limit.address_failures", "100000"),
        ]);
        home.set_variable("RUST_LOG", level);
        let server = Server::at(Arc::new(home));
        let metrics = Client::new(&crate::metrics::address(&server));
        let secrets = vec![KEY_ENCRYPTION_SECRET.to_owned()];
        Self { server, metrics, secrets, said: Vec::new() }
    }

    fn secret(&mut self, text: &str) -> String {
        self.secrets.push(text.to_owned());
        text.to_owned()
    }

    /// Notes an answer, and which secrets it hands out.
    fn hear(&mut self, answer: Answer) -> Answer {
        let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let mut own = Vec::new();
        for token in ["access_token", "refresh_token"].iter().filter_map(|name| body[name].as_str()) {
            own.push(token.to_owned());
            // A signature alone would be too much, too.
            own.extend(token.rsplit_once('.').map(|(_, signature)| signature.to_owned()));
        }
        // A link that resets a password.
        let link = body["url"].as_str().and_then(|url| url.split_once("token="));
        own.extend(link.map(|(_, token)| token.to_owned()));
        self.secrets.extend(own.clone());
        let request = answer.request.split('?').next().unwrap_or_default();
        let said = format!("{request} -> {:?} {}", answer.headers, String::from_utf8_lossy(&answer.body));
        self.said.push((said, own));
        answer
    }

    fn send(&mut self, request: impl FnOnce(&Client) -> Answer) -> Answer {
        let answer = request(&self.server.anonymous());
        self.hear(answer)
    }

    /// Runs a command beside the service; `own` picks what it is to print.
    fn command(&mut self, arguments: &[&str], input: &str, own: impl Fn(&Value) -> Option<String>) -> String {
        let run = self.server.home.run(arguments, input);
        let own: Vec<String> = serde_json::from_str(&run.stdout).ok().and_then(|said| own(&said)).into_iter().collect();
        self.secrets.extend(own.clone());
        self.said.push((format!("{arguments:?}: {run:?}"), own.clone()));
        own.into_iter().next().unwrap_or(run.stdout)
    }

    fn sign_up(&mut self, email: &str, password: &str) -> Actor {
        self.secret(password);
        self.send(|client| client.post("/signup", json!({"email": email, "password": password}))).expect(201);
        self.log_in(email, password)
    }

    fn log_in(&mut self, email: &str, password: &str) -> Actor {
        let grant = self.send(|client| client.login(&[("username", email), ("password", password)])).expect_json(200);
        self.server.actor(grant)
    }
}

/// Every operation of the document.
fn operations(story: &mut Story) -> Vec<(String, String)> {
    let document = story.send(|client| client.get("/openapi.json")).expect_json(200);
    let paths = document["paths"].as_object().expect("paths").clone();
    let each = |(path, item): (&String, &Value)| {
        let methods = item.as_object().expect("operations").keys().filter(|key| *key != "parameters");
        methods.map(|method| (method.to_uppercase(), path.clone())).collect::<Vec<_>>()
    };
    let operations: Vec<_> = paths.iter().flat_map(each).collect();
    assert!(operations.len() > 20, "{operations:?}");
    operations
}

/// Sends secrets to an operation in every place where one could be, with and without a good token.
fn use_operation(story: &mut Story, number: usize, method: &str, path: &str) {
    let password = format!("op{number}-violet-Kettle");
    let (wrong, new) = (story.secret(&format!("wrong-{password}")), story.secret(&format!("new-{password}")));
    let actor = story.sign_up(&format!("user{number}@example.com"), &password);
    let refresh_token = actor.grant["refresh_token"].as_str().expect("a refresh token").to_owned();
    let path = path.replace("{id}", &actor.id().to_string());
    let good = json!({
        "email": format!("other{number}@example.com"), "full_name": "Bob", "password": password,
        "current_password": password, "new_password": new, "token": refresh_token, "title": "t", "content": "c",
    });
    let bad = json!({"email": 7, "password": wrong, "current_password": wrong, "new_password": wrong, "token": wrong});
    let user = format!("user{number}@example.com");
    let form = [("username", user.as_str()), ("password", wrong.as_str()), ("token", refresh_token.as_str())];
    let with_secret = [form.as_slice(), &[("client_id", "ghost"), ("client_secret", wrong.as_str())]].concat();
    let basic = format!("Basic {}", STANDARD.encode(format!("ghost:{wrong}")));
    story.secret(basic.trim_start_matches("Basic ").trim_end_matches('='));
    let query = format!("{path}?access_token={wrong}&password={wrong}&limit={wrong}&cursor={wrong}");
    let cut = good.to_string().trim_end_matches('}').to_owned();
    let stale = actor.with_token(&format!("{}x", actor.token));
    let anonymous = story.server.anonymous();
    let requests: Vec<Request<'_>> = vec![
        anonymous.request(method, &path),
        anonymous.request(method, &path).json(&bad),
        anonymous.request(method, &path).form(&form),
        anonymous.request(method, &path).form(&with_secret),
        anonymous.request(method, &path).header("authorization", &basic).form(&form),
        anonymous.request(method, &path).header("cookie", &format!("session={refresh_token}")),
        stale.request(method, &path).json(&good),
        actor.request(method, &query).json(&bad),
        actor.request(method, &path).json(&bad),
        actor.request(method, &path).body("application/json", cut),
        actor.request(method, &path).body("text/plain", wrong.clone()),
        actor.request(method, &path).form(&form),
        actor.request(method, &path).json(&good),
    ];
    let answers: Vec<Answer> = requests.into_iter().map(Request::send).collect();
    for answer in answers {
        assert!(answer.status < 500, "{answer}");
        story.hear(answer);
    }
}

/// What the loop over the operations does not come to: right answers of the OAuth endpoints, sessions, a theft.
fn use_tokens(story: &mut Story) {
    let secret_of = |said: &Value| said["client_secret"].as_str().map(str::to_owned);
    let client_secret = story.command(&["client", "add", "--id", "backend"], "", secret_of);
    assert!(client_secret.starts_with("kfs_"), "{client_secret}");
    let password = "eve-violet-Kettle 88";
    let eve = story.sign_up("eve@example.com", password);
    let other = story.log_in("eve@example.com", password);
    let first = eve.grant["refresh_token"].as_str().expect("a refresh token").to_owned();
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", first.as_str())];
    let second = story.send(|client| client.login(&refresh)).expect_json(200);
    let second = second["refresh_token"].as_str().expect("a refresh token").to_owned();
    let client = [("client_id", "backend"), ("client_secret", client_secret.as_str())];
    for token in [&eve.token, &second] {
        let form = [&client[..], &[("token", token.as_str())]].concat();
        let answer = story.send(|client| client.request("POST", "/introspect").form(&form).send());
        assert_eq!(answer.expect_json(200)["active"], true);
    }
    let wrong = story.secret("kfs_wrong-secret-of-the-client");
    let form = [("client_id", "backend"), ("client_secret", wrong.as_str()), ("token", second.as_str())];
    story.send(|client| client.request("POST", "/introspect").form(&form).send()).expect(401);
    let sessions = story.send(|_| other.get("/me/sessions")).expect_json(200);
    assert!(sessions["items"].as_array().is_some_and(|items| items.len() == 2), "{sessions}");
    story.send(|client| client.request("POST", "/revoke").form(&[("token", second.as_str())]).send()).expect(200);
    story.send(|client| client.login(&refresh)).expect(400);
    let new = story.secret("eve-orange-Kettle 88");
    let change = json!({"current_password": password, "new_password": new});
    story.send(|_| other.post("/me/password", change)).expect(204);
    story.send(|client| client.login(&[("username", "eve@example.com"), ("password", password)])).expect(400);
    for _ in 0..12 {
        let guess = story.secret(&format!("guess-{}-Kettle", story.secrets.len()));
        story.send(|client| client.login(&[("username", "eve@example.com"), ("password", &guess)]));
    }
}

/// Links that reset a password, from an admin and from the command line.
fn use_links(story: &mut Story) {
    let password = "amy-violet-Kettle 88";
    let amy = story.sign_up("amy@example.com", password).id();
    story.command(&["user", "create", "--email", "ops@example.com", "--admin"], "ops-violet-Kettle\n", |_| None);
    story.secret("ops-violet-Kettle");
    let ops = story.log_in("ops@example.com", "ops-violet-Kettle");
    let path = format!("/users/{amy}/reset-link");
    let link = story.send(|_| ops.post(&path, json!({}))).expect_json(201);
    let link = link["url"].as_str().expect("a link").to_owned();
    let (token, new) = (link.split_once("token=").expect("a token").1, story.secret("amy-orange-Kettle 88"));
    let body = json!({"token": token, "new_password": new});
    story.send(|client| client.post("/password-reset/confirm", body.clone())).expect(204);
    story.send(|client| client.post("/password-reset/confirm", body.clone())).expect(400);
    let (page, form) =
        (format!("/password-reset/confirm?token={token}"), [("token", token), ("new_password", new.as_str())]);
    story.server.get(&page).expect(200);
    story.send(|client| client.request("POST", &page).form(&form).send()).expect(400);
    let link = story.server.home.run(&["user", "reset-link", "amy@example.com"], "").expect_success();
    let token = story.secret(link.trim().split_once("token=").expect("a token").1);
    let page = format!("/password-reset/confirm?token={token}");
    story.server.get(&page).expect(200);
}

fn use_commands(story: &mut Story) {
    let none = |_: &Value| None;
    for secret in [BCRYPT, BCRYPT_PASSWORD, PBKDF2, "root-violet-Kettle", "tiny77!", "dan-violet-Kettle"] {
        story.secret(secret);
    }
    let rows = [("ann@example.com", BCRYPT), ("dan@example.com", PBKDF2), ("ann@example.com", BCRYPT), ("ivy", BCRYPT)];
    let rows = rows.map(|(email, hash)| format!("{email},{hash}\n")).concat();
    story.server.home.write("users.csv", &format!("email,password_hash\n{rows}eli@example.com,{BCRYPT}cut\n"));
    let said = story.command(&["user", "import", "users.csv"], "", none);
    assert!(said.contains("imported 2, refused 3"), "{said}");
    story.log_in("ann@example.com", BCRYPT_PASSWORD).get("/me").expect(200);
    let root = ["user", "create", "--email", "root@example.com", "--admin"];
    story.command(&root, "root-violet-Kettle\n", none);
    story.command(&root, "tiny77!\n", none);
    story.command(&["user", "set-password", "dan@example.com"], "dan-violet-Kettle\n", none);
    for arguments in [&["user", "list"][..], &["user", "show", "dan@example.com"], &["user", "sessions", "1"]] {
        story.command(arguments, "", none);
    }
    for arguments in [&["key", "rotate"][..], &["key", "list"], &["client", "list"], &["config"], &["doctor"]] {
        story.command(arguments, "", none);
    }
    story.command(&["backup", "snapshot.db"], "", none);
}

/// The links of all mails. Only here, in development, does the log show them too: then no mail reaches anybody.
fn mailed_tokens(story: &mut Story) -> usize {
    let links = story.server.all_mails().into_iter().filter(|mail| mail.text.contains("?token="));
    let tokens: Vec<String> =
        links.map(|mail| mail.link().split_once("?token=").expect("a token").1.to_owned()).collect();
    story.secrets.extend(tokens.iter().cloned());
    tokens.len()
}

/// What lies in the database: hashes and sealed keys.
fn kept(story: &Story) -> Vec<String> {
    let database = &story.server.home.database;
    let join = if database.url().starts_with("postgres") { "string_agg" } else { "group_concat" };
    let columns = [("password_hash", "users"), ("private_key", "signing_keys"), ("value", "server_secrets")];
    let lists =
        columns.map(|(column, table)| database.text(&format!("SELECT {join}({column}, ' ') AS value FROM {table}")));
    lists.iter().flat_map(|list| list.split(' ')).map(str::to_owned).collect()
}

#[track_caller]
fn search(story: &Story, place: &str, text: &str, own: &[String]) {
    for secret in story.secrets.iter().filter(|secret| !own.contains(secret)) {
        assert!(!text.contains(secret.as_str()), "{secret} in {place}: {text}");
    }
    // The document shows what a password is like.
    for forbidden in FORBIDDEN.iter().filter(|_| !text.starts_with("GET /openapi.json")) {
        assert!(!text.contains(forbidden), "{forbidden} in {place}: {text}");
    }
}

#[track_caller]
fn expect_no_secrets(level: &str) {
    let mut story = Story::begin(level);
    for (number, (method, path)) in operations(&mut story).iter().enumerate() {
        use_operation(&mut story, number, method, path);
    }
    use_tokens(&mut story);
    use_links(&mut story);
    use_commands(&mut story);
    assert!(mailed_tokens(&mut story) > 20, "links in mails");
    let kept = kept(&story);
    assert!(kept.len() > 20, "hashes and keys: {}", kept.len());
    story.secrets.extend(kept);
    assert!(story.secrets.len() > 100 && story.said.len() > 300, "{} {}", story.secrets.len(), story.said.len());
    let page = story.metrics.get("/metrics").expect(200);
    search(&story, "the metrics", page.text(), &[]);
    for (said, own) in &story.said {
        search(&story, "an answer", said, own);
    }
    story.server.request("GET", "/healthz").header("x-request-id", "the-last-one").send().expect(200);
    until("the last line", DEADLINE, || story.server.log().iter().any(|line| line.contains("the-last-one")));
    for line in story.server.log().into_iter().filter(|line| !line.contains("\"message\":\"mail written\"")) {
        search(&story, "the log", &line, &[]);
    }
}

#[test]
fn no_secret_leaks_anywhere() {
    expect_no_secrets("info");
}

#[test]
fn no_secret_leaks_anywhere_with_log_level_debug() {
    expect_no_secrets("debug");
}

#[test]
fn no_secret_leaks_anywhere_with_log_level_trace() {
    expect_no_secrets("trace");
}
