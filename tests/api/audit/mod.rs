//! Contract, "Administration": the audit trail.

mod acts;
mod command;
mod deletion;
mod lists;
mod refusals;
pub(crate) mod whole;

use std::time::Duration;

use serde_json::Value;

use crate::support::{Actor, Client, until};

/// For what is recorded some moments later.
const PATIENCE: Duration = Duration::from_secs(20);

/// All events that an admin sees, by the query, oldest first.
#[track_caller]
fn events(admin: &Client, query: &str) -> Vec<Value> {
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = admin.get(&format!("/audit?limit=100&{query}{cursor}")).expect_json(200);
        found.extend(page["items"].as_array().expect("items").iter().cloned());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    found.reverse();
    found
}

/// The only event of a type.
#[track_caller]
fn only(admin: &Client, kind: &str) -> Value {
    let found = events(admin, &format!("type={kind}"));
    assert_eq!(found.len(), 1, "{found:?}");
    found.into_iter().next().expect("one")
}

/// The types of the events, by the query, oldest first.
#[track_caller]
fn types(admin: &Client, query: &str) -> Vec<String> {
    events(admin, query).iter().map(|event| event["type"].as_str().expect("a type").to_owned()).collect()
}

/// The refused logins, once there are so many events of them.
#[track_caller]
fn refusals(admin: &Client, query: &str, number: usize) -> Vec<Value> {
    let query = format!("type=log_in_refused&{query}");
    until("refused logins are recorded", PATIENCE, || events(admin, &query).len() >= number);
    events(admin, &query)
}

/// The id of the session that an actor logged in to.
#[track_caller]
fn session_id(actor: &Actor) -> i64 {
    crate::support::decode(&actor.token).1["sid"].as_str().expect("sid").parse().expect("an id")
}
