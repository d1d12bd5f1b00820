//! RFC 8725 and the usual attacks on JWTs: one table of forged tokens for each algorithm, each 401 `invalid_token`.
//!
//! What is wrong with a row is the one thing that its name says: unless that is the signature, the signature is the
//! server's own, so that no check can hide behind another.

mod claims;
mod encodings;
mod headers;
mod keys;
mod signatures;

use std::io::ErrorKind;
use std::net::TcpListener;
use std::sync::Arc;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use self::claims::{claims, duplicates};
use self::encodings::{encodings, other_tokens, sizes, uneven};
use self::headers::headers;
use self::keys::{keys_brought_along, kids};
use self::signatures::{algorithms, public_secrets, signatures};
use crate::keychain::{TestKey, home_with_key_file};
use crate::steps::{expect_refused, refresh_token, renew};
use crate::support::{Actor, Answer, SECRET, Server, Wire, decode, now_seconds};

/// What a forged token is called, and the token.
type Row = (String, String);

/// A server whose key the test knows, and a good token of it.
struct Target {
    server: Server,
    bob: Actor,
    header: Value,
    claims: Value,
    /// `None`: HS256 under `SECRET`.
    key: Option<TestKey>,
}

impl Target {
    fn of(algorithm: &str) -> Self {
        let key = (algorithm != "HS256").then(|| TestKey::make(algorithm));
        let server = match &key {
            Some(key) => Server::at(Arc::new(home_with_key_file(algorithm, &key.pem()))),
            None => Server::with_hs256(),
        };
        let bob = server.sign_up("bob@example.com");
        let (header, claims) = decode(&bob.token);
        Self { server, bob, header, claims, key }
    }

    fn kid(&self) -> &str {
        self.header["kid"].as_str().expect("a kid")
    }

    fn signature(&self, text: &str) -> Vec<u8> {
        match &self.key {
            Some(key) => key.sign(text),
            None => hmac_sha256(SECRET.as_bytes(), text),
        }
    }

    /// Signs two parts that are encoded already.
    fn sign_parts(&self, header: &str, claims: &str) -> String {
        let text = format!("{header}.{claims}");
        format!("{text}.{}", encode(self.signature(&text)))
    }

    /// Signs two texts, which need not be JSON.
    fn sign_texts(&self, header: impl AsRef<[u8]>, claims: impl AsRef<[u8]>) -> String {
        self.sign_parts(&encode(header), &encode(claims))
    }

    fn with_header(&self, name: &str, value: Value) -> String {
        self.sign_texts(with(&self.header, name, value).to_string(), self.claims.to_string())
    }

    fn with_claim(&self, name: &str, value: Value) -> String {
        self.sign_texts(self.header.to_string(), with(&self.claims, name, value).to_string())
    }

    /// With a claim in this very spelling.
    fn with_raw_claim(&self, name: &str, raw: &str) -> String {
        let rest = without(&self.claims, name).to_string();
        self.sign_texts(self.header.to_string(), format!("{{\"{name}\":{raw},{}", &rest[1..]))
    }

    fn me(&self, token: &str) -> Answer {
        self.server.request("GET", "/me").header("authorization", &format!("Bearer {token}")).send()
    }

    /// Every row is refused, and none of them ends the session whose token it imitates.
    #[track_caller]
    fn expect_all_refused(&self, rows: &[Row]) {
        self.me(&self.sign_texts(self.header.to_string(), self.claims.to_string())).expect_json(200);
        let accepted: Vec<String> = rows.iter().filter_map(|(name, token)| fault(name, &self.me(token))).collect();
        assert!(accepted.is_empty(), "{} of {} rows: {accepted:#?}", accepted.len(), rows.len());
        self.bob.get("/me").expect_json(200);
    }
}

/// What is wrong with an answer that should be 401 `invalid_token`.
fn fault(name: &str, answer: &Answer) -> Option<String> {
    let challenge = answer.header("www-authenticate").unwrap_or_default();
    let is_refused = answer.status == 401
        && challenge.starts_with("Bearer ")
        && challenge.contains("error=\"invalid_token\"")
        && answer.header("content-type") == Some("application/problem+json");
    (!is_refused).then(|| format!("{name}: {} {challenge} {}", answer.status, String::from_utf8_lossy(&answer.body)))
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn hmac_sha256(secret: &[u8], text: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), text.as_bytes()).as_ref().to_vec()
}

fn with(object: &Value, name: &str, value: Value) -> Value {
    let mut changed = object.clone();
    changed[name] = value;
    changed
}

fn without(object: &Value, name: &str) -> Value {
    let mut changed = object.clone();
    changed.as_object_mut().expect("an object").remove(name);
    changed
}

fn row(name: impl std::fmt::Display, token: String) -> Row {
    (name.to_string(), token)
}

#[track_caller]
fn expect_table_refused(algorithm: &str) {
    let target = Target::of(algorithm);
    // Whoever would fetch a key from here would be seen.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("a mode");
    let url = format!("http://{}/jwks.json", listener.local_addr().expect("an address"));
    let table = [
        algorithms(&target),
        public_secrets(&target),
        signatures(&target),
        keys_brought_along(&target, &url),
        headers(&target),
        kids(&target),
        claims(&target),
        duplicates(&target),
        encodings(&target),
        sizes(&target),
        other_tokens(&target),
    ];
    target.expect_all_refused(&table.concat());
    let fetched = listener.accept().map(|_| ()).map_err(|fault| fault.kind());
    assert_eq!(fetched, Err(ErrorKind::WouldBlock), "a key was fetched from the attacker");
}

