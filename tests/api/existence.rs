//! Contract, "Accounts": whether an address has an account shows neither in the answers of the routes that anybody may use,
//! nor in their work.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::docs::{concrete, document, follow, needed_scopes, operations};
use crate::mail::quiet_account;
use crate::metrics::{address, sample, samples};
use crate::support::{Answer, Client, Server};

const BOB: &str = "bob@example.com";
const DISABLED: &str = "eve@example.com";
const WRONG: &str = "orange-Kettle 99";

/// The tables that requests may add rows to. Two are left out, which grow some moments later: tokens are made when their
/// mail is sent, and refused logins are collected.
const TABLES: [&str; 5] = ["users", "pending_signups", "local_mail_outbox", "sessions", "posts"];

/// A service that counts its work.
struct Measured {
    server: Server,
    metrics: Client,
}

/// What a request showed, and what it took.
#[derive(Debug, PartialEq)]
struct Seen {
    status: u16,
    headers: BTreeSet<(String, String)>,
    body: String,
    hashing: f64,
    rows: Vec<i64>,
}

impl Measured {
    fn start(settings: &[(&str, &str)]) -> Self {
        let server = Server::with(&[&[("server.metrics_bind", "127.0.0.1:0")], settings].concat());
        let metrics = Client::new(&address(&server));
        quiet_account(&server, BOB);
        quiet_account(&server, DISABLED);
        server.home.database.execute(&format!("UPDATE users SET is_active = FALSE WHERE email = '{DISABLED}'"));
        Self { server, metrics }
    }

    fn hashing(&self) -> f64 {
        sample(&samples(&self.metrics), "keyfob_password_work_total{algorithm=\"bcrypt\"}")
    }

    /// How many rows each table has ever had. Deleting one changes nothing.
    fn rows(&self) -> Vec<i64> {
        let is_postgres = self.server.home.database.url().starts_with("postgres");
        let ever = |table: &&str| {
            let query = if is_postgres {
                format!(
                    "SELECT CAST(CASE WHEN is_called THEN last_value ELSE 0 END AS TEXT) AS value FROM {table}_id_seq"
                )
            } else {
                format!(
                    "SELECT CAST(COALESCE(MAX(seq), 0) AS TEXT) AS value FROM sqlite_sequence WHERE name = '{table}'"
                )
            };
            self.server.home.database.text(&query).parse::<i64>().expect("a number")
        };
        TABLES.iter().map(ever).collect()
    }

    fn see(&self, request: impl Fn(&Client) -> Answer) -> Seen {
        let (hashing, rows) = (self.hashing(), self.rows());
        let answer = request(&self.server);
        let body = String::from_utf8_lossy(&answer.body).into_owned();
        let headers = answer.headers.into_iter().filter(|(name, _)| name != "x-request-id" && name != "date");
        let rows = self.rows().iter().zip(rows).map(|(after, before)| after - before).collect();
        Seen { status: answer.status, headers: headers.collect(), body, hashing: self.hashing() - hashing, rows }
    }
}

/// A value for a member of a body, good for everybody who has it, but no password and no token of an account.
fn value_of(name: &str, email: &str) -> Option<Value> {
    match name {
        "email" | "new_email" | "username" => Some(email.into()),
        "password" | "new_password" | "current_password" => Some(WRONG.into()),
        "token" => Some(format!("kfp_{}", "A".repeat(43)).into()),
        _ => None,
    }
}

/// Sends a request of anybody's with an address in every place for one. Returns whether the body has one.
fn send(client: &Client, document: &Value, (method, path, operation): &(String, String, Value), email: &str) -> Answer {
    let path = format!("{}?email={email}&username={email}", concrete(path));
    let request = client.request(method, &path);
    match operation["requestBody"]["content"].as_object().and_then(|contents| contents.iter().next()) {
        Some((kind, content)) => {
            let members = members(document, content, email);
            if kind == "application/json" {
                return request.json(&json!(members)).send();
            }
            let texts: Vec<_> =
                members.iter().filter_map(|(name, value)| Some((name.as_str(), value.as_str()?))).collect();
            request.form(&texts).send()
        }
        None => request.send(),
    }
}

fn members(document: &Value, content: &Value, email: &str) -> Map<String, Value> {
    let schema = follow(document, &content["schema"]);
    let names = schema["properties"].as_object().into_iter().flatten().map(|(name, _)| name);
    names.filter_map(|name| Some((name.clone(), value_of(name, email)?))).collect()
}

/// Walks every route that needs no token, and gives those at which an account shows.
fn tell_tales(measured: &Measured) -> Vec<String> {
    let document = document(&measured.server);
    let mut anonymous = operations(&document);
    anonymous.retain(|(_, _, operation)| needed_scopes(operation).is_none());
    let (mut told, mut with_address, mut number) = (Vec::new(), 0, 0);
    for operation in &anonymous {
        let contents = operation.2["requestBody"]["content"].as_object().into_iter().flatten();
        with_address += contents.filter(|(_, content)| !members(&document, content, BOB).is_empty()).count();
        let known = [BOB, "BOB@Example.com", DISABLED];
        for email in known {
            number += 1;
            let unknown = format!("nobody{number}@example.com");
            let seen = [&unknown, email].map(|email| measured.see(|client| send(client, &document, operation, email)));
            if seen[0] != seen[1] {
                let name = format!("{} {} {:?}", operation.0, operation.1, seen.map(|seen| seen.status));
                told.push(name);
            }
        }
    }
    assert!(anonymous.len() > 20 && with_address >= 8, "{} {with_address}", anonymous.len());
    told.dedup();
    told
}

#[test]
fn with_neutral_sign_up_no_open_route_tells_whether_an_address_has_an_account() {
    for other in ["false", "true"] {
        let settings = [("accounts.neutral_signup", "true"), ("accounts.require_verified_email", other)];
        assert_eq!(tell_tales(&Measured::start(&settings)), Vec::<String>::new());
    }
}

#[test]
fn by_default_only_sign_up_tells_whether_an_address_has_an_account() {
    assert_eq!(tell_tales(&Measured::start(&[])), ["POST /signup [201, 409]"]);
    let verified = Measured::start(&[("accounts.require_verified_email", "true")]);
    assert_eq!(tell_tales(&verified), ["POST /signup [202, 409]"]);
}

#[test]
fn a_neutral_sign_up_is_one_hash_one_row_and_two_mails_for_every_address() {
    let measured = Measured::start(&[("accounts.neutral_signup", "true")]);
    for email in [BOB, DISABLED, "nobody@example.com"] {
        let seen = measured.see(|client| client.post("/signup", json!({"email": email, "password": WRONG})));
        assert_eq!((seen.status, seen.rows), (202, vec![0, 1, 2, 0, 0]), "{email}");
        assert!(seen.hashing > 0.0, "{email}");
    }
}
