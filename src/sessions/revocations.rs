//! Which sessions have ended while access tokens of theirs may still live. Every replica holds the whole set in memory,
//! so that no request reads the database to find out, and learns of new ones from a feed in the database.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use crate::db::{Db, Id, StoreError, Timestamp};
use crate::tokens::store;

/// How often a replica reads the feed, in milliseconds.
pub(crate) const POLL_MILLIS: u64 = 400;
/// How far back a poll looks, in seconds: a transaction may commit later than the time that it wrote into its row, and
/// the clocks of replicas differ.
const LOOK_BACK_SECONDS: u64 = 60;
/// After so long without news the feed counts as broken.
const BROKEN_AFTER: Duration = Duration::from_secs(10);

/// The revoked sessions, each until its last access token has expired.
#[derive(Debug)]
pub(crate) struct Revocations {
    ended: RwLock<HashMap<Id, Kept>>,
    /// When the feed was last read; how long ago that is, is told by a clock that nobody sets.
    heard_at: Mutex<(Timestamp, Instant)>,
}

/// How long a revocation is kept: until its end has come by the clock, and as long as that should take. A clock that is
/// ahead for a while makes none be forgotten.
#[derive(Debug)]
struct Kept {
    tokens_expire_at: Timestamp,
    /// `None` is for ever.
    at_least_until: Option<Instant>,
}

impl Kept {
    fn new(tokens_expire_at: Timestamp, now: Timestamp) -> Self {
        let millis = u64::try_from(tokens_expire_at.millis() - now.millis()).unwrap_or_default();
        Self { tokens_expire_at, at_least_until: Instant::now().checked_add(Duration::from_millis(millis)) }
    }

    fn is_needed(&self, now: Timestamp, instant: Instant) -> bool {
        self.tokens_expire_at > now || self.at_least_until.is_none_or(|end| end > instant)
    }
}

impl Revocations {
    /// Reads the whole set.
    pub(crate) async fn load(db: &Db, now: Timestamp) -> Result<Self, StoreError> {
        let start = now.minus_seconds(u32::MAX.into());
        let rows = db.read(move |conn| store::list_revocations(conn, start, now)).await?;
        let ended = RwLock::new(rows.into_iter().map(|(id, end)| (id, Kept::new(end, now))).collect());
        Ok(Self { ended, heard_at: Mutex::new((now, Instant::now())) })
    }

    /// Learns what is new and forgets what has expired.
    pub(crate) async fn poll(&self, db: &Db, now: Timestamp) -> Result<(), StoreError> {
        // From the last news on: a replica that was cut off for long must miss nothing of that time.
        let since = self.heard_at().0.min(now).minus_seconds(LOOK_BACK_SECONDS);
        let rows = db.read(move |conn| store::list_revocations(conn, since, now)).await?;
        let mut ended = self.ended.write().unwrap_or_else(PoisonError::into_inner);
        for (id, end) in rows {
            // Anew only where it is news, or a clock set ahead would make what is known end sooner.
            match ended.get(&id) {
                Some(kept) if kept.tokens_expire_at >= end => {}
                _ => drop(ended.insert(id, Kept::new(end, now))),
            }
        }
        let instant = Instant::now();
        ended.retain(|_, kept| kept.is_needed(now, instant));
        *self.heard_at() = (now, Instant::now());
        Ok(())
    }

    /// A revocation of this very process, known at once.
    pub(crate) fn add(&self, id: Id, tokens_expire_at: Timestamp, now: Timestamp) {
        let kept = Kept::new(tokens_expire_at, now);
        self.ended.write().unwrap_or_else(PoisonError::into_inner).insert(id, kept);
    }

    pub(crate) fn contains(&self, id: Id) -> bool {
        self.ended.read().unwrap_or_else(PoisonError::into_inner).contains_key(&id)
    }

    /// Whether there has been no news for too long.
    pub(crate) fn is_broken(&self) -> bool {
        self.age() > BROKEN_AFTER
    }

    /// How old the newest news are.
    pub(super) fn age(&self) -> Duration {
        self.heard_at().1.elapsed()
    }

    fn heard_at(&self) -> MutexGuard<'_, (Timestamp, Instant)> {
        self.heard_at.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
