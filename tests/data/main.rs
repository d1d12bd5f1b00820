//! Data that moves: accounts out of files, whole databases from one back end to the other, backups, and made-up data to measure with.
//!
//! With `KEYFOB_TEST_DATABASE_URL=postgres://…` accounts are imported into PostgreSQL, and databases are copied there and
//! back; otherwise only `SQLite` is used, and the tests that need both say that they were left out.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test that meets something unexpected should stop there and say where"
)]
#![allow(unreachable_pub, reason = "nothing is outside of a test binary: `pub` marks what the tests may use")]

#[path = "../api/support/mod.rs"]
#[allow(dead_code, unused_imports, reason = "what only the tests of the routes use")]
mod support;

mod backup;
mod copy;
mod databases;
mod email_keys;
mod import;
mod import_quotes;
mod seed;
