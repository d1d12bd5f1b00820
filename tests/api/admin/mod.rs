//! Contract, "Administration": accounts and their sessions, as admins see and change them.

mod events;
mod last_admin;
mod search;
mod sessions;
mod users;

use std::time::Duration;

use crate::support::{Actor, Answer, Server};

const PATIENCE: Duration = Duration::from_secs(30);

/// The path of an account.
fn path_of(actor: &Actor) -> String {
    format!("/users/{}", actor.id())
}

/// A way to take the admin rights or the account of somebody away: a method, and a body.
type Way = (&'static str, &'static str);
const WAYS: [Way; 3] = [("PATCH", r#"{"is_admin":false}"#), ("PATCH", r#"{"is_active":false}"#), ("DELETE", "{}")];

fn send(admin: &Actor, (method, body): Way, path: &str) -> Answer {
    admin.request(method, path).body("application/json", body).send()
}

/// How many active admins there are.
#[track_caller]
fn active_admins(server: &Server) -> String {
    let count = "SELECT CAST(COUNT(*) AS TEXT) AS value FROM users WHERE is_admin AND is_active";
    server.home.database.text(count)
}
