//! More log-ins than can be hashed: who is served, who is told to come again, and for whom nothing is done.

use std::io::Write;
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::{Answer, PASSWORD, Server};

const BOB: &str = "bob@example.com";

/// One thread that hashes for about half a second (twice as long in a busy CI).
fn slow(more: &[(&str, &str)]) -> Server {
    let mut settings = vec![("password.bcrypt_cost", "13"), ("password.hash_threads", "1")];
    settings.extend_from_slice(more);
    Server::with(&settings)
}

fn log_in(server: &Server) -> Answer {
    server.login(&[("username", BOB), ("password", PASSWORD)])
}

fn time_of_log_in(server: &Server) -> Duration {
    let begin = Instant::now();
    log_in(server).expect_json(200);
    begin.elapsed()
}

#[test]
fn a_login_that_waits_too_long_gets_503_with_retry_after_and_succeeds_later() {
    let server = slow(&[("password.max_wait_seconds", "1")]);
    server.sign_up(BOB);
    let (mut served, mut told) = (0, Vec::new());
    thread::scope(|scope| {
        // More than the thread can begin within the second, four at a time, also where a hash takes a fifth of one.
        let asking: Vec<_> = (0..40)
            .map(|_| {
                scope.spawn(|| {
                    let begin = Instant::now();
                    (log_in(&server), begin.elapsed())
                })
            })
            .collect();
        for (answer, took) in asking.into_iter().map(|asked| asked.join().expect("an answer")) {
            match answer.status {
                200 => served += 1,
                _ => told.push((answer, took)),
            }
        }
    });
    assert!(served >= 1 && !told.is_empty(), "{served} served, {} told", told.len());
    for (answer, took) in told {
        assert!(took < Duration::from_secs(20), "told after {took:?}");
        assert_eq!(answer.need("retry-after"), "1", "{answer}");
        answer.expect_oauth_error(503, "temporarily_unavailable");
    }
    // Who comes again as it was told is served, however busy the machine is with other things.
    let served = (0..30).any(|_| {
        thread::sleep(Duration::from_secs(1));
        log_in(&server).status == 200
    });
    assert!(served, "nobody asks any more, and still there is no answer");
}

#[test]
fn a_full_queue_is_reported_at_once() {
    let server = slow(&[("password.queue_length", "1"), ("password.max_wait_seconds", "60")]);
    server.sign_up(BOB);
    thread::scope(|scope| {
        let asking: Vec<_> = (0..8).map(|_| scope.spawn(|| log_in(&server))).collect();
        let answers: Vec<Answer> = asking.into_iter().map(|asked| asked.join().expect("an answer")).collect();
        let (served, told): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 200);
        // Two where the thread has taken the first before the second comes.
        assert!(!served.is_empty() && !told.is_empty(), "{} served, {} told", served.len(), told.len());
        for answer in told {
            answer.expect_oauth_error(503, "temporarily_unavailable");
        }
    });
}

#[test]
fn no_password_is_hashed_for_a_client_that_hung_up() {
    let server = slow(&[("password.max_wait_seconds", "60"), ("password.queue_length", "1000")]);
    server.sign_up(BOB);
    let one = time_of_log_in(&server);
    let body = format!("username={BOB}&password=a-wrong-one");
    let request = format!(
        "POST /login HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    // Four at a time, all of them would take the time of more than thirty.
    let gone = 100;
    let streams: Vec<TcpStream> = (0..gone)
        .map(|_| {
            let mut stream = TcpStream::connect(&server.address).expect("a connection");
            stream.write_all(request.as_bytes()).expect("the server reads");
            stream
        })
        .collect();
    // Long enough for the server to have read them all, shorter than it takes to hash for them.
    thread::sleep(one / 2);
    drop(streams);
    let waited = time_of_log_in(&server);
    // The machine may have become busy with other things meanwhile.
    let one = one.max(time_of_log_in(&server));
    assert!(waited < one * gone / 10, "waited {waited:?} behind {gone} that hung up; one takes {one:?}");
}