#[test]
fn every_forged_token_is_refused_under_hs256() {
    expect_table_refused("HS256");
}

#[test]
fn every_forged_token_is_refused_under_eddsa() {
    expect_table_refused("EdDSA");
}

#[test]
fn every_forged_token_is_refused_under_es256() {
    expect_table_refused("ES256");
}

#[test]
fn every_forged_token_is_refused_under_rs256() {
    expect_table_refused("RS256");
}

#[test]
fn the_table_s_own_way_of_signing_makes_good_tokens() {
    for algorithm in ["HS256", "EdDSA", "ES256", "RS256"] {
        let target = Target::of(algorithm);
        for (name, token) in [
            ("a further claim", target.with_claim("x", json!("y"))),
            ("a further header member", target.with_header("x", json!("y"))),
            ("typ in full", target.with_header("typ", json!("application/at+jwt"))),
            ("typ in capitals", target.with_header("typ", json!("AT+JWT"))),
            ("an array of audiences", target.with_claim("aud", json!(["other", "keyfob"]))),
            ("a nbf that has passed", target.with_claim("nbf", json!(now_seconds() - 1))),
            (
                "blanks in the JSON",
                target.sign_texts(uneven(&target.header.to_string()), uneven(&target.claims.to_string())),
            ),
            ("a key offered but not used", target.with_header("jku", json!("http://127.0.0.1:1/jwks.json"))),
            ("six KiB", target.with_claim("x", json!("x".repeat(4000)))),
        ] {
            let answer = target.me(&token);
            assert_eq!(answer.status, 200, "{algorithm}, {name}: {answer}");
        }
    }
}

#[test]
fn a_crit_of_null_is_refused() {
    // RFC 7515 §4.1.11: the value must be a list of names that is not empty.
    let target = Target::of("EdDSA");
    target.me(&target.with_header("crit", json!(null))).expect_invalid_token();
}

#[test]
fn a_repeated_unknown_claim_is_refused_or_ignored() {
    let target = Target::of("HS256");
    let rest = target.claims.to_string();
    let twice = format!("{},\"x\":1,\"x\":2}}", &rest[..rest.len() - 1]);
    let answer = target.me(&target.sign_texts(target.header.to_string(), twice));
    match answer.status {
        200 => drop(answer.expect_json(200)),
        _ => answer.expect_invalid_token(),
    }
}

#[test]
fn blanks_and_line_ends_around_or_inside_a_token_are_refused() {
    let target = Target::of("EdDSA");
    let token = &target.bob.token;
    let (front, back) = token.split_at(token.len() / 2);
    for value in
        [format!("{front} {back}"), format!("{front}\t{back}"), format!("{token} x"), format!("{token}\t{token}")]
    {
        let request =
            format!("GET /me HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {value}\r\n\r\n", target.server.address);
        Wire::exchange(&target.server.address, request.as_bytes()).expect_invalid_token();
    }
    target.me(token).expect_json(200);
}

#[test]
fn two_authorization_headers_are_refused() {
    let target = Target::of("EdDSA");
    let token = &target.bob.token;
    for second in [format!("Bearer {token}"), "Bearer x".to_owned(), "Basic Og==".to_owned()] {
        let request = target.server.request("GET", "/me").header("authorization", &format!("Bearer {token}"));
        request.header("authorization", &second).send().expect_invalid_token();
    }
}

#[test]
fn an_access_token_is_no_refresh_token_and_a_refresh_token_is_no_access_token() {
    for algorithm in ["HS256", "EdDSA"] {
        let target = Target::of(algorithm);
        expect_refused(&target.server, &target.bob.token);
        expect_refused(&target.server, &target.with_header("typ", json!("rt+jwt")));
        target.me(refresh_token(&target.bob.grant)).expect_invalid_token();
        renew(&target.server, refresh_token(&target.bob.grant));
    }
}

#[test]
fn a_forged_token_revokes_nothing_and_is_inactive() {
    let target = Target::of("EdDSA");
    let api = crate::steps::App::add(&target.server.home, "api", &[]);
    let table = [algorithms(&target), public_secrets(&target), signatures(&target), kids(&target), duplicates(&target)];
    for (name, token) in table.concat() {
        let answer = target.server.request("POST", "/revoke").form(&[("token", &token)]).send();
        assert_eq!((answer.status, answer.text()), (200, "{}"), "{name}: {answer}");
        assert_eq!(api.introspect(&target.server, &token), json!({"active": false}), "{name}");
    }
    target.bob.get("/me").expect_json(200);
    renew(&target.server, refresh_token(&target.bob.grant));
}

#[test]
fn an_altered_token_is_refused_after_the_original_was_accepted() {
    let target = Target::of("ES256");
    let parts: Vec<&str> = target.bob.token.split('.').collect();
    for _ in 0..3 {
        target.me(&target.bob.token).expect_json(200);
    }
    let other = encode(with(&target.claims, "sub", json!("2")).to_string());
    target.me(&format!("{}.{other}.{}", parts[0], parts[2])).expect_invalid_token();
    target.me(&format!("{}.{}.", parts[0], parts[1])).expect_invalid_token();
    target.me(&target.bob.token).expect_json(200);
}
