//! Contract, "Administration": accounts and their sessions, as admins see and change them.

mod events;
mod last_admin;
mod search;
mod sessions;
mod users;

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Actor, Answer, Server};

const PATIENCE: Duration = Duration::from_secs(30);

/// The path of an account.
fn path_of(actor: &Actor) -> String {
    format!("/users/{}", actor.id())
}

/// Takes the admin rights or the account of somebody away, by each way that there is.
const WAYS: [(&str, fn() -> Value); 3] =
    [("PATCH", || json!({"is_admin": false})), ("PATCH", || json!({"is_active": false})), ("DELETE", || json!({}))];

/// Sends one of the ways.
fn send(admin: &Actor, (method, body): (&str, fn() -> Value), path: &str) -> Answer {
    admin.request(method, path).json(&body()).send()
}

/// How many active admins there are.
#[track_caller]
fn active_admins(server: &Server) -> String {
    let count = "SELECT CAST(COUNT(*) AS TEXT) AS value FROM users WHERE is_admin AND is_active";
    server.home.database.text(count)
}
