//! The only synchronous standby is away: PostgreSQL takes writes and ends none of them.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::load::POOL_WAIT_SECONDS;
use crate::postgres::{Stop, service_url, start_postgres};
use crate::support::{PASSWORD, Server, until};

/// The wait for a connection (3 s), the time of a statement (10 s), and time for a machine that is busy with other things.
const LONGEST: Duration = Duration::from_secs(18);
/// A read waits for no standby.
const LONGEST_READ: Duration = Duration::from_secs(3);
const PATIENCE: Duration = Duration::from_secs(40);
/// Twice as many as the service has connections.
const WRITERS: usize = 16;

const HASH: &str = "$2b$04$Fz3WHKg9WUUKG7dwkyNCk.6AuQU3J9R73xG7urDmAi/tXHVwWl0em";

/// The sessions of the service that wait for a standby.
const WAITING: &str = "SELECT coalesce(string_agg(pid::text, ' '), '') AS value FROM pg_stat_activity \
                       WHERE wait_event = 'SyncRep' AND usename = 'keyfob' AND application_name = 'keyfob'";

#[test]
fn without_the_standby_writes_get_503_in_time_and_reads_go_on_until_it_is_back() {
    let Some(primary) = start_postgres() else { return };
    let mut standby = primary.stand_by();
    let url = service_url(&[&primary], "keyfob");
    let server = Server::with(&[("database.url", &url), ("database.pool_wait_seconds", POOL_WAIT_SECONDS)]);
    let ada = server.sign_up("ada@example.com");
    let post_url = ada.write_post("Before");
    server.home.write("users.csv", &format!("email,password_hash\nimported@example.com,{HASH}\n"));
    let body = |number: usize| json!({"email": format!("guest-{number}@example.com"), "password": PASSWORD});
    standby.stop(Stop::Fast);
    thread::scope(|scope| {
        let import = scope.spawn(|| server.home.run(&["user", "import", "users.csv"], ""));
        let writers: Vec<_> = (0..WRITERS)
            .map(|number| {
                let (client, body) = (server.anonymous(), body(number));
                scope.spawn(move || {
                    let start = Instant::now();
                    let answer = client.post("/signup", body);
                    answer.need("retry-after");
                    answer.expect_error(503);
                    let form = [("username", "ada@example.com"), ("password", PASSWORD)];
                    let answer = client.login(&form);
                    answer.need("retry-after");
                    answer.expect_oauth_error(503, "temporarily_unavailable");
                    start.elapsed()
                })
            })
            .collect();
        until("writes wait for the standby", PATIENCE, || !primary.text(WAITING).is_empty());
        let first_waiting = primary.text(WAITING);
        let mut reads = 0;
        while writers.iter().any(|writer| !writer.is_finished()) {
            let start = Instant::now();
            ada.get("/me").expect_json(200);
            server.get(&post_url).expect_json(200);
            assert!(start.elapsed() <= LONGEST_READ, "{:?}", start.elapsed());
            reads += 1;
            thread::sleep(Duration::from_millis(20));
        }
        assert!(reads > 50, "{reads} reads while writes waited");
        for writer in writers {
            let took = writer.join().expect("no fault");
            assert!(took <= 2 * LONGEST, "two answers within {took:?}");
        }
        server.get("/readyz").expect_json(200);
        // The connections of those writes are free again, although the standby is still away; the import was not cut off.
        until("the sessions that waited have ended", PATIENCE, || {
            let waiting = primary.text(WAITING);
            first_waiting.split(' ').filter(|session| waiting.split(' ').any(|other| other == *session)).count() <= 1
        });
        assert!(!import.is_finished(), "{:?}", import.join());
        standby.start();
        let run = import.join().expect("an end");
        assert_eq!(run.expect_success(), "imported 1, refused 0\n");
    });
    let name = json!({"full_name": "Ada"});
    until("writes are acknowledged", PATIENCE, || ada.patch("/me", name.clone()).status == 200);
    server.sign_up("zoe@example.com");
    ada.write_post("After");
    for number in 0..WRITERS {
        let status = server.post("/signup", body(number)).status;
        assert!([201, 409].contains(&status), "kept or not, but not in between: {status}");
    }
}
