//! Rate limits, through HTTP: what is counted, for whom it is closed, what survives, and that `Retry-After` is true.

use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::steps::basic;
use crate::support::{Answer, Client, PASSWORD, Server, until};

const BOB: &str = "bob@example.com";
/// Well over the 0.4 s in which a replica hears of what the others have counted.
const HEARD: Duration = Duration::from_secs(3);
/// In which the tests say where a request comes from.
const PROXY_HEADER: &str = "x-forwarded-for";

/// Settings with limits that a test reaches, behind a proxy on this machine.
fn limited(more: &[(&str, &str)]) -> Server {
    let mut settings = vec![
        ("rate_limit.enabled", "true"),
        ("rate_limit.account_failures", "3"),
        ("server.trusted_proxies", "127.0.0.1"),
    ];
    settings.extend_from_slice(more);
    Server::with(&settings)
}

fn log_in(client: &Client, address: &str, password: &str) -> Answer {
    client
        .request("POST", "/login")
        .header(PROXY_HEADER, address)
        .form(&[("username", BOB), ("password", password)])
        .send()
}

/// Fails that often from there, each time with another password.
#[track_caller]
fn guess(client: &Client, address: &str, times: usize) {
    for number in 0..times {
        log_in(client, address, &format!("a wrong one {number}")).expect_oauth_error(400, "invalid_grant");
    }
}

#[track_caller]
fn seconds(answer: &Answer) -> u64 {
    answer.need("retry-after").parse().unwrap_or_else(|_| panic!("no seconds: {answer}"))
}

#[test]
fn after_the_time_in_retry_after_the_attempt_is_let_through() {
    let server = limited(&[("rate_limit.window_seconds", "8")]);
    server.sign_up(BOB);
    guess(&server, "192.0.2.1", 3);
    let closed = log_in(&server, "192.0.2.1", PASSWORD);
    let wait = seconds(&closed);
    assert!((1..=8).contains(&wait), "{closed}");
    closed.expect_oauth_error(429, "slow_down");
    thread::sleep(Duration::from_secs(wait));
    log_in(&server, "192.0.2.1", PASSWORD).expect_json(200);
}

#[test]
fn guessing_at_an_account_locks_out_nobody_on_another_address() {
    let server = limited(&[("rate_limit.account_total_failures", "6")]);
    server.sign_up(BOB);
    log_in(&server, "192.0.2.200", PASSWORD).expect_json(200);
    for last in 1..=2 {
        guess(&server, &format!("192.0.2.{last}"), 3);
        log_in(&server, &format!("192.0.2.{last}"), PASSWORD).expect_oauth_error(429, "slow_down");
    }
    log_in(&server, "192.0.2.3", "one wrong").expect_oauth_error(400, "invalid_grant");
    log_in(&server, "192.0.2.3", "two wrong").expect_oauth_error(429, "slow_down");
    log_in(&server, "192.0.2.4", PASSWORD).expect_json(200);
    guess(&server, "192.0.2.200", 2);
    log_in(&server, "192.0.2.200", PASSWORD).expect_json(200);
    guess(&server, "2001:db8::1", 1);
    log_in(&server, "2001:db8::2", "two wrong").expect_oauth_error(429, "slow_down");
}

#[test]
fn an_unknown_account_is_closed_like_one_that_exists() {
    let server = limited(&[]);
    guess(&server, "192.0.2.1", 3);
    log_in(&server, "192.0.2.1", PASSWORD).expect_oauth_error(429, "slow_down");
}

#[test]
fn an_immediate_repeat_of_a_wrong_password_is_free_twice_and_then_counts() {
    // Of 3 failures: the first, and the repeats beyond the second.
    for (times, status) in [(3, 200), (4, 200), (5, 429), (8, 429)] {
        let server = limited(&[]);
        server.sign_up(BOB);
        for _ in 0..times {
            log_in(&server, "192.0.2.1", "the same wrong one");
        }
        assert_eq!(log_in(&server, "192.0.2.1", PASSWORD).status, status, "after {times}");
    }
}

