//! The service from outside: the real binary, a fresh database for each test, real HTTP.
//!
//! Every test name is a sentence of the contract. With `KEYFOB_TEST_DATABASE_URL=postgres://…` each test makes a database
//! of its own on that server, and drops it; otherwise `SQLite` in a temporary folder is used.
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

mod support;

mod admin;
mod audit;
mod bearer;
mod bodies;
mod bootstrap;
mod browsers;
mod caching;
mod commands;
mod connections;
mod conventions;
mod database_urls;
mod docs;
mod doctor;
mod document;
mod email_change;
mod emails;
mod existence;
mod export;
mod house;
mod hygiene;
mod invitations;
mod leaving;
mod left_out;
mod link_pages;
mod load;
mod login;
mod login_clients;
mod login_forms;
mod mail;
mod mail_limits;
mod mail_sending;
mod memory;
mod metrics;
mod misnamed;
mod notes;
mod operations;
mod password_forms;
mod password_rules;
mod password_work;
mod postman;
mod posts;
mod posts_list;
mod posts_versions;
mod private_files;
mod profile;
mod recovery;
mod redoc;
mod refusals;
mod rooms;
mod root_path;
mod secrets;
mod settings;
mod shell;
mod sign_up_modes;
mod signup;
mod standard_input;
mod tls;
mod tokens;
mod traces;
mod upgrades;
mod user_commands;
