//! Hashing passwords with bcrypt, in a bounded place of its own: never on an async worker, never while a database
//! connection is held. The only file that knows `bcrypt`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use secrecy::{ExposeSecret, SecretString};

use super::hashes::{BcryptHash, KeptHash};
use super::model::NewPassword;
use super::queue::{Busy, Queue};
use crate::config::PasswordSettings;

/// How often a password is compared for one request at the most, where its hash is replaced each time meanwhile.
pub(crate) const MAX_COMPARISONS: u32 = 3;
/// bcrypt looks at no more than this.
const MAX_BYTES: usize = 72;

/// How a password compared with a hash.
#[derive(Debug)]
pub(crate) enum Verified {
    /// It is the right one. A hash of another cost than the configured one, or of another program, should be replaced by
    /// the renewed one.
    Right { renewed_hash: Option<String> },
    /// It is not, or there is no such account.
    Wrong,
}

/// The threads that hash, and the queue in front of them.
pub(crate) struct Passwords {
    queue: Queue,
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
        let max_wait = Duration::from_secs(settings.max_wait_seconds);
        let queue = Queue::start(settings.hash_threads, settings.queue_length, max_wait)?;
        let cost = settings.bcrypt_cost;
        Ok(Self { queue, cost, dummy_hash: dummy_hash(cost).into() })
    }

    /// Has the queue watched from now on.
    pub(crate) fn watch(&self, queue: crate::metrics::Queue) {
        self.queue.watch(queue);
    }

    /// The hash to keep of a new password.
    pub(crate) async fn hash(&self, password: NewPassword) -> Result<String, Busy> {
        let cost = self.cost;
        let hashed = self.queue.run(move || hash(password.expose().expose_secret(), cost)).await?;
        hashed.ok_or(Busy { retry_after_seconds: 1 })
    }

    /// Compares a password with the hash of an account, or with a dummy where there is no account: the same work.
    pub(crate) async fn verify(&self, password: SecretString, account_hash: Option<String>) -> Result<Verified, Busy> {
        let (cost, dummy) = (self.cost, Arc::clone(&self.dummy_hash));
        let compare = move || {
            let password = password.expose_secret();
            match account_hash.map(|hash| KeptHash::parse(&hash)) {
                Some(Ok(kept)) if is_right(password, &kept, cost) => {
                    let renewed_hash = if is_to_renew(&kept, password, cost) { hash(password, cost) } else { None };
                    Verified::Right { renewed_hash }
                }
                Some(Ok(_)) => Verified::Wrong,
                unreadable => {
                    if let Some(Err(fault)) = unreadable {
                        tracing::error!(cause = %fault, "an account's password hash is unreadable");
                    }
                    let _ = bcrypt::verify(password, &dummy);
                    Verified::Wrong
                }
            }
        };
        self.queue.run(compare).await
    }
}

fn hash(password: &str, cost: u32) -> Option<String> {
    // The length was checked when the password was parsed, so nothing is cut (bcrypt 0.19 does so silently).
    bcrypt::hash(password, cost).inspect_err(|error| tracing::error!(cause = %error, "bcrypt failed")).ok()
}

fn is_right(password: &str, kept: &KeptHash, cost: u32) -> bool {
    match kept {
        KeptHash::Bcrypt(kept) => is_right_bcrypt(password, kept, cost),
        KeptHash::Other(kept) => {
            // A stopwatch, not the time of day.
            let begin = Instant::now();
            let is_right = kept.is_right(password);
            if !is_right {
                make_up_for_sooner(password, begin.elapsed(), cost);
            }
            is_right
        }
    }
}

/// A password that is too long for bcrypt is compared all the same, cut, and then wrong: the work does not tell.
fn is_right_bcrypt(password: &str, kept: &BcryptHash, cost: u32) -> bool {
    let input = kept.prepare(password);
    let fits = input.len() <= MAX_BYTES;
    let is_right = bcrypt::verify(&input, &kept.canonical).unwrap_or(false) && fits;
    if !is_right {
        make_up_for_cheaper(password, kept.cost, cost);
    }
    is_right
}

/// A hash of a lower cost answers sooner than the dummy, which would betray that the account exists. Costs c, c+1, ...
/// up to the configured one less one, added to the comparison at c, are together as much work as the configured cost.
fn make_up_for_cheaper(password: &str, cheaper: u32, cost: u32) {
    for missing in cheaper..cost {
        let _ = bcrypt::hash(password, missing);
    }
}

/// The same for a hash that is not bcrypt, whose work is only known by the time it took: bcrypt's work at the configured
/// cost is done in parts, until those that are left would take no longer than the hash did.
fn make_up_for_sooner(password: &str, spent: Duration, cost: u32) {
    let part_cost = cost.saturating_sub(4).max(4);
    let parts = 1 << cost.saturating_sub(part_cost);
    let begin = Instant::now();
    for done in 1..=parts {
        let _ = bcrypt::hash(password, part_cost);
        if spent * done >= begin.elapsed() * (parts - done) {
            return;
        }
    }
}

