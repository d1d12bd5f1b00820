//! Contract, "Bearer": how a request proves who it is.

mod account;
mod header;
mod token;

use std::time::Duration;

use crate::support::{Actor, Answer, Server};

/// What the server may take at most until it refuses a user's tokens, and slack for a busy machine.
const REVOCATION_DEADLINE: Duration = Duration::from_secs(10);

fn server_and_bob() -> (Server, Actor) {
    let server = Server::with_hs256();
    let bob = server.sign_up("bob@example.com");
    bob.get("/me").expect_json(200);
    (server, bob)
}

fn me_with_header(server: &Server, authorization: &str) -> Answer {
    server.request("GET", "/me").header("authorization", authorization).send()
}

fn me(server: &Server, token: &str) -> Answer {
    me_with_header(server, &format!("Bearer {token}"))
}
