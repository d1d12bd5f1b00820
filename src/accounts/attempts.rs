//! How many failed attempts are let through, by account and by address. Decided before anything is looked up.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};

use crate::config::RateLimitSettings;
use crate::db::Timestamp;
use crate::error::ApiError;
use crate::tokens::OAuthError;

/// The same wrong password again within this time is one attempt: clients repeat a failed log-in by themselves.
const REPEAT_SECONDS: u64 = 5;
/// From so many counters on, those whose window is over are thrown out.
const SWEEP_AT: usize = 10_000;

/// Try again later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooMany {
    /// Seconds until the next attempt is let through.
    pub retry_after_seconds: u64,
}

/// One attempt: whose account, from where, and with what (only a keyed hash of it is kept, in memory).
#[derive(Debug)]
pub(crate) struct Attempt {
    account: Option<String>,
    password: String,
    network: IpAddr,
}

/// Whose failures are counted together. Accounts are kept as keyed hashes: names may be long, and are nobody's business.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Counted {
    /// One account from one address: guessing elsewhere never locks out its owner.
    Account(u64, IpAddr),
    /// All from one address.
    Address(IpAddr),
}

#[derive(Debug)]
struct Window {
    started: Timestamp,
    failures: u32,
    last: (u64, Timestamp),
}

/// An attempt that was let through. It counts as failed, so that many at once are no way around the limit, until it
/// turns out otherwise.
#[must_use = "an attempt that succeeded, or was not decided, must be taken back"]
#[derive(Debug)]
pub(crate) struct Begun(Vec<Counted>);

/// The failures of the present window.
pub(crate) struct Attempts {
    settings: RateLimitSettings,
    hasher: RandomState,
    windows: Mutex<Windows>,
}

#[derive(Default)]
struct Windows {
    by: HashMap<Counted, Window>,
    sweep_at: usize,
}

impl Attempt {
    /// At an account, with a password.
    pub(crate) fn on_account(account_key: &str, password: &str, address: IpAddr) -> Self {
        Self { account: Some(account_key.to_owned()), password: password.to_owned(), network: network(address) }
    }

    /// At what is not one account, such as a sign-up.
    pub(crate) fn from_address(address: IpAddr) -> Self {
        Self { account: None, password: String::new(), network: network(address) }
    }
}

impl Attempts {
    pub(crate) fn new(settings: &RateLimitSettings) -> Self {
        Self { settings: settings.clone(), hasher: RandomState::new(), windows: Mutex::default() }
    }

    /// Lets an attempt through and counts it as failed for the time being, or says when to try again.
    pub(crate) fn begin(&self, attempt: &Attempt, now: Timestamp) -> Result<Begun, TooMany> {
        if !self.settings.enabled {
            return Ok(Begun(Vec::new()));
        }
        let counted = self.counted(attempt);
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        let closed = counted.iter().filter_map(|by| {
            let window = windows.by.get(by)?;
            let end = window.started.plus_seconds(self.settings.window_seconds);
            (window.failures >= self.limit(by) && end > now).then_some(end)
        });
        if let Some(end) = closed.max() {
            return Err(TooMany { retry_after_seconds: seconds_between(now, end) });
        }
        windows.sweep(self.settings.window_seconds, now);
        let guess = self.hasher.hash_one((&attempt.account, &attempt.password));
        let (is_guess, seconds) = (attempt.account.is_some(), self.settings.window_seconds);
        let newly = counted.into_iter().filter(|by| windows.count(*by, guess, is_guess, seconds, now));
        Ok(Begun(newly.collect()))
    }

    /// The password was right: the failures at the account from there are forgotten. Those of the address stay, or whoever
    /// has one account could guess at all the others without end.
    pub(crate) fn succeeded(&self, attempt: &Attempt, begun: Begun) {
        let counted = self.counted(attempt);
        self.undecided(begun);
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        for by in counted.iter().filter(|by| matches!(by, Counted::Account(..))) {
            windows.by.remove(by);
        }
    }

    /// It was neither right nor wrong (the service was busy, or it was no guess): it does not count.
    pub(crate) fn undecided(&self, begun: Begun) {
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        for by in begun.0 {
            if let Some(window) = windows.by.get_mut(&by) {
                window.failures = window.failures.saturating_sub(1);
            }
        }
    }

    fn counted(&self, attempt: &Attempt) -> Vec<Counted> {
        let account = attempt.account.as_ref().map(|account| self.hasher.hash_one(account));
        let account = account.map(|account| Counted::Account(account, attempt.network));
        account.into_iter().chain([Counted::Address(attempt.network)]).collect()
    }

    fn limit(&self, counted: &Counted) -> u32 {
        match counted {
            Counted::Account(..) => self.settings.account_failures,
            Counted::Address(_) => self.settings.address_failures,
        }
    }
}

impl Windows {
    /// Counts a failure, unless it is the same wrong password again; whether it counted.
    fn count(&mut self, by: Counted, guess: u64, is_guess: bool, window_seconds: u64, now: Timestamp) -> bool {
        let fresh = || Window { started: now, failures: 0, last: (guess, now.minus_seconds(REPEAT_SECONDS + 1)) };
        let window = self.by.entry(by).or_insert_with(fresh);
        if window.started.plus_seconds(window_seconds) <= now {
            *window = fresh();
        }
        let (last_guess, at) = window.last;
        let is_repeated = is_guess && last_guess == guess && at.plus_seconds(REPEAT_SECONDS) > now;
        window.last = (guess, now);
        if !is_repeated {
            window.failures += 1;
        }
        !is_repeated
    }

