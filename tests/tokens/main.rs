//! Tokens from outside: how they are made, renewed, inspected and revoked, by the real binary on a fresh database.
//!
//! The four stories first (a lost answer, a theft, a race, a rotation under load), then sessions, the other OAuth
//! endpoints, keys, clients and attacks; `rfc` has the sentences of the RFCs. Runs on `SQLite`, and with
//! `KEYFOB_TEST_DATABASE_URL=postgres://…` on PostgreSQL, like the suite in `tests/api`, whose actors it shares.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test that meets something unexpected should stop there and say where"
)]
#![allow(clippy::too_many_lines, reason = "a table of cases is one test, and so is the story of a failure")]
#![allow(unreachable_pub, reason = "nothing is outside of a test binary: `pub` marks what the tests may use")]

#[path = "../api/support/mod.rs"]
#[allow(dead_code, unused_imports, reason = "shared with tests/api, which uses the rest")]
mod support;

mod keychain;
mod steps;

mod lost_answer;
mod race;
mod rotation;
mod theft;

mod attacks;
mod changed_meanwhile;
mod clients;
mod credentials;
mod fair;
mod feed;
mod introspect;
mod keys;
mod lifetimes;
mod limits;
mod many_sessions;
mod metadata;
mod outlived;
mod refresh;
mod revoke;
mod rfc;
mod rust_client;
mod sealed_keys;
mod sessions;
mod storm;
