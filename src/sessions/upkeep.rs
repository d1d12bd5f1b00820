//! Periodic work for sessions: reads the feed, writes uses, deletes leftovers.

use std::time::{Duration, Instant};

use super::Sessions;
use super::refusals::{COLLECT_SECONDS, Refusal};
use super::uses::Noted;
use crate::audit::insert_events;
use crate::db::{StoreError, Timestamp};
use crate::metrics::UnlistedRefusals;
use crate::sessions::store;

/// How long ended sessions are kept, in seconds: users may ask what became of one.
const KEEP_ENDED_SECONDS: u64 = 7 * 86400;
/// How long revocations are kept after the last access token that needs them, in seconds: a clock that is ahead may be
/// set back.
const KEEP_REVOCATIONS_SECONDS: u64 = 86400;

/// Minimum time between two reads of the database for unknown keys.
const LOOK_EVERY: Duration = Duration::from_millis(200);

impl Sessions {
    /// Reads the feed of revocations.
    pub(crate) async fn poll_revocations(&self, now: Timestamp) -> Result<(), StoreError> {
        self.revocations.poll(&self.db, now).await
    }

    /// Writes the noted uses.
    pub(crate) async fn flush_uses(&self, now: Timestamp) -> Result<(), StoreError> {
        let noted = self.uses.unwritten();
        if !noted.is_empty() {
            let batch = noted.clone();
            self.db
                .write(move |conn| {
                    let each = |used: &Noted| store::update_use(conn, used.session_id, used.generation, used.at);
                    batch.iter().try_for_each(each)
                })
                .await?;
        }
        self.uses.mark_written(&noted, now);
        Ok(())
    }

    /// Notes a refused password for the audit trail.
    pub(crate) fn note_refusal(&self, refusal: Refusal, now: Timestamp) {
        self.refusals.note(refusal, now);
    }

    /// Counts the refused passwords that are not listed each from now on.
    pub(crate) fn watch(&self, unlisted: UnlistedRefusals) {
        let _ = self.refusals.unlisted.set(unlisted);
    }

    /// Writes the refused passwords that are due.
    pub(crate) async fn flush_refusals(&self, now: Timestamp) -> Result<(), StoreError> {
        let unwritten = self.refusals.unwritten(now);
        if !unwritten.is_empty() {
            let batch = unwritten.clone();
            self.db
                .write(move |conn| {
                    let events: Result<Vec<_>, _> = batch.iter().map(|one| one.event(conn)).collect();
                    insert_events(conn, &events?)
                })
                .await?;
        }
        self.refusals.mark_written(&unwritten, now);
        Ok(())
    }

    /// Writes all refused passwords, due or not.
    pub(crate) async fn flush_all_refusals(&self, now: Timestamp) -> Result<(), StoreError> {
        self.flush_refusals(now.plus_seconds(COLLECT_SECONDS)).await
    }

    /// Deletes a batch of sessions and revocations that expired long ago. Returns whether there may be more.
    pub(crate) async fn delete_expired(&self, now: Timestamp) -> Result<bool, StoreError> {
        let sessions_before = now.minus_seconds(KEEP_ENDED_SECONDS);
        let revocations_before = now.minus_seconds(KEEP_REVOCATIONS_SECONDS);
        self.db.write(move |conn| store::delete_expired(conn, revocations_before, sessions_before)).await
    }

    /// Whether the revocation feed is up to date.
    pub(crate) fn hears_revocations(&self) -> bool {
        !self.revocations.is_broken()
    }

    /// Time since the revocation feed was last read.
    pub(crate) fn revocation_feed_age(&self) -> Duration {
        self.revocations.age()
    }

    /// Looks for keys that this replica does not know, at most five times a second. Returns whether to look the key up
    /// again. Requests that arrive meanwhile wait for that reload instead of being refused.
    pub(crate) async fn look_for_new_keys(&self, now: Timestamp) -> bool {
        let mut looked_at = self.looked_for_keys_at.lock().await;
        // Another task may have reloaded the keys while this one waited for the lock.
        if looked_at.is_some_and(|at| at.elapsed() < LOOK_EVERY) {
            return true;
        }
        let reloaded = self.keyring.reload(&self.db, now).await;
        *looked_at = Some(Instant::now());
        reloaded.inspect_err(|error| tracing::warn!(cause = %error, "could not reload keys")).is_ok()
    }
}
