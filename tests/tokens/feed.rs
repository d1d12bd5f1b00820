//! The feed of revocations: when it is broken (here its table is taken away while the service runs), and what is committed
//! late, or by clocks that are wrong.

use std::time::Duration;

use crate::steps::{revoke, time_until_refused, transaction};
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

#[test]
fn a_revocation_that_commits_late_is_known_at_every_process() {
    let server = Server::start();
    let second = server.second();
    let (bob, eve) = (server.sign_up("bob@example.com"), server.sign_up("eve@example.com"));
    // As of a transaction that began an hour ago, or of a database whose clock is an hour behind.
    let change = format!(
        "UPDATE users SET is_active = FALSE WHERE id = {}; UPDATE revocations SET revoked_at = revoked_at - 3600000",
        bob.id()
    );
    transaction(&server.home, &change, || {
        if server.home.database.url().starts_with("postgres") {
            // What others write meanwhile is heard, so that the feed is read beyond it.
            revoke(&server, &eve.token);
            time_until_refused(&second, &eve.token);
        }
        bob.get("/me").expect_json(200);
    });
    time_until_refused(&server, &bob.token);
    time_until_refused(&second, &bob.token);
}

#[test]
fn a_revocation_written_by_a_fast_clock_does_not_hide_later_ones() {
    let server = Server::start();
    let second = server.second();
    let (bob, eve) = (server.sign_up("bob@example.com"), server.sign_up("eve@example.com"));
    let disable = |id: i64, millis: i64| {
        let change = format!(
            "UPDATE users SET is_active = FALSE WHERE id = {id}; UPDATE revocations SET revoked_at = revoked_at + {millis} \
             WHERE session_id IN (SELECT id FROM sessions WHERE user_id = {id})"
        );
        transaction(&server.home, &change, || {});
    };
    disable(eve.id(), 3_600_000);
    time_until_refused(&second, &eve.token);
    disable(bob.id(), -3_600_000);
    time_until_refused(&second, &bob.token);
    time_until_refused(&server, &bob.token);
}
