//! The sentences of the RFCs that hold for this service, each with its section.

mod rfc6749;
mod rfc6750;
mod rfc7009;
mod rfc7662;
mod rfc8414;
mod rfc9068;

use crate::steps::App;
use crate::support::{Actor, Answer, PASSWORD, Server};

const BOB: &str = "bob@example.com";
const GOOD: [(&str, &str); 3] = [("grant_type", "password"), ("username", BOB), ("password", PASSWORD)];
const METADATA: &str = "/.well-known/oauth-authorization-server";

fn server_and_bob() -> (Server, Actor) {
    let server = Server::start();
    let bob = server.sign_up(BOB);
    (server, bob)
}

fn hs256_and_bob() -> (Server, Actor) {
    let server = Server::with_hs256();
    let bob = server.sign_up(BOB);
    (server, bob)
}

fn server_and_app() -> (Server, App) {
    let server = Server::start();
    server.sign_up(BOB);
    let app = App::add(&server.home, "app", &[]);
    (server, app)
}

/// A good password request with further fields.
fn log_in(server: &Server, more: &[(&str, &str)]) -> Answer {
    server.login(&[&GOOD, more].concat())
}

fn me(server: &Server, token: &str) -> Answer {
    server.with_token(token).get("/me")
}

fn post(server: &Server, path: &str, fields: &[(&str, &str)]) -> Answer {
    server.request("POST", path).form(fields).send()
}
