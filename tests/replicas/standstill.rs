//! PostgreSQL stands still: connections stay open and are accepted, and nothing is answered.

use std::thread;
use std::time::{Duration, Instant};

use crate::load::POOL_WAIT_SECONDS;
use crate::postgres::{service_url, start_postgres};
use crate::support::{Server, until};

/// The wait for a connection (3 s), the time of a statement (10 s), and time for a machine that is busy with other things.
const LONGEST: Duration = Duration::from_secs(18);
const PATIENCE: Duration = Duration::from_secs(40);
/// The contract's 30 seconds, and slack for a busy machine.
const STOP_DEADLINE: Duration = Duration::from_secs(40);
const READERS: usize = 12;

#[test]
fn while_postgresql_hangs_requests_get_503_in_time_and_the_service_can_be_stopped() {
    let Some(postgres) = start_postgres() else { return };
    let url = service_url(&[&postgres], "keyfob");
    let mut server = Server::with(&[("database.url", &url), ("database.pool_wait_seconds", POOL_WAIT_SECONDS)]);
    let ada = server.sign_up("ada@example.com");
    let post_url = ada.write_post("Before");
    for _ in 0..2 {
        postgres.freeze();
        thread::scope(|scope| {
            for _ in 0..READERS {
                scope.spawn(|| {
                    let start = Instant::now();
                    let answer = ada.get("/me");
                    assert!(start.elapsed() <= LONGEST, "{:?}: {answer}", start.elapsed());
                    answer.need("retry-after");
                    answer.expect_error(503);
                });
            }
        });
        postgres.thaw();
        until("the service recovers", PATIENCE, || server.get(&post_url).status == 200);
        ada.write_post("After");
    }
    postgres.freeze();
    server.get(&post_url).expect_error(503);
    server.signal("TERM");
    assert_eq!(server.wait(STOP_DEADLINE).code(), Some(0));
}
