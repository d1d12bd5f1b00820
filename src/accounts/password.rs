//! Hashing passwords with bcrypt, in a bounded place of its own: never on an async worker, never while a database
//! connection is held. The only file that knows `bcrypt`.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use secrecy::{ExposeSecret, SecretString};
use tokio::sync::oneshot;

use super::model::NewPassword;
use crate::config::PasswordSettings;

/// bcrypt looks at no more than this.
const MAX_BYTES: usize = 72;

/// More passwords wait to be hashed than the queue takes.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the queue for password work is full")]
pub struct Busy;

/// How a password compared with a hash.
#[derive(Debug)]
pub(crate) enum Verified {
    /// It is the right one. A hash of another cost than the configured one should be replaced by the renewed one.
    Right { renewed_hash: Option<String> },
    /// It is not, or there is no such account.
    Wrong,
}

type Job = Box<dyn FnOnce() + Send>;

/// The threads that hash, and the queue in front of them.
pub(crate) struct Passwords {
    jobs: SyncSender<Job>,
    cost: u32,
    /// What a password for an unknown account is compared with: a hash of the configured cost that nothing matches.
    dummy_hash: Arc<str>,
}

impl Passwords {
    /// Starts the threads.
    ///
    /// # Errors
    /// When a thread cannot be started.
    pub(crate) fn start(settings: &PasswordSettings) -> std::io::Result<Self> {
        let (jobs, waiting) = sync_channel(settings.queue_length);
        let waiting = Arc::new(Mutex::new(waiting));
        for number in 0..settings.hash_threads {
            let waiting = Arc::clone(&waiting);
            std::thread::Builder::new().name(format!("keyfob-hash-{number}")).spawn(move || work(&waiting))?;
        }
        let cost = settings.bcrypt_cost;
        Ok(Self { jobs, cost, dummy_hash: dummy_hash(cost).into() })
    }

    /// The hash to keep of a new password.
    pub(crate) async fn hash(&self, password: NewPassword) -> Result<String, Busy> {
        let cost = self.cost;
        self.run(move || hash(password.expose().expose_secret(), cost)).await?.ok_or(Busy)
    }

    /// Compares a password with the hash of an account, or with a dummy where there is no account: the same work.
    pub(crate) async fn verify(&self, password: SecretString, account_hash: Option<String>) -> Result<Verified, Busy> {
        let (cost, dummy) = (self.cost, Arc::clone(&self.dummy_hash));
        self.run(move || {
            let password = password.expose_secret();
            match account_hash {
                Some(kept) if is_right(password, &kept, cost) => {
                    let renewed_hash = if cost_of(&kept) == Some(cost) { None } else { hash(password, cost) };
                    Verified::Right { renewed_hash }
                }
                Some(_) => Verified::Wrong,
                None => {
                    is_right(password, &dummy, cost);
                    Verified::Wrong
                }
            }
        })
        .await
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Busy> {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move || {
            // A client that hung up is not hashed for.
            if !answer.is_closed() {
                let _ = answer.send(work());
            }
        });
        self.jobs.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) | TrySendError::Disconnected(_) => Busy,
        })?;
        answered.await.map_err(|_| Busy)
    }
}

fn work(waiting: &Mutex<Receiver<Job>>) {
    loop {
        let job = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match job {
            Ok(job) => job(),
            Err(_) => return,
        }
    }
}

fn hash(password: &str, cost: u32) -> Option<String> {
    // The length was checked when the password was parsed, so nothing is cut (bcrypt 0.19 does so silently).
    bcrypt::hash(password, cost).inspect_err(|error| tracing::error!(cause = %error, "bcrypt failed")).ok()
}

/// A password that is too long for bcrypt is compared all the same, cut, and then wrong: the work does not tell.
fn is_right(password: &str, kept: &str, cost: u32) -> bool {
    let fits = password.len() <= MAX_BYTES;
    let is_right = bcrypt::verify(password, kept).unwrap_or(false) && fits;
    if !is_right {
        make_up_for_cheaper(password, kept, cost);
    }
    is_right
}

/// A hash of a lower cost answers sooner than the dummy, which would betray that the account exists. Costs c, c+1, ...
/// up to the configured one less one, added to the comparison at c, are together as much work as the configured cost.
fn make_up_for_cheaper(password: &str, kept: &str, cost: u32) {
    let cheaper = cost_of(kept).unwrap_or(cost);
    for missing in cheaper..cost {
        let _ = bcrypt::hash(password, missing);
    }
}

/// The cost in a bcrypt hash: `$2b$12$...`.
fn cost_of(hash: &str) -> Option<u32> {
    hash.split('$').nth(2)?.parse().ok()
}

/// A hash in its usual form whose digest is no password's that anybody knows.
fn dummy_hash(cost: u32) -> String {
    let random: String = std::iter::repeat_with(fastrand::alphanumeric).take(53).collect();
    // The last characters of salt and digest hold fewer bits than six: these are canonical.
    let (salt, digest) = random.split_at(21);
    format!("$2b${cost:02}${salt}e{}e", digest.get(..30).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passwords(cost: u32) -> Passwords {
        let settings = PasswordSettings { bcrypt_cost: cost, hash_threads: 1, queue_length: 4 };
        Passwords::start(&settings).expect("threads")
    }

    #[actix_web::test]
    async fn the_right_password_is_told_from_a_wrong_one() {
        let passwords = passwords(4);
        let hash = passwords.hash(NewPassword::parse("lantern-quartz").expect("fit")).await.expect("hash");
        let right = passwords.verify("lantern-quartz".into(), Some(hash.clone())).await.expect("verified");
        assert!(matches!(right, Verified::Right { renewed_hash: None }));
        let wrong = passwords.verify("lantern-Quartz".into(), Some(hash)).await.expect("verified");
        assert!(matches!(wrong, Verified::Wrong));
    }

    #[actix_web::test]
    async fn a_hash_of_another_cost_is_renewed() {
        let kept = hash("lantern-quartz", 4).expect("hash");
        let verified = passwords(5).verify("lantern-quartz".into(), Some(kept)).await.expect("verified");
        let Verified::Right { renewed_hash: Some(renewed) } = verified else { panic!("{verified:?}") };
        assert_eq!(cost_of(&renewed), Some(5));
        assert!(is_right("lantern-quartz", &renewed, 5));
    }

    #[test]
    fn the_dummy_hash_is_a_whole_hash_of_that_cost() {
        let dummy = dummy_hash(4);
        assert_eq!((dummy.len(), cost_of(&dummy)), (60, Some(4)));
        assert!(!bcrypt::verify("anything", &dummy).expect("bcrypt takes it"));
    }

    #[test]
    fn what_bcrypt_would_cut_is_wrong() {
        let kept = hash(&"x".repeat(72), 4).expect("hash");
        assert!(is_right(&"x".repeat(72), &kept, 4));
        assert!(!is_right(&"x".repeat(73), &kept, 4));
    }
}