    /// Throws out what is over, when there is much; then waits until there is twice as much.
    fn sweep(&mut self, window_seconds: u64, now: Timestamp) {
        if self.by.len() >= self.sweep_at.max(SWEEP_AT) {
            self.by.retain(|_, window| window.started.plus_seconds(window_seconds) > now);
            self.sweep_at = self.by.len() * 2;
        }
    }
}

impl From<TooMany> for OAuthError {
    fn from(TooMany { retry_after_seconds }: TooMany) -> Self {
        Self::SlowDown { retry_after_seconds }
    }
}

impl From<TooMany> for ApiError {
    fn from(TooMany { retry_after_seconds }: TooMany) -> Self {
        Self::TooManyAttempts { retry_after_seconds }
    }
}

/// Who counts as one: an IPv4 address, or the /64 of an IPv6 one, which is a single subscriber's.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
    }
}

fn seconds_between(from: Timestamp, to: Timestamp) -> u64 {
    let millis = u64::try_from(to.millis() - from.millis()).unwrap_or_default();
    millis.div_ceil(1000).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: &str = "192.0.2.1";
    const ELSEWHERE: &str = "192.0.2.2";

    fn attempts() -> Attempts {
        let settings =
            RateLimitSettings { enabled: true, account_failures: 3, address_failures: 5, window_seconds: 60 };
        Attempts::new(&settings)
    }

    fn guess(account: &str, password: &str, address: &str) -> Attempt {
        Attempt::on_account(account, password, address.parse().expect("address"))
    }

    /// Whether the attempt is let through; it fails then.
    fn fails(attempts: &Attempts, attempt: &Attempt, now: Timestamp) -> Result<(), TooMany> {
        attempts.begin(attempt, now).map(drop)
    }

    #[test]
    fn an_account_is_closed_to_the_address_that_guesses_and_open_to_others() {
        let (attempts, now) = (attempts(), Timestamp::now());
        for password in ["a", "b", "c"] {
            assert_eq!(fails(&attempts, &guess("ada", password, HERE), now), Ok(()));
        }
        assert_eq!(fails(&attempts, &guess("ada", "d", HERE), now), Err(TooMany { retry_after_seconds: 60 }));
        assert_eq!(fails(&attempts, &guess("ada", "d", ELSEWHERE), now), Ok(()));
        assert_eq!(fails(&attempts, &guess("bob", "d", HERE), now), Ok(()));
        assert_eq!(fails(&attempts, &guess("ada", "d", HERE), now.plus_seconds(60)), Ok(()));
    }

    #[test]
    fn an_address_that_walks_through_accounts_is_closed() {
        let (attempts, now) = (attempts(), Timestamp::now());
        for account in ["a", "b", "c", "d", "e"] {
            assert_eq!(fails(&attempts, &guess(account, "password", HERE), now), Ok(()));
        }
        assert!(fails(&attempts, &guess("f", "password", HERE), now).is_err());
    }

    #[test]
    fn the_same_wrong_password_again_counts_once() {
        let (attempts, now) = (attempts(), Timestamp::now());
        for _ in 0..20 {
            assert_eq!(fails(&attempts, &guess("ada", "a", HERE), now), Ok(()));
        }
    }

    #[test]
    fn a_good_log_in_resets_the_account_and_does_not_count() {
        let (attempts, now) = (attempts(), Timestamp::now());
        for password in ["a", "b"] {
            assert_eq!(fails(&attempts, &guess("ada", password, HERE), now), Ok(()));
        }
        let right = guess("ada", "right", HERE);
        let begun = attempts.begin(&right, now).expect("let through");
        attempts.succeeded(&right, begun);
        for password in ["c", "d", "e"] {
            assert_eq!(fails(&attempts, &guess("ada", password, HERE), now), Ok(()));
        }
        assert!(fails(&attempts, &guess("bob", "f", HERE), now).is_err(), "five have failed from there");
    }

    #[test]
    fn many_at_once_are_no_way_around_the_limit() {
        let (attempts, now) = (attempts(), Timestamp::now());
        let passwords = ["a", "b", "c", "d"].map(|password| guess("ada", password, HERE));
        let begun: Vec<_> = passwords.iter().map(|attempt| attempts.begin(attempt, now)).collect();
        assert_eq!(begun.iter().filter(|begun| begun.is_ok()).count(), 3);
        begun.into_iter().flatten().for_each(|begun| attempts.undecided(begun));
        assert_eq!(fails(&attempts, &guess("ada", "e", HERE), now), Ok(()));
    }

    #[test]
    fn an_ipv6_subscriber_is_one_address() {
        let (attempts, now) = (attempts(), Timestamp::now());
        for password in ["a", "b", "c"] {
            assert_eq!(fails(&attempts, &guess("ada", password, "2001:db8::1"), now), Ok(()));
        }
        assert!(fails(&attempts, &guess("ada", "d", "2001:db8::ffff:2"), now).is_err());
        assert!(fails(&attempts, &guess("ada", "d", "2001:db8:0:1::1"), now).is_ok());
    }
}
