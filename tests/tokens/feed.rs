//! The feed of revocations, when it is broken: here its table is taken away while the service runs.

use std::time::Duration;

use crate::support::{Server, until};

/// More than the ten seconds after which a feed without news counts as broken.
const PATIENCE: Duration = Duration::from_secs(40);

fn break_feed(server: &Server) {
    server.home.database.execute("ALTER TABLE revocations RENAME TO mislaid");
    until("readyz tells that the feed is broken", PATIENCE, || server.get("/readyz").status == 503);
    server.get("/readyz").expect_error(503);
    server.get("/healthz").expect(200);
}

fn mend_feed(server: &Server) {
    server.home.database.execute("ALTER TABLE mislaid RENAME TO revocations");
    until("readyz tells that the feed is mended", PATIENCE, || server.get("/readyz").status == 200);
}

#[test]
fn with_the_setting_open_a_broken_feed_lets_good_tokens_through() {
    let server = Server::with(&[("token.revocation_fail", "open")]);
    let bob = server.sign_up("bob@example.com");
    break_feed(&server);
    bob.get("/me").expect(200);
    mend_feed(&server);
    bob.get("/me").expect(200);
}

#[test]
fn with_the_setting_closed_a_broken_feed_lets_no_token_through_until_it_is_mended() {
    let server = Server::with(&[("token.revocation_fail", "closed")]);
    let bob = server.sign_up("bob@example.com");
    break_feed(&server);
    bob.get("/me").expect_invalid_token();
    mend_feed(&server);
    bob.get("/me").expect(200);
}
