//! The failures of the current windows, in memory. They alone decide whether an attempt is admitted.

use std::collections::HashMap;

use super::names::{Name, Names};
use super::store::{AttemptRow, CLOCKS_DIFFER_SECONDS};
use crate::config::RateLimitSettings;
use crate::db::Timestamp;

/// The same wrong password repeated within this time of the first is one attempt, up to `FREE_REPEATS` times: clients
/// retry a failed login automatically.
const REPEAT_SECONDS: u64 = 5;
const FREE_REPEATS: u32 = 2;
/// Failures allowed to an unfamiliar address while an account is under distributed attack. One rather than none: the
/// owner may be somewhere new.
const STRANGER_FAILURES: u32 = 1;
/// How long an ended window is remembered, here and in the database, in seconds: one of its states may still be on its
/// way.
pub(super) const KEEP_SECONDS: u64 = 60;
/// From this many windows on, those that are over are removed.
const SWEEP_AT: usize = 10_000;

/// The decision on an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is admitted.
    Open,
    /// As many are under way as may still fail: it waits until one of them is decided.
    Full,
    /// Too many have failed: closed until then.
    Closed(Timestamp),
    /// It depends on whether the account has logged in from that address before.
    Unclear,
}

#[derive(Debug)]
struct Window {
    ends_at: Timestamp,
    failures: u32,
    /// The revision of the row that this was learned from.
    revision: i64,
    /// Attempts that were admitted and are not yet decided.
    in_flight: u32,
    last: Option<Guess>,
    /// Whether the account has logged in from that address before, if it was looked up.
    is_known: Option<bool>,
}

/// The last guess that failed.
#[derive(Debug)]
struct Guess {
    fingerprint: u64,
    /// When it first failed; repeats do not renew this.
    at: Timestamp,
    repeats: u32,
}

pub(super) struct Windows {
    by: HashMap<Name, Window>,
    sweep_at: usize,
    longest_seconds: u64,
}

impl Window {
    fn is_open(&self, longest_seconds: u64, now: Timestamp) -> bool {
        now < self.ends_at && self.ends_at <= now.plus_seconds(longest_seconds)
    }
}

impl Windows {
    /// No windows yet; each will last `window_seconds`.
    pub(super) fn new(window_seconds: u64) -> Self {
        Self { by: HashMap::new(), sweep_at: 0, longest_seconds: window_seconds.saturating_add(CLOCKS_DIFFER_SECONDS) }
    }

    /// Judges an attempt. An admitted one has its place held until it is released.
    pub(super) fn begin(
        &mut self,
        names: &Names,
        limits: &RateLimitSettings,
        is_known: Option<bool>,
        now: Timestamp,
    ) -> Verdict {
        self.sweep(now);
        if let (Some(own), Some(is_known)) = (names.own, is_known) {
            self.window(own, now).is_known = Some(is_known);
        }
        let shared = [(names.address, limits.address_failures), (names.sign_ups, limits.address_signups)];
        let shared = shared.into_iter().filter_map(|(name, limit)| Some((name?, limit)));
        let judged = shared.map(|(name, limit)| self.judge(name, limit, now));
        let judged: Vec<Verdict> = judged.chain(self.judge_own(names, limits, now)).collect();
        let closed_until = judged.iter().filter_map(|verdict| match verdict {
            Verdict::Closed(until) => Some(*until),
            _ => None,
        });
        if let Some(until) = closed_until.max() {
            return Verdict::Closed(until);
        }
        let first = judged.into_iter().find(|verdict| *verdict != Verdict::Open);
        if first.is_none() {
            names.held().for_each(|name| self.window(name, now).in_flight += 1);
        }
        first.unwrap_or(Verdict::Open)
    }

    /// Gives back the places of an attempt.
    pub(super) fn release(&mut self, names: &Names) {
        for name in names.held() {
            if let Some(window) = self.by.get_mut(&name) {
                window.in_flight = window.in_flight.saturating_sub(1);
            }
        }
    }

