//! Sessions that have ended while their access tokens may still live. Every replica holds the whole set in memory, so
//! that no request reads the database to find out, and learns of new ones from a feed in the database.

pub(crate) mod store;

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use store::Ended;

use crate::db::{Db, Id, Place, StoreError, Timestamp, find_place};

/// How often a replica reads the feed, in milliseconds.
pub(crate) const POLL_MILLIS: u64 = 400;
/// The feed counts as broken after this long without a read.
const BROKEN_AFTER: Duration = Duration::from_secs(10);

/// The revoked sessions, each until its last access token has expired.
#[derive(Debug)]
pub(crate) struct Revocations {
    ended: RwLock<HashMap<Id, Kept>>,
    heard: Mutex<Heard>,
}

/// How far the feed was read, and when: as wall-clock and as monotonic time.
#[derive(Clone, Copy, Debug)]
struct Heard {
    place: Place,
    at: Timestamp,
    instant: Instant,
}

/// How long a revocation is kept: until its end by the wall clock, and for as long as that should take by the monotonic
/// one. A clock that is ahead for a while does not cause any to be forgotten.
#[derive(Debug)]
struct Kept {
    expires_at: Timestamp,
    /// `None`: for ever.
    at_least_until: Option<Instant>,
}

impl Kept {
    fn new(expires_at: Timestamp, now: Timestamp) -> Self {
        let millis = u64::try_from(expires_at.millis() - now.millis()).unwrap_or_default();
        Self { expires_at, at_least_until: Instant::now().checked_add(Duration::from_millis(millis)) }
    }

    fn is_needed(&self, now: Timestamp, instant: Instant) -> bool {
        self.expires_at > now || self.at_least_until.is_none_or(|end| end > instant)
    }
}

impl Revocations {
    /// Reads the whole set.
    pub(crate) async fn load(db: &Db, now: Timestamp) -> Result<Self, StoreError> {
        let (place, rows) =
            db.read(move |conn| Ok((find_place(conn)?, store::list_revocations(conn, 0, now)?))).await?;
        let ended = RwLock::new(rows.into_iter().map(|(id, end)| (id, Kept::new(end, now))).collect());
        Ok(Self { ended, heard: Mutex::new(Heard { place, at: now, instant: Instant::now() }) })
    }

    /// Learns of new revocations and forgets expired ones.
    pub(crate) async fn poll(&self, db: &Db, now: Timestamp) -> Result<(), StoreError> {
        let heard = *self.heard();
        let (place, rows) = db
            .read(move |conn| {
                let place = find_place(conn)?;
                // If the clock was set back, revocations that were left out as expired are needed again.
                let from = if now < heard.at { 0 } else { heard.place.first_unread(place) };
                Ok((place, store::list_revocations(conn, from, now)?))
            })
            .await?;
        let mut ended = self.ended.write().unwrap_or_else(PoisonError::into_inner);
        for (id, end) in rows {
            // Replace only an earlier end: renewing a known one while the clock is ahead would end it sooner.
            match ended.get(&id) {
                Some(kept) if kept.expires_at >= end => {}
                _ => drop(ended.insert(id, Kept::new(end, now))),
            }
        }
        let instant = Instant::now();
        ended.retain(|_, kept| kept.is_needed(now, instant));
        *self.heard() = Heard { place, at: now, instant };
        Ok(())
    }

    /// Adds revocations made by this process, at once.
    pub(crate) fn add(&self, sessions: &[Ended], now: Timestamp) {
        let mut ended = self.ended.write().unwrap_or_else(PoisonError::into_inner);
        ended.extend(sessions.iter().map(|session| (session.session_id, Kept::new(session.expires_at, now))));
    }

    pub(crate) fn contains(&self, id: Id) -> bool {
        self.ended.read().unwrap_or_else(PoisonError::into_inner).contains_key(&id)
    }

    /// Whether the feed was last read too long ago.
    pub(crate) fn is_broken(&self) -> bool {
        self.age() > BROKEN_AFTER
    }

    /// Time since the feed was last read.
    pub(super) fn age(&self) -> Duration {
        self.heard().instant.elapsed()
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