#[test]
fn a_good_log_in_resets_the_account() {
    let server = limited(&[]);
    server.sign_up(BOB);
    for _ in 0..3 {
        guess(&server, "192.0.2.1", 2);
        log_in(&server, "192.0.2.1", PASSWORD).expect_json(200);
    }
}

#[test]
fn limits_survive_a_killed_process() {
    let mut server = limited(&[]);
    server.sign_up(BOB);
    guess(&server, "192.0.2.1", 3);
    server.kill();
    let next = server.second();
    log_in(&next, "192.0.2.1", PASSWORD).expect_oauth_error(429, "slow_down");
    log_in(&next, "192.0.2.2", PASSWORD).expect_json(200);
}

#[test]
fn processes_on_one_database_share_their_limits() {
    let first = limited(&[]);
    let second = first.second();
    first.sign_up(BOB);
    guess(&first, "192.0.2.1", 2);
    guess(&second, "192.0.2.1", 1);
    log_in(&second, "192.0.2.1", PASSWORD).expect_oauth_error(429, "slow_down");
    guess(&first, "192.0.2.2", 2);
    // Asking whether it has been heard would change the counts.
    thread::sleep(HEARD);
    log_in(&first, "192.0.2.1", PASSWORD).expect_oauth_error(429, "slow_down");
    log_in(&second, "192.0.2.2", PASSWORD).expect_json(200);
    thread::sleep(HEARD);
    guess(&first, "192.0.2.2", 2);
    log_in(&first, "192.0.2.2", PASSWORD).expect_json(200);
}

#[test]
fn neither_addresses_nor_names_lie_in_the_table_of_attempts() {
    let server = limited(&[]);
    guess(&server, "192.0.2.1", 1);
    let row = "SELECT name || ' ' || failures AS value FROM attempts";
    for which in ["MIN", "MAX"] {
        let value = server.home.database.text(&format!("{row} WHERE name = (SELECT {which}(name) FROM attempts)"));
        let (name, failures) = value.split_once(' ').expect("two columns");
        assert_eq!(failures, "1", "{value}");
        assert!(name.len() == 32 && name.bytes().all(|byte| byte.is_ascii_hexdigit()), "{value}");
    }
}

#[test]
fn every_route_that_asks_for_the_password_is_limited() {
    let server = limited(&[]);
    let bob = server.sign_up(BOB);
    let delete = |password: &str| {
        bob.request("DELETE", "/me").header(PROXY_HEADER, "192.0.2.1").json(&json!({"password": password})).send()
    };
    let change = |password: &str| {
        let body = json!({"current_password": password, "new_password": "brass-Anchor 41"});
        bob.request("POST", "/me/password").header(PROXY_HEADER, "192.0.2.1").json(&body).send()
    };
    let change_email = |password: &str| {
        let body = json!({"new_email": "rob@example.com", "current_password": password});
        bob.request("POST", "/me/email").header(PROXY_HEADER, "192.0.2.1").json(&body).send()
    };
    delete("a wrong one").expect_error(403);
    change("another wrong one").expect_error(403);
    change_email("a third one").expect_error(403);
    for closed in [delete(PASSWORD), change(PASSWORD), change_email(PASSWORD)] {
        assert!(seconds(&closed) > 200, "{closed}");
        closed.expect_error(429);
    }
    bob.request("DELETE", "/me").json(&json!({"password": PASSWORD})).send().expect(204);
}

#[test]
fn an_address_may_not_ask_for_all_accounts_nor_make_any_number() {
    let server = limited(&[("rate_limit.address_failures", "4"), ("rate_limit.address_signups", "2")]);
    let sign_up = |email: &str, address: &str| {
        let body = json!({"email": email, "password": PASSWORD});
        server.request("POST", "/signup").header(PROXY_HEADER, address).json(&body).send()
    };
    sign_up("a@example.com", "192.0.2.1").expect(201);
    sign_up("b@example.com", "192.0.2.1").expect(201);
    sign_up("c@example.com", "192.0.2.1").expect_error(429);
    for _ in 0..4 {
        sign_up("a@example.com", "192.0.2.2").expect_error(409);
    }
    assert!(seconds(&sign_up("c@example.com", "192.0.2.2")) > 200);
    sign_up("b@example.com", "192.0.2.2").expect_error(429);
    sign_up("c@example.com", "192.0.2.3").expect(201);
}

