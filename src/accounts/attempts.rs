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

/// Whose failures are counted together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Counted {
    /// One account from one address: guessing elsewhere never locks out its owner.
    Account(String, IpAddr),
    /// All from one address.
    Address(IpAddr),
}

#[derive(Debug)]
struct Window {
    started: Timestamp,
    failures: u32,
    last: (u64, Timestamp),
}

/// The failures of the present window.
pub(crate) struct Attempts {
    settings: RateLimitSettings,
    hasher: RandomState,
    windows: Mutex<HashMap<Counted, Window>>,
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

    fn counted(&self) -> impl Iterator<Item = Counted> {
        let account = self.account.clone().map(|account| Counted::Account(account, self.network));
        account.into_iter().chain([Counted::Address(self.network)])
    }
}

impl Attempts {
    pub(crate) fn new(settings: &RateLimitSettings) -> Self {
        Self { settings: settings.clone(), hasher: RandomState::new(), windows: Mutex::default() }
    }

    /// Lets an attempt through, or says when to try again.
    pub(crate) fn admit(&self, attempt: &Attempt, now: Timestamp) -> Result<(), TooMany> {
        if !self.settings.enabled {
            return Ok(());
        }
        let windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        let ends = attempt.counted().filter_map(|counted| {
            let window = windows.get(&counted)?;
            let end = window.started.plus_seconds(self.settings.window_seconds);
            (window.failures >= self.limit(&counted) && end > now).then_some(end)
        });
        match ends.max() {
            Some(end) => Err(TooMany { retry_after_seconds: seconds_between(now, end) }),
            None => Ok(()),
        }
    }

    /// Counts a failed attempt.
    pub(crate) fn failed(&self, attempt: &Attempt, now: Timestamp) {
        if !self.settings.enabled {
            return;
        }
        let guess = self.hasher.hash_one((&attempt.account, &attempt.password));
        let window_seconds = self.settings.window_seconds;
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        if windows.len() >= SWEEP_AT {
            windows.retain(|_, window| window.started.plus_seconds(window_seconds) > now);
        }
        for counted in attempt.counted() {
            let fresh = || Window { started: now, failures: 0, last: (guess, now.minus_seconds(REPEAT_SECONDS + 1)) };
            let window = windows.entry(counted).or_insert_with(fresh);
            if window.started.plus_seconds(window_seconds) <= now {
                *window = fresh();
            }
            let (last_guess, at) = window.last;
            let is_repeated = attempt.account.is_some() && last_guess == guess && at.plus_seconds(REPEAT_SECONDS) > now;
            if !is_repeated {
                window.failures += 1;
            }
            window.last = (guess, now);
        }
    }

    /// Forgets the failures at an account from where its owner has just logged in. Those of the address stay: or whoever
    /// has one account could guess at all the others without end.
    pub(crate) fn succeeded(&self, attempt: &Attempt) {
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        for counted in attempt.counted().filter(|counted| matches!(counted, Counted::Account(..))) {
            windows.remove(&counted);
        }
    }

    fn limit(&self, counted: &Counted) -> u32 {
        match counted {
            Counted::Account(..) => self.settings.account_failures,
            Counted::Address(_) => self.settings.address_failures,
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

    #[test]
    fn an_account_is_closed_to_the_address_that_guesses_and_open_to_others() {
        let (attempts, now) = (attempts(), Timestamp::now());
        for password in ["a", "b", "c"] {
            assert_eq!(attempts.admit(&guess("ada", password, HERE), now), Ok(()));
            attempts.failed(&guess("ada", password, HERE), now);
        }
        assert_eq!(attempts.admit(&guess("ada", "d", HERE), now), Err(TooMany { retry_after_seconds: 60 }));
        assert_eq!(attempts.admit(&guess("ada", "d", ELSEWHERE), now), Ok(()));
        assert_eq!(attempts.admit(&guess("bob", "d", HERE), now), Ok(()));
        assert_eq!(attempts.admit(&guess("ada", "d", HERE), now.plus_seconds(60)), Ok(()));
    }

    #[test]
    fn an_address_that_walks_through_accounts_is_closed() {
        let (attempts, now) = (attempts(), Timestamp::now());
        for account in ["a", "b", "c", "d", "e"] {
            attempts.failed(&guess(account, "password", HERE), now);
        }
        assert!(attempts.admit(&guess("f", "password", HERE), now).is_err());
    }

    #[test]
    fn the_same_wrong_password_again_counts_once() {
        let (attempts, now) = (attempts(), Timestamp::now());
        for _ in 0..20 {
            attempts.failed(&guess("ada", "a", HERE), now);
        }
        assert_eq!(attempts.admit(&guess("ada", "a", HERE), now), Ok(()));
    }

    #[test]
    fn a_good_log_in_resets() {
        let (attempts, now) = (attempts(), Timestamp::now());
        for password in ["a", "b", "c"] {
            attempts.failed(&guess("ada", password, HERE), now);
        }
        attempts.succeeded(&guess("ada", "right", HERE));
        assert_eq!(attempts.admit(&guess("ada", "d", HERE), now), Ok(()));
    }

    #[test]
    fn an_ipv6_subscriber_is_one_address() {
        let (attempts, now) = (attempts(), Timestamp::now());
        for password in ["a", "b", "c"] {
            attempts.failed(&guess("ada", password, "2001:db8::1"), now);
        }
        assert!(attempts.admit(&guess("ada", "d", "2001:db8::ffff:2"), now).is_err());
        assert!(attempts.admit(&guess("ada", "d", "2001:db8:0:1::1"), now).is_ok());
    }
}
