//! A flood of password work from one address, and everybody else: networks are served in turn.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::support::{Answer, Client, PASSWORD, Request, Server, until};

const OWNER: &str = "owner@example.com";
const ATTACKER: &str = "attacker@example.com";
const NEW_PASSWORD: &str = "copper-Lantern 31";

/// In which the tests say where a request comes from.
fn from<'a>(request: Request<'a>, address: &str) -> Request<'a> {
    request.header("x-forwarded-for", address)
}

fn log_in(client: &Client, address: &str, user: &str, password: &str) -> Answer {
    from(client.request("POST", "/login"), address).form(&[("username", user), ("password", password)]).send()
}

/// A queue of four before one thread, behind a proxy on this machine.
fn small() -> Server {
    let server = Server::with(&[
        ("password.bcrypt_cost", "9"),
        ("password.hash_threads", "1"),
        ("password.queue_length", "4"),
        ("password.max_wait_seconds", "60"),
        ("server.trusted_proxies", "127.0.0.1"),
    ]);
    for user in [OWNER, ATTACKER] {
        server.sign_up(user);
    }
    server
}

/// Floods the queue from the addresses, each of them with more than has a place, while the work is done.
fn during_flood(server: &Server, addresses: &[&str], password: &str, work: impl FnOnce()) {
    let (is_over, refused) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        for address in addresses.iter().cycle().take(12) {
            let (is_over, refused) = (&is_over, &refused);
            scope.spawn(move || {
                while !is_over.load(Ordering::Relaxed) {
                    let is_refused = log_in(server, address, ATTACKER, password).status == 503;
                    refused.fetch_add(usize::from(is_refused), Ordering::Relaxed);
                }
            });
        }
        until("the queue is full", Duration::from_secs(60), || refused.load(Ordering::Relaxed) > 12);
        // A failed assertion must not leave the others at work.
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        is_over.store(true, Ordering::Relaxed);
        if let Err(failure) = outcome {
            std::panic::resume_unwind(failure);
        }
    });
}

#[test]
fn a_flood_of_one_wrong_password_from_one_address_shuts_nobody_out() {
    let server = small();
    during_flood(&server, &["192.0.2.1"], "the same wrong one", || {
        for _ in 0..12 {
            log_in(&server, "192.0.2.2", OWNER, PASSWORD).expect_json(200);
        }
    });
}

#[test]
fn a_flood_of_right_passwords_shuts_nobody_out_of_any_route() {
    let server = small();
    let owner = server.log_in(OWNER);
    // One subscriber's addresses are one network.
    during_flood(&server, &["2001:db8::1", "2001:db8::2", "2001:db8::ffff:3"], PASSWORD, || {
        for number in 0..4 {
            let address = format!("2001:db8:0:{}::1", number + 1);
            log_in(&server, &address, OWNER, PASSWORD).expect_json(200);
            let account = json!({"email": format!("new{number}@example.com"), "password": PASSWORD});
            from(server.request("POST", "/signup"), &address).json(&account).send().expect(201);
        }
        let change = json!({"current_password": PASSWORD, "new_password": NEW_PASSWORD});
        from(owner.request("POST", "/me/password"), "192.0.2.9").json(&change).send().expect_empty(204);
        let deletion = json!({"password": NEW_PASSWORD});
        from(owner.request("DELETE", "/me"), "192.0.2.9").json(&deletion).send().expect_empty(204);
    });
}

#[test]
fn a_flood_from_one_address_has_the_whole_queue_while_nobody_else_comes() {
    let server = small();
    let answers: Vec<Answer> = thread::scope(|scope| {
        let asking: Vec<_> = (0..4).map(|_| scope.spawn(|| log_in(&server, "192.0.2.1", OWNER, PASSWORD))).collect();
        asking.into_iter().map(|asked| asked.join().expect("an answer")).collect()
    });
    for answer in answers {
        answer.expect_json(200);
    }
}
