//! Limits on failed attempts. They are decided in memory, before any lookup. A failure is written to the database
//! before its response is sent, so that replicas share it and it survives a restart.

mod attempt;
mod names;
mod store;
#[cfg(test)]
mod tests;
mod waiters;
mod windows;

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::timeout;

use attempt::At;
pub(crate) use attempt::Attempt;
use names::{Name, Names, Naming};
use waiters::Waiters;
use windows::{KEEP_SECONDS, Verdict, Windows};

use crate::config::RateLimitSettings;
use crate::db::{Db, StoreError, Timestamp};
use crate::network::network;
use crate::unicode::nfc;

/// How long an attempt waits for decisions on others at the same account, in seconds.
const PATIENCE_SECONDS: u64 = 20;
/// How far back a poll reads, in seconds: the clocks of replicas differ, and a commit comes after the time in its row.
const LOOK_BACK_SECONDS: u64 = 15;

/// Too many attempts: try again later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooMany {
    /// Seconds until the next attempt is admitted.
    pub retry_after_seconds: u64,
}

/// An attempt that was admitted. It holds its place until it is decided or dropped, so that concurrent attempts cannot
/// exceed the limit. A dropped attempt, which was neither right nor wrong (the service was busy, the client hung up),
/// does not count.
#[must_use = "an attempt that is dropped does not count"]
pub(crate) struct Begun<'a> {
    attempts: &'a Attempts,
    network: IpAddr,
    names: Names,
    guess: u64,
}

/// The failures of the current window.
pub(crate) struct Attempts {
    settings: RateLimitSettings,
    db: Db,
    naming: Naming,
    /// Fingerprints of passwords are not stored, and no other process could make the same ones.
    fingerprints: RandomState,
    windows: Mutex<Windows>,
    waiters: Waiters,
    heard_at: Mutex<Timestamp>,
}

impl Attempts {
    /// Loads the failures so far.
    pub(crate) async fn load(
        settings: &RateLimitSettings,
        db: &Db,
        naming_key: &[u8],
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let mut windows = Windows::new(settings.window_seconds);
        if settings.enabled {
            let rows = db.read(move |conn| store::list_open(conn, now)).await?;
            rows.iter().for_each(|row| windows.learn(row, now));
        }
        Ok(Self {
            settings: settings.clone(),
            db: db.clone(),
            naming: Naming::new(naming_key),
            fingerprints: RandomState::new(),
            windows: Mutex::new(windows),
            waiters: Waiters::default(),
            heard_at: Mutex::new(now),
        })
    }

