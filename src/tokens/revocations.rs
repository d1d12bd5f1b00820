//! Which sessions have ended while access tokens of theirs may still live. Every replica holds the whole set in memory,
//! so that no request reads the database to find out, and learns of new ones from a feed in the database.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{PoisonError, RwLock};

use super::store;
use crate::db::{Db, Id, StoreError, Timestamp};

/// How often a replica reads the feed, in milliseconds.
pub(crate) const POLL_MILLIS: u64 = 400;
/// How far back a poll looks, in seconds: a transaction may commit later than the time that it wrote into its row, and
/// the clocks of replicas differ.
const LOOK_BACK_SECONDS: u64 = 60;
/// After so many seconds without news the feed counts as broken.
const BROKEN_AFTER_SECONDS: u64 = 10;

/// The revoked sessions, each until its last access token has expired.
#[derive(Debug)]
pub(crate) struct Revocations {
    ended: RwLock<HashMap<Id, Timestamp>>,
    heard_at_millis: AtomicI64,
}

impl Revocations {
    /// Reads the whole set.
    pub(crate) async fn load(db: &Db, now: Timestamp) -> Result<Self, StoreError> {
        let start = now.minus_seconds(u32::MAX.into());
        let rows = db.read(move |conn| store::list_revocations(conn, start, now)).await?;
        let ended = RwLock::new(rows.into_iter().collect());
        Ok(Self { ended, heard_at_millis: AtomicI64::new(now.millis()) })
    }

    /// Learns what is new and forgets what has expired.
    pub(crate) async fn poll(&self, db: &Db, now: Timestamp) -> Result<(), StoreError> {
        // From the last news on: a replica that was cut off for long must miss nothing of that time.
        let since = self.heard_at().min(now).minus_seconds(LOOK_BACK_SECONDS);
        let rows = db.read(move |conn| store::list_revocations(conn, since, now)).await?;
        let mut ended = self.ended.write().unwrap_or_else(PoisonError::into_inner);
        ended.extend(rows);
        ended.retain(|_, tokens_expire_at| *tokens_expire_at > now);
        self.heard_at_millis.store(now.millis(), Ordering::Relaxed);
        Ok(())
    }

    /// A revocation of this very process, known at once.
    pub(crate) fn add(&self, id: Id, tokens_expire_at: Timestamp) {
        self.ended.write().unwrap_or_else(PoisonError::into_inner).insert(id, tokens_expire_at);
    }

    pub(crate) fn contains(&self, id: Id) -> bool {
        self.ended.read().unwrap_or_else(PoisonError::into_inner).contains_key(&id)
    }

    /// Whether there has been no news for too long.
    pub(crate) fn is_broken(&self, now: Timestamp) -> bool {
        self.heard_at() < now.minus_seconds(BROKEN_AFTER_SECONDS)
    }

    /// When the feed was last read.
    pub(super) fn heard_at(&self) -> Timestamp {
        Timestamp::from_millis(self.heard_at_millis.load(Ordering::Relaxed))
    }
}
