//! Compares and hashes passwords on a bounded set of threads: never on an async worker, and never while holding a
//! database connection.

mod choice;
mod compare;
pub(crate) mod formats;
mod policy;
mod queue;
mod work;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;

use crate::config::PasswordSettings;
use crate::metrics;
use choice::Rules;
pub(crate) use choice::{ChosenPassword, NotHashed};
use compare::{Comparer, PasswordTask};
use formats::KeptHash;
pub(crate) use formats::NO_PASSWORD;
pub(crate) use policy::NewPassword;
pub(crate) use queue::Busy;
use queue::Queue;

/// Maximum comparisons of a password for one request, if its hash is replaced each time meanwhile.
pub(crate) const MAX_COMPARISONS: u32 = 3;

/// The result of a comparison.
#[derive(Debug)]
pub(crate) enum Verified {
    /// The password is right. The renewed hash should replace one of another cost than the configured one, of another
    /// program, or of a form other than NFC.
    Right { renewed_hash: Option<String> },
    /// The password is wrong, or there is no such account.
    Wrong,
}

/// The hashing threads and the queue in front of them.
pub(crate) struct Passwords {
    queue: Queue<PasswordTask>,
    comparer: Arc<Comparer>,
    rules: Arc<Rules>,
}

impl Passwords {
    /// Starts the threads. `service` is the URL of the service, whose name is no password.
    ///
    /// # Errors
    /// When the list of breached passwords cannot be used, or a thread cannot be started.
    pub(crate) fn start(settings: &PasswordSettings, service: &str) -> std::io::Result<Self> {
        let rules = Arc::new(Rules::new(settings, service)?);
        let max_wait = Duration::from_secs(settings.max_wait_seconds);
        let queue = Queue::start(settings.hash_threads, settings.queue_length, max_wait)?;
        Ok(Self { queue, comparer: Arc::new(Comparer::new(settings.bcrypt_cost)), rules })
    }

    /// Whether all threads work.
    pub(crate) fn is_alive(&self) -> bool {
        self.queue.is_alive()
    }

    /// As if the threads had died.
    #[cfg(test)]
    pub(crate) fn end_threads(&mut self) {
        self.queue.end_threads();
    }

    /// Records metrics of the queue and the work from now on.
    pub(crate) fn watch(&self, queue: metrics::Queue, work: metrics::PasswordWork) {
        self.queue.watch(queue);
        self.comparer.watch(work);
    }

    /// Learns which kinds of hashes the accounts have, from one of each, so that a comparison with any of them, or with
    /// none, takes the same work.
    pub(crate) fn learn_kinds(&self, hashes: &[String]) {
        self.comparer.learn(hashes.iter().filter_map(|hash| KeptHash::parse(hash).ok()).map(|hash| hash.work()));
    }

    /// Hashes a chosen password, unless it breaks a rule; its caller's network waits for its turn.
    ///
    /// # Errors
    /// [`NotHashed`] says why it was not hashed.
    pub(crate) async fn hash(&self, chosen: ChosenPassword, address: IpAddr) -> Result<String, NotHashed> {
        let (comparer, rules) = (Arc::clone(&self.comparer), Arc::clone(&self.rules));
        let outcome = self.queue.run(address, |answer| PasswordTask::hash(comparer, rules, chosen, answer)).await?;
        match outcome.fault {
            Some(fault) => Err(fault),
            None => outcome.hash.ok_or(NotHashed::Busy(Busy { retry_after_seconds: 1 })),
        }
    }

    /// Compares a password with an account's hash, or with none if no account may log in: the work is the same. The
    /// caller's network waits for its turn.
    pub(crate) async fn verify(
        &self,
        password: SecretString,
        account_hash: Option<String>,
        address: IpAddr,
    ) -> Result<Verified, Busy> {
        let comparer = Arc::clone(&self.comparer);
        let task = |answer| PasswordTask::verify(comparer, password, account_hash, answer);
        let outcome = self.queue.run(address, task).await?;
        Ok(match outcome.reading {
            Some(_) => Verified::Right { renewed_hash: outcome.hash },
            None => Verified::Wrong,
        })
    }
}

#[cfg(test)]
mod tests {
    use keyfob_lanes::MAX_BYTES;

    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    /// A hash in each format, made by the programs that accounts come from.
    const FOREIGN: &str = include_str!("foreign_hashes.txt");

    fn passwords(cost: u32) -> Passwords {
        let settings = PasswordSettings {
            min_score: 2,
            breached_file: None,
            bcrypt_cost: cost,
            hash_threads: 1,
            queue_length: 4,
            max_wait_seconds: 60,
        };
        Passwords::start(&settings, "https://id.example.com").expect("threads")
    }

    fn chosen(password: &str) -> ChosenPassword {
        let password = NewPassword::parse(password).expect("fit");
        ChosenPassword::of("mia@example.com", None, password).expect("unlike its owner")
    }

    async fn verified(passwords: &Passwords, password: &str, hash: Option<&str>) -> Verified {
        passwords.verify(password.into(), hash.map(str::to_owned), HERE).await.expect("a place in the queue")
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
        let hash = passwords.hash(chosen("lantern-quartz"), HERE).await.expect("hash");
        let right = verified(&passwords, "lantern-quartz", Some(&hash)).await;
        assert!(matches!(right, Verified::Right { renewed_hash: None }));
        assert!(matches!(verified(&passwords, "lantern-Quartz", Some(&hash)).await, Verified::Wrong));
        assert!(matches!(verified(&passwords, "lantern-quartz", None).await, Verified::Wrong));
    }

    #[actix_web::test]
    async fn a_hash_of_another_cost_is_renewed() {
        let old = passwords(4).hash(chosen("lantern-quartz"), HERE).await.expect("hash");
        let passwords = passwords(5);
        let right = verified(&passwords, "lantern-quartz", Some(&old)).await;
        let Verified::Right { renewed_hash: Some(renewed) } = right else { panic!("{right:?}") };
        assert_eq!(cost_of(&renewed), Some(5));
        let right = verified(&passwords, "lantern-quartz", Some(&renewed)).await;
        assert!(matches!(right, Verified::Right { renewed_hash: None }));
    }

    #[actix_web::test]
    async fn foreign_hashes_are_right_for_their_password_only_and_renewed() {
        let passwords = passwords(4);
        let mut makers = std::collections::BTreeSet::new();
        for (maker, password, hash) in foreign() {
            makers.insert(maker);
            let right = verified(&passwords, password, Some(hash)).await;
            let Verified::Right { renewed_hash } = right else { panic!("{maker} {password}") };
            let is_kept = password.len() > MAX_BYTES || cost_of(hash) == Some(4);
            assert_eq!(renewed_hash.is_none(), is_kept, "{maker} {password}");
            if let Some(renewed) = renewed_hash {
                assert_eq!(cost_of(&renewed), Some(4), "{maker} {password}");
                let right = verified(&passwords, password, Some(&renewed)).await;
                assert!(matches!(right, Verified::Right { .. }), "{maker} {password}");
            }
            for wrong in [&format!("{password}x"), password.get(1..).expect("ASCII first"), "", "another password"] {
                let wrong = verified(&passwords, wrong, Some(hash)).await;
                assert!(matches!(wrong, Verified::Wrong), "{maker} {password}");
            }
        }
        assert!(makers.len() >= 10, "{makers:?}");
    }

    #[actix_web::test]
    async fn an_unreadable_hash_is_nobodys() {
        for hash in ["", "nonsense", "$2b$04$short"] {
            assert!(matches!(verified(&passwords(4), "lantern-quartz", Some(hash)).await, Verified::Wrong));
        }
    }
}