    /// Whether that guess, which has failed, repeats the last one and does not count. Remembers it.
    pub(super) fn is_free(&mut self, own: Name, fingerprint: u64, now: Timestamp) -> bool {
        let last = &mut self.window(own, now).last;
        match last {
            // A clock that was set back must not extend the five seconds.
            Some(last)
                if last.fingerprint == fingerprint && last.at <= now && now < last.at.plus_seconds(REPEAT_SECONDS) =>
            {
                last.repeats = last.repeats.saturating_add(1);
                last.repeats <= FREE_REPEATS
            }
            _ => {
                *last = Some(Guess { fingerprint, at: now, repeats: 0 });
                false
            }
        }
    }

    /// Notes a right guess, so that the account is known to log in from there. Returns whether there are failures to
    /// forget.
    pub(super) fn is_to_forget(&mut self, own: Name, now: Timestamp) -> bool {
        if let Some(window) = self.by.get_mut(&own) {
            window.is_known = Some(true);
        }
        self.failures(own, now) > 0
    }

    pub(super) fn failures(&self, name: Name, now: Timestamp) -> u32 {
        let window = self.by.get(&name).filter(|window| window.is_open(self.longest_seconds, now));
        window.map_or(0, |window| window.failures)
    }

    /// Counts a failure that could not be written to the database.
    pub(super) fn add(&mut self, name: Name, ends_at: Timestamp, now: Timestamp) {
        let longest_seconds = self.longest_seconds;
        let window = self.window(name, now);
        window.failures = window.failures.saturating_add(1);
        if !window.is_open(longest_seconds, now) {
            window.ends_at = ends_at;
        }
    }

    /// Takes over a state from the database, unless a later one is known.
    pub(super) fn learn(&mut self, row: &AttemptRow, now: Timestamp) {
        let Some(name) = row.name() else { return };
        let is_older =
            |window: &Window| row.revision <= window.revision && window.ends_at.plus_seconds(KEEP_SECONDS) > now;
        if self.by.get(&name).map_or(row.ends_at <= now, is_older) {
            return;
        }
        let window = self.window(name, now);
        window.ends_at = row.ends_at;
        window.failures = u32::try_from(row.failures).unwrap_or(u32::MAX);
        window.revision = row.revision;
    }

    fn judge(&self, name: Name, limit: u32, now: Timestamp) -> Verdict {
        let Some(window) = self.by.get(&name) else { return Verdict::Open };
        let failures = self.failures(name, now);
        if failures >= limit {
            Verdict::Closed(window.ends_at)
        } else if failures.saturating_add(window.in_flight) >= limit {
            Verdict::Full
        } else {
            Verdict::Open
        }
    }

    fn judge_own(&self, names: &Names, limits: &RateLimitSettings, now: Timestamp) -> Option<Verdict> {
        let own = names.own?;
        let usual = self.judge(own, limits.account_failures, now);
        let is_guessed_at =
            names.account.is_some_and(|account| self.failures(account, now) >= limits.account_total_failures);
        let is_known = self.by.get(&own).and_then(|window| window.is_known);
        if usual != Verdict::Open || !is_guessed_at || is_known == Some(true) {
            return Some(usual);
        }
        let strict = self.judge(own, STRANGER_FAILURES.min(limits.account_failures), now);
        Some(if is_known.is_none() && strict != Verdict::Open { Verdict::Unclear } else { strict })
    }

    /// The window of that name. One that is over begins again with the next failure.
    fn window(&mut self, name: Name, now: Timestamp) -> &mut Window {
        let longest_seconds = self.longest_seconds;
        let window = self.by.entry(name).or_insert_with(|| Window {
            ends_at: now,
            failures: 0,
            revision: 0,
            in_flight: 0,
            last: None,
            is_known: None,
        });
        if !window.is_open(longest_seconds, now) {
            window.failures = 0;
        }
        window
    }

    /// Removes windows that are over, once there are many. The next sweep comes when the number has doubled.
    fn sweep(&mut self, now: Timestamp) {
        if self.by.len() >= self.sweep_at.max(SWEEP_AT) {
            let remembered_from = now.minus_seconds(KEEP_SECONDS);
            self.by.retain(|_, window| window.in_flight > 0 || window.ends_at > remembered_from);
            self.sweep_at = self.by.len() * 2;
        }
    }
}
