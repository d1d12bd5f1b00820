//! Clients: nobody in particular, or an actor who has signed in.

use std::fmt::Write;
use std::ops::Deref;
use std::time::Duration;

use serde_json::{Value, json};
use ureq::http::{self, HeaderName, HeaderValue};
use ureq::{Agent, Body};

use super::Answer;

/// The password of every actor who did not choose one.
pub const PASSWORD: &str = "violet-Kettle 88";

/// Sends requests to one server, with or without a token.
#[derive(Clone)]
pub struct Client {
    /// `127.0.0.1:PORT`.
    pub address: String,
    agent: Agent,
    token: Option<String>,
}

impl Client {
    pub fn new(address: &str) -> Self {
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .max_idle_connections(0)
            .allow_non_standard_methods(true)
            .timeout_global(Some(Duration::from_mins(2)))
            .build()
            .new_agent();
        Self { address: address.to_owned(), agent, token: None }
    }

    /// The same client, sending this token.
    pub fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    /// The same client, sending no token.
    pub fn anonymous(&self) -> Self {
        Self { token: None, ..self.clone() }
    }

    pub fn request(&self, method: &str, path: &str) -> Request<'_> {
        let request =
            Request { client: self, method: method.to_owned(), path: path.to_owned(), headers: Vec::new(), body: None };
        match &self.token {
            Some(token) => request.header("authorization", &format!("Bearer {token}")),
            None => request,
        }
    }

    pub fn get(&self, path: &str) -> Answer {
        self.request("GET", path).send()
    }

    pub fn head(&self, path: &str) -> Answer {
        self.request("HEAD", path).send()
    }

    pub fn delete(&self, path: &str) -> Answer {
        self.request("DELETE", path).send()
    }

    #[expect(clippy::needless_pass_by_value, reason = "json!({..}) is written at the call")]
    pub fn post(&self, path: &str, body: Value) -> Answer {
        self.request("POST", path).json(&body).send()
    }

    #[expect(clippy::needless_pass_by_value, reason = "json!({..}) is written at the call")]
    pub fn put(&self, path: &str, body: Value) -> Answer {
        self.request("PUT", path).json(&body).send()
    }

    #[expect(clippy::needless_pass_by_value, reason = "json!({..}) is written at the call")]
    pub fn patch(&self, path: &str, body: Value) -> Answer {
        self.request("PATCH", path).json(&body).send()
    }

    /// `POST /login` with these fields.
    pub fn login(&self, fields: &[(&str, &str)]) -> Answer {
        self.request("POST", "/login").form(fields).send()
    }

    /// Signs up an account, with the usual password, and logs it in.
    #[track_caller]
    pub fn sign_up(&self, email: &str) -> Actor {
        self.post("/signup", json!({"email": email, "password": PASSWORD})).expect(201);
        self.log_in(email)
    }

    /// Logs in an account that has the usual password.
    #[track_caller]
    pub fn log_in(&self, email: &str) -> Actor {
        self.log_in_for(email, "")
    }

    /// The same, for these scopes only.
    #[track_caller]
    pub fn log_in_for(&self, email: &str, scope: &str) -> Actor {
        let grant =
            self.anonymous().login(&[("username", email), ("password", PASSWORD), ("scope", scope)]).expect_json(200);
        self.actor(grant)
    }

    /// Whoever an answer of `/login` is for.
    #[track_caller]
    pub fn actor(&self, grant: Value) -> Actor {
        let token = grant["access_token"].as_str().expect("an access token").to_owned();
        let client = self.with_token(&token);
        Actor { token, grant, client }
    }
}

/// Someone who has signed in.
#[derive(Clone)]
pub struct Actor {
    pub token: String,
    /// The whole answer of `/login`.
    pub grant: Value,
    client: Client,
}

impl Actor {
    /// The account's id, out of the token.
    #[track_caller]
    pub fn id(&self) -> i64 {
        let (_, claims) = super::decode(&self.token);
        claims["sub"].as_str().expect("sub is a string").parse().expect("sub is an id")
    }

    /// `/profile/{id}` of the account.
    #[track_caller]
    pub fn profile_url(&self) -> String {
        format!("/profile/{}", self.id())
    }

    /// Writes a post and gives its path.
    #[track_caller]
    pub fn write_post(&self, title: &str) -> String {
        let answer = self.post("/posts", json!({"title": title, "content": "text"})).expect(201);
        answer.need("location").to_owned()
    }
}

impl Deref for Actor {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

/// A request that is being put together.
pub struct Request<'a> {
    client: &'a Client,
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
}

impl Request<'_> {
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn json(self, body: &Value) -> Self {
        self.body("application/json", body.to_string())
    }

    pub fn form(self, fields: &[(&str, &str)]) -> Self {
        let pairs: Vec<_> = fields.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
        self.body("application/x-www-form-urlencoded", pairs.join("&"))
    }

    pub fn body(self, content_type: &str, bytes: impl Into<Vec<u8>>) -> Self {
        self.header("content-type", content_type).bytes(bytes)
    }

    /// A body without a `Content-Type`.
    pub fn bytes(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.body = Some(bytes.into());
        self
    }

    #[track_caller]
    pub fn send(self) -> Answer {
        let shown = format!("{} {}", self.method, self.path);
        self.attempt().unwrap_or_else(|fault| panic!("{shown}: {fault}"))
    }

    /// Like `send`, for a server that may be gone.
    pub fn attempt(self) -> Result<Answer, ureq::Error> {
        let mut builder = http::Request::builder()
            .method(self.method.as_str())
            .uri(format!("http://{}{}", self.client.address, self.path));
        for (name, value) in &self.headers {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("a header name");
            builder = builder.header(name, HeaderValue::from_bytes(value.as_bytes()).expect("a header value"));
        }
        let agent = &self.client.agent;
        let response = match self.body {
            Some(bytes) => agent.run(builder.body(bytes).expect("a request"))?,
            None => agent.run(builder.body(()).expect("a request"))?,
        };
        read(format!("{} {}", self.method, self.path), response)
    }
}

fn read(request: String, response: http::Response<Body>) -> Result<Answer, ureq::Error> {
    let (head, mut body) = response.into_parts();
    let headers = head
        .headers
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
    let headers = headers.collect();
    let body = body.with_config().limit(64 << 20).read_to_vec()?;
    Ok(Answer { request, status: head.status.as_u16(), headers, body })
}

/// Percent-encodes all but the unreserved characters of RFC 3986.
fn encode(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").expect("a String takes everything");
        }
    }
    encoded
}
