//! Several processes of the service on one database, and what happens when one of them, or the database, dies.
//!
//! The database is the test's own: PostgreSQL servers that it makes from Debian's binaries, starts on loopback as a user
//! that is not root, and stops again. Where there are no such binaries, this is said on standard error and the tests are
//! left out; with `KEYFOB_TEST_DATABASE_URL` set, which says that PostgreSQL is to be tested, they fail. What is killed is
//! killed for good: SIGKILL to every process of a server. Clients keep a ledger of what was acknowledged to them.
#![cfg(unix)]
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

mod family;
mod ledger;
mod load;
mod postgres;

mod failover;
mod first_start;
mod killed;
mod lost_standby;
mod reader;
mod restart;
mod standstill;
mod tls;