#[test]
fn a_client_secret_is_not_guessed_at_any_endpoint_and_a_right_one_is_never_limited() {
    let server = limited(&[]);
    let made = server.home.run(&["client", "add", "--id", "shop"], "").expect_success();
    let made: serde_json::Value = serde_json::from_str(&made).expect("JSON");
    let secret = made["client_secret"].as_str().expect("a secret");
    let ask = |path: &str, secret: &str, address: &str| {
        let request =
            server.request("POST", path).header(PROXY_HEADER, address).header("authorization", &basic("shop", secret));
        request.form(&[("token", "x"), ("grant_type", "refresh_token"), ("refresh_token", "x")]).send()
    };
    for _ in 0..50 {
        ask("/introspect", secret, "192.0.2.1").expect_json(200);
    }
    for (number, path) in ["/login", "/revoke", "/introspect"].into_iter().enumerate() {
        ask(path, &format!("wrong {number}"), "192.0.2.1").expect_oauth_error(401, "invalid_client");
    }
    for path in ["/login", "/revoke", "/introspect"] {
        ask(path, secret, "192.0.2.1").expect_oauth_error(429, "slow_down");
    }
    ask("/introspect", secret, "192.0.2.2").expect_json(200);
    let public = server.request("POST", "/revoke").header(PROXY_HEADER, "192.0.2.1").form(&[("token", "x")]).send();
    public.expect_json(200);
}

#[test]
fn forwarded_is_believed_of_a_trusted_proxy_and_of_nobody_else() {
    let ask = |server: &Server, number: usize, value: &str| {
        let wrong = format!("a wrong one {number}");
        let form = [("username", BOB), ("password", wrong.as_str())];
        server.request("POST", "/login").header("forwarded", value).form(&form).send().status
    };
    let trusting = limited(&[]);
    for last in 1..=5 {
        assert_eq!(ask(&trusting, last, &format!("for=192.0.2.{last};proto=https")), 400);
        assert_eq!(ask(&trusting, last, &format!("For=\"[2001:db8:0:{last}::1]:4711\"")), 400);
    }
    let deaf = limited(&[("server.trusted_proxies", "10.0.0.0/8")]);
    let answers: Vec<u16> = (1..=4).map(|last| ask(&deaf, last, &format!("for=192.0.2.{last}"))).collect();
    assert_eq!(answers, [400, 400, 400, 429]);
}

#[test]
fn a_proxy_that_is_not_trusted_is_named_in_the_log() {
    let warned = |server: &Server| {
        let log = server.log();
        log.iter().filter(|line| line.contains("WARN") && line.contains("server.trusted_proxies")).count()
    };
    let server = limited(&[("server.trusted_proxies", "10.0.0.0/8")]);
    let trusting = limited(&[]);
    for number in 0..30 {
        for server in [&server, &trusting] {
            server
                .request("POST", "/revoke")
                .header(PROXY_HEADER, &format!("192.0.2.{number}"))
                .form(&[("token", "x")])
                .send();
        }
    }
    until("the warning", 3 * HEARD, || warned(&server) == 1);
    assert_eq!(warned(&trusting), 0);
}

#[test]
fn many_right_passwords_at_once_are_all_accepted() {
    let server = limited(&[]);
    server.sign_up(BOB);
    thread::scope(|scope| {
        let asking: Vec<_> = (0..20).map(|_| scope.spawn(|| log_in(&server, "192.0.2.1", PASSWORD))).collect();
        for asked in asking {
            asked.join().expect("an answer").expect_json(200);
        }
    });
}
