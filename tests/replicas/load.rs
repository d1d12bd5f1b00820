//! Clients that use all replicas at once, and hold every answer against the contract.

use std::fmt::Display;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::family::Family;
use crate::ledger::{Ask, Ledger};
use crate::support::{Actor, Answer, Client, PASSWORD, Server, until};

/// What `database.pool_wait_seconds` is set to.
pub const POOL_WAIT_SECONDS: &str = "3";
/// Longest that an answer may take: the wait for a connection, and time for a machine that is busy with other things, but
/// not the wait twice.
const LONGEST: Duration = Duration::from_millis(5500);
/// For what is bound to happen.
const PATIENCE: Duration = Duration::from_secs(40);
/// How often each thing must have been done at each replica before a test goes on.
const ENOUGH: usize = 20;
/// At each replica.
const VISITORS: usize = 8;
const FAMILIES: usize = 6;

struct Replica {
    client: Client,
    /// It is going to be killed: from now on connections to it may break.
    is_doomed: AtomicBool,
}

/// The clients of some replicas.
pub struct Load {
    replicas: Vec<Replica>,
    families: Vec<Family>,
    ledger: Mutex<Ledger>,
    is_over: AtomicBool,
    has_failed: AtomicBool,
}

/// Ends the load, also when the test has failed, or its threads would be waited for without an end.
struct EndOfLoad<'a>(&'a AtomicBool);

impl Drop for EndOfLoad<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Tells the test that a client has met a fault.
struct Alarm<'a>(&'a AtomicBool);

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.store(true, Ordering::Relaxed);
        }
    }
}

impl Load {
    pub fn new(servers: [&Server; 2]) -> Self {
        let replicas = servers.map(|server| Replica { client: server.anonymous(), is_doomed: AtomicBool::new(false) });
        let families = (0..FAMILIES).map(|number| Family::begin(number, servers[number % 2])).collect();
        Self {
            replicas: replicas.into(),
            families,
            ledger: Mutex::default(),
            is_over: AtomicBool::new(false),
            has_failed: AtomicBool::new(false),
        }
    }

    /// Sends requests of every kind to every replica while `events` happen; starts and ends in a good state.
    #[track_caller]
    pub fn during(&self, events: impl FnOnce(&Self)) {
        let visitors: Vec<(usize, usize, Actor)> = (0..self.replicas.len() * VISITORS)
            .map(|number| {
                let at = number % self.replicas.len();
                (at, number, self.client(at).sign_up(&format!("visitor-{number}@example.com")))
            })
            .collect();
        thread::scope(|scope| {
            let _end = EndOfLoad(&self.is_over);
            for (at, number, actor) in visitors {
                scope.spawn(move || {
                    let _alarm = Alarm(&self.has_failed);
                    self.visit(at, number, &actor);
                });
            }
            for family in &self.families {
                scope.spawn(|| {
                    let _alarm = Alarm(&self.has_failed);
                    family.live(self);
                });
            }
            self.wait_until_all_is_done(&[0, 1]);
            events(self);
        });
    }

    /// Everything acknowledged is there at both, and no session has two live tokens.
    #[track_caller]
    pub fn verify(&self, first: &Server, second: &Server) {
        let ledger = self.ledger();
        ledger.expect_everything(&[first, second]);
        for family in &self.families {
            family.expect_one_live_token(first, second);
        }
        for server in [first, second] {
            for line in server.whole_log() {
                let secrets = [crate::postgres::DATABASE_PASSWORD, PASSWORD, "kfr_", "eyJ", "INSERT INTO", "panicked"];
                assert!(!secrets.iter().any(|secret| line.contains(secret)), "{line}");
            }
        }
        let renewals: usize = self.families.iter().map(Family::renewals).sum();
        let (accounts, posts, slowest) = (ledger.accounts.len(), ledger.posts.len(), ledger.slowest);
        println!("acknowledged: {accounts} accounts, {posts} posts, {renewals} refreshes; slowest answer {slowest:?}");
    }

    /// From now on connections to this replica may break.
    pub fn doom(&self, at: usize) {
        self.replicas[at].is_doomed.store(true, Ordering::Relaxed);
    }

    /// Waits until everything has been done some more times at each of these replicas.
    #[track_caller]
    pub fn wait_until_all_is_done(&self, replicas: &[usize]) {
        let start = Instant::now();
        self.ledger().counts.clear();
        self.wait("every replica does everything", |ledger| {
            replicas.iter().all(|&at| Ask::ALL.iter().all(|&ask| ledger.count(at, ask).done >= ENOUGH))
        });
        println!("every replica did everything {ENOUGH} times within {:?}", start.elapsed());
    }

    /// Waits until both replicas have answered 503 to everything.
    #[track_caller]
    pub fn wait_until_all_is_away(&self) {
        let start = Instant::now();
        self.ledger().counts.clear();
        self.wait("every replica answers 503 to everything", |ledger| {
            (0..self.replicas.len()).all(|at| Ask::ALL.iter().all(|&ask| ledger.count(at, ask).away > 0))
        });
        println!("every replica answered 503 to everything within {:?}", start.elapsed());
    }