    /// Admits an attempt, or says when to try again.
    pub(crate) async fn begin(&self, attempt: &Attempt<'_>, now: Timestamp) -> Result<Begun<'_>, TooMany> {
        if !self.settings.enabled {
            return Ok(Begun { attempts: self, network: attempt.network, names: Names::default(), guess: 0 });
        }
        let patience = Duration::from_secs(PATIENCE_SECONDS);
        // Timed out waiting behind other attempts: ask the client to retry in a second.
        timeout(patience, self.admit(attempt, now)).await.unwrap_or(Err(TooMany { retry_after_seconds: 1 }))
    }

    /// Reads what other replicas have counted.
    pub(crate) async fn poll(&self, now: Timestamp) -> Result<(), StoreError> {
        if !self.settings.enabled {
            return Ok(());
        }
        let heard_at = *self.heard_at.lock().unwrap_or_else(PoisonError::into_inner);
        let since = heard_at.min(now).minus_seconds(LOOK_BACK_SECONDS);
        let rows = self.db.read(move |conn| store::list_changed(conn, since)).await?;
        let mut windows = self.lock();
        rows.iter().for_each(|row| windows.learn(row, now));
        *self.heard_at.lock().unwrap_or_else(PoisonError::into_inner) = now;
        Ok(())
    }

    /// Deletes a batch of windows that ended long ago. Returns whether there may be more.
    pub(crate) async fn delete_expired(&self, now: Timestamp) -> Result<bool, StoreError> {
        let before = now.minus_seconds(2 * KEEP_SECONDS);
        self.db.write(move |conn| store::delete_over(conn, before)).await
    }

    async fn admit(&self, attempt: &Attempt<'_>, now: Timestamp) -> Result<Begun<'_>, TooMany> {
        let (names, guess) = (self.naming.names(attempt), self.guess(attempt));
        let (mut is_known, mut place) = (None, None);
        loop {
            let verdict = self.lock().begin(&names, &self.settings, is_known, now);
            match (verdict, &mut place) {
                (Verdict::Open, _) => return Ok(Begun { attempts: self, network: attempt.network, names, guess }),
                (Verdict::Closed(until), _) => {
                    return Err(TooMany { retry_after_seconds: seconds_between(now, until) });
                }
                // Judge once more after joining, so that no decision in between is missed.
                (Verdict::Full, None) => {
                    let joined = self.waiters.join(attempt.network);
                    place = Some(joined.ok_or(TooMany { retry_after_seconds: 1 })?);
                }
                (Verdict::Full, Some(place)) => place.decided().await,
                // Without a database the attempt fails anyway.
                (Verdict::Unclear, _) => is_known = Some(self.is_known(attempt).await.unwrap_or(true)),
            }
        }
    }

    /// Whether the account has logged in from that network before. Looked up only for an account under distributed
    /// attack, and in the same way if no such account exists.
    async fn is_known(&self, attempt: &Attempt<'_>) -> Result<bool, StoreError> {
        let At::Account { key, .. } = attempt.at else { return Ok(false) };
        let key = key.to_owned();
        let addresses = self.db.read(move |conn| store::list_addresses(conn, &key)).await?;
        let mut networks = addresses.iter().filter_map(|text| text.parse().ok()).map(network);
        Ok(networks.any(|known| known == attempt.network))
    }

    fn guess(&self, attempt: &Attempt<'_>) -> u64 {
        match attempt.at {
            At::Account { key, password } => self.fingerprints.hash_one((key, nfc(password))),
            At::Client { id, secret } => self.fingerprints.hash_one((id, secret)),
            At::SignUp | At::OneTimeToken | At::Mail { .. } => 0,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Windows> {
        self.windows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts in the database, which returns the count of all replicas together. If the database is unavailable, counts
    /// in this process only.
    async fn count(&self, names: Vec<Name>, now: Timestamp) {
        if names.is_empty() {
            return;
        }
        let ends_at = now.plus_seconds(self.settings.window_seconds);
        let counted = names.clone();
        let rows = self.db.write(move |conn| store::update_failures(conn, &counted, ends_at, now)).await;
        let mut windows = self.lock();
        match rows {
            Ok(rows) => rows.iter().for_each(|row| windows.learn(row, now)),
            Err(error) => {
                tracing::warn!(cause = %error, "could not store a failed attempt");
                names.into_iter().for_each(|name| windows.add(name, ends_at, now));
            }
        }
    }
}

impl Begun<'_> {
    /// The guess was wrong. When this returns the failure is counted, and the response may be sent.
    pub(crate) async fn failed(self, now: Timestamp) {
        let is_free = self.names.own.is_some_and(|own| self.attempts.lock().is_free(own, self.guess, now));
        if !is_free {
            self.attempts.count(self.names.of_failure(), now).await;
        }
    }

    /// The guess was right: forgets the failures at that account or client from this address. The address's own
    /// failures stay, or the owner of one account could guess at all others without limit.
    pub(crate) async fn succeeded(self, now: Timestamp) {
        let Some(own) = self.names.own else { return };
        if !self.attempts.lock().is_to_forget(own, now) {
            return;
        }
        match self.attempts.db.write(move |conn| store::update_forgotten(conn, own, now)).await {
            Ok(row) => row.iter().for_each(|row| self.attempts.lock().learn(row, now)),
            Err(error) => tracing::warn!(cause = %error, "could not delete failed attempts"),
        }
    }

    /// The request was accepted, and counts as it is. When this returns it is counted.
    pub(crate) async fn made(self, now: Timestamp) {
        self.attempts.count(self.names.of_failure(), now).await;
    }

    /// An account was created.
    pub(crate) async fn signed_up(self, now: Timestamp) {
        self.attempts.count(self.names.sign_ups.into_iter().collect(), now).await;
    }
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        self.attempts.lock().release(&self.names);
        self.attempts.waiters.tell(self.network);
    }
}

fn seconds_between(from: Timestamp, to: Timestamp) -> u64 {
    let millis = u64::try_from(to.millis() - from.millis()).unwrap_or_default();
    millis.div_ceil(1000).max(1)
}