/// Whether a password that was just found right should be hashed anew: not if bcrypt would cut it.
fn is_to_renew(kept: &KeptHash, password: &str, cost: u32) -> bool {
    let is_up_to_date = matches!(kept, KeptHash::Bcrypt(hash) if hash.is_as_ours && hash.cost == cost);
    !is_up_to_date && password.len() <= MAX_BYTES
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

    /// A text in each format, made by the programs that accounts come from.
    const FOREIGN: &str = include_str!("foreign_hashes.txt");

    fn passwords(cost: u32) -> Passwords {
        let settings = PasswordSettings { bcrypt_cost: cost, hash_threads: 1, queue_length: 4, max_wait_seconds: 60 };
        Passwords::start(&settings).expect("threads")
    }

    fn kept(hash: &str) -> KeptHash {
        KeptHash::parse(hash).unwrap_or_else(|fault| panic!("{hash}: {fault}"))
    }

    fn cost_of(hash: &str) -> Option<u32> {
        match KeptHash::parse(hash) {
            Ok(KeptHash::Bcrypt(hash)) if hash.is_as_ours => Some(hash.cost),
            _ => None,
        }
    }

    /// Maker, password, hash.
    fn foreign() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
        let lines = FOREIGN.lines().filter(|line| !line.starts_with('#'));
        lines.map(|line| {
            let mut fields = line.split('\t');
            let mut next = || fields.next().expect("three fields");
            (next(), next(), next())
        })
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
        let old = hash("lantern-quartz", 4).expect("hash");
        let verified = passwords(5).verify("lantern-quartz".into(), Some(old)).await.expect("verified");
        let Verified::Right { renewed_hash: Some(renewed) } = verified else { panic!("{verified:?}") };
        assert_eq!(cost_of(&renewed), Some(5));
        assert!(is_right("lantern-quartz", &kept(&renewed), 5));
    }

    #[actix_web::test]
    async fn foreign_hashes_are_right_for_their_password_only_and_renewed() {
        let passwords = passwords(4);
        let mut makers = std::collections::BTreeSet::new();
        for (maker, password, hash) in foreign() {
            makers.insert(maker);
            let right = passwords.verify(password.into(), Some(hash.into())).await.expect("verified");
            let Verified::Right { renewed_hash } = right else { panic!("{maker} {password}") };
            let is_kept = password.len() > MAX_BYTES || cost_of(hash) == Some(4);
            assert_eq!(renewed_hash.is_none(), is_kept, "{maker} {password}");
            if let Some(renewed) = renewed_hash {
                assert!(cost_of(&renewed) == Some(4) && is_right(password, &kept(&renewed), 4), "{maker} {password}");
            }
            for wrong in [&format!("{password}x"), password.get(1..).expect("ASCII first"), "", "another password"] {
                let wrong = passwords.verify(wrong.into(), Some(hash.into())).await.expect("verified");
                assert!(matches!(wrong, Verified::Wrong), "{maker} {password}");
            }
        }
        assert!(makers.len() >= 10, "{makers:?}");
    }

    #[test]
    fn stray_bits_in_a_bcrypt_hash_do_not_matter() {
        let hash = "$2b$04$Fz3WHKg9WUUKG7dwkyNCk.6AuQU3J9R73xG7urDmAi/tXHVwWl0em";
        let stray = hash.replace("Ck.6A", "Ck/6A").replace("0em", "0en");
        assert!(stray != hash && is_right("correct-Horse 7", &kept(&stray), 4));
        assert!(!is_right("correct-Horse 8", &kept(&stray), 4));
    }

    #[actix_web::test]
    async fn a_wrong_password_takes_no_less_time_with_a_foreign_hash_than_without_an_account() {
        let passwords = passwords(10);
        let hashes = foreign().filter(|(maker, ..)| maker.contains("pbkdf2") || maker.contains("argon2"));
        for (maker, _, hash) in hashes.take(2) {
            let (mut with, mut without) = (Duration::MAX, Duration::MAX);
            // The least of some runs is what the work takes on a machine that does other things as well.
            for _ in 0..5 {
                let begin = Instant::now();
                passwords.verify("a wrong one".into(), Some(hash.into())).await.expect("verified");
                with = with.min(begin.elapsed());
                let begin = Instant::now();
                passwords.verify("a wrong one".into(), None).await.expect("verified");
                without = without.min(begin.elapsed());
            }
            assert!(with > without / 3, "{maker}: {with:?}, without an account {without:?}");
        }
    }

    #[actix_web::test]
    async fn an_unreadable_hash_is_nobodys() {
        for hash in ["", "nonsense", "$2b$04$short"] {
            let verified = passwords(4).verify("lantern-quartz".into(), Some(hash.into())).await.expect("verified");
            assert!(matches!(verified, Verified::Wrong));
        }
    }

    #[test]
    fn the_dummy_hash_is_a_whole_hash_of_that_cost() {
        let dummy = dummy_hash(4);
        assert_eq!((dummy.len(), cost_of(&dummy)), (60, Some(4)));
        assert!(!bcrypt::verify("anything", &dummy).expect("bcrypt takes it"));
    }

    /// The least of some runs is what the work takes. A comparison that was left out would take no thousandth of the other.
    #[actix_web::test]
    async fn without_an_account_the_work_is_that_of_a_wrong_password() {
        let passwords = passwords(10);
        let kept = passwords.hash(NewPassword::parse("lantern-quartz").expect("fit")).await.expect("hash");
        let (mut with, mut without) = (Duration::MAX, Duration::MAX);
        for _ in 0..5 {
            for (least, hash) in [(&mut with, Some(kept.clone())), (&mut without, None)] {
                let begin = Instant::now();
                passwords.verify("a wrong one".into(), hash).await.expect("verified");
                *least = begin.elapsed().min(*least);
            }
        }
        assert!(without > with / 10, "{with:?}, without an account {without:?}");
    }

    #[test]
    fn what_bcrypt_would_cut_is_wrong() {
        let hash = hash(&"x".repeat(72), 4).expect("hash");
        assert!(is_right(&"x".repeat(72), &kept(&hash), 4));
        assert!(!is_right(&"x".repeat(73), &kept(&hash), 4));
    }
}