    #[track_caller]
    fn wait(&self, what: &str, is_so: impl Fn(&Ledger) -> bool) {
        let end = Instant::now() + PATIENCE;
        until(what, 2 * PATIENCE, || {
            assert!(!self.has_failed.load(Ordering::Relaxed), "a client has met a fault, see above");
            let ledger = self.ledger();
            assert!(Instant::now() < end, "not within {PATIENCE:?}: {what}: {:?}", ledger.counts);
            is_so(&ledger)
        });
    }

    pub fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed) || self.has_failed.load(Ordering::Relaxed)
    }

    pub fn client(&self, at: usize) -> &Client {
        &self.replicas[at].client
    }

    /// The answer when it is a success, and `None` when the service was away; anything else is a fault.
    #[track_caller]
    pub fn ask<E: Display>(&self, at: usize, ask: Ask, send: impl FnOnce() -> Result<Answer, E>) -> Option<Answer> {
        let start = Instant::now();
        let attempt = send();
        let took = start.elapsed();
        let answer = match attempt {
            Ok(answer) => answer,
            Err(fault) => {
                assert!(self.replicas[at].is_doomed.load(Ordering::Relaxed), "{ask:?} at replica {at}: {fault}");
                return None;
            }
        };
        assert!(took <= LONGEST, "{took:?} at replica {at}: {answer}");
        let mut ledger = self.ledger();
        ledger.slowest = ledger.slowest.max(took);
        let count = ledger.counts.entry((at, ask)).or_default();
        if answer.status == 503 {
            count.away += 1;
            drop(ledger);
            expect_away(answer, ask);
            return None;
        }
        count.done += 1;
        drop(ledger);
        Some(answer.expect(ask.success()))
    }

    /// One client after another at one replica, until the end of the load or of the replica.
    fn visit(&self, at: usize, number: usize, actor: &Actor) {
        let mut post_url = actor.write_post("The first");
        // An account of its own: many log-ins end the oldest sessions, and the visitor goes on with one.
        let caller = format!("caller-{number}@example.com");
        self.sign_up(at, &caller);
        for step in number.. {
            if self.is_over() || self.replicas[at].is_doomed.load(Ordering::Relaxed) {
                return;
            }
            let (name, client) = (format!("{number}-{step}"), self.client(at));
            match Ask::OF_VISITORS[(step * 3) % Ask::OF_VISITORS.len()] {
                Ask::SignUp => self.sign_up(at, &format!("guest-{name}@example.com")),
                Ask::Post => post_url = self.write_post(at, actor, &format!("Post {name}")).unwrap_or(post_url),
                Ask::LogIn => {
                    let form = [("username", caller.as_str()), ("password", PASSWORD)];
                    self.ask(at, Ask::LogIn, || client.request("POST", "/login").form(&form).attempt());
                }
                Ask::Rename => {
                    let change = json!({"full_name": format!("Visitor {name}")});
                    self.ask(at, Ask::Rename, || actor.request("PATCH", "/me").json(&change).attempt());
                }
                ask @ Ask::Me => drop(self.ask(at, ask, || actor.request("GET", "/me").attempt())),
                ask @ Ask::Posts => drop(self.ask(at, ask, || client.request("GET", "/posts?limit=5").attempt())),
                ask @ Ask::OnePost => drop(self.ask(at, ask, || client.request("GET", &post_url).attempt())),
                Ask::Refresh => unreachable!("families do"),
            }
        }
    }

    fn sign_up(&self, at: usize, email: &str) {
        let body = json!({"email": email, "password": PASSWORD});
        let send = || self.client(at).request("POST", "/signup").json(&body).attempt();
        if let Some(answer) = self.ask(at, Ask::SignUp, send) {
            let id = answer.json()["id"].as_i64().expect("an id");
            let other = self.ledger().accounts.insert(id, email.to_owned());
            assert_eq!(other, None, "the id {id} of {email} was given out twice");
        }
    }

    fn write_post(&self, at: usize, actor: &Actor, title: &str) -> Option<String> {
        let body = json!({"title": title, "content": "text"});
        let answer = self.ask(at, Ask::Post, || actor.request("POST", "/posts").json(&body).attempt())?;
        let id = answer.json()["id"].as_i64().expect("an id");
        let other = self.ledger().posts.insert(id, title.to_owned());
        assert_eq!(other, None, "the id {id} of {title} was given out twice");
        Some(answer.need("location").to_owned())
    }
}

/// 503 as the contract has it: when to come again, and a body of the endpoint's kind.
#[track_caller]
fn expect_away(answer: Answer, ask: Ask) {
    let seconds: u64 = answer.need("retry-after").parse().unwrap_or_else(|_| panic!("seconds: {answer}"));
    assert!((1..=60).contains(&seconds), "{answer}");
    if ask.is_oauth() {
        answer.expect_oauth_error(503, "temporarily_unavailable");
    } else {
        answer.expect_error(503);
    }
}
