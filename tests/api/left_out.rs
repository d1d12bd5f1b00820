//! What a plain `cargo test` leaves out, said aloud.

use std::io::{Write, stderr};

/// Names the PostgreSQL server on which the tests are to run.
const SERVER_VARIABLE: &str = "KEYFOB_TEST_DATABASE_URL";

#[test]
fn the_run_says_what_it_leaves_out() {
    if std::env::var_os(SERVER_VARIABLE).is_some() {
        return;
    }
    // Past the runner, which keeps the output of tests that pass to itself.
    let note = format!(
        "\nLEFT OUT: PostgreSQL, /docs in a browser, OAuth client libraries. \
         With {SERVER_VARIABLE}=postgres://... the same tests run on PostgreSQL; `bash .ci/run` runs everything.\n"
    );
    stderr().write_all(note.as_bytes()).expect("standard error");
}
