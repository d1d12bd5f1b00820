//! What sessions need done now and then: news read, uses written, leftovers deleted.

use std::time::Duration;

use super::sessions::Sessions;
use super::store;
use super::uses::Noted;
use crate::db::{StoreError, Timestamp};

/// How long ended sessions are kept, in seconds: somebody may ask what became of one.
const KEEP_ENDED_SECONDS: u64 = 7 * 86400;

/// How often an unknown key may send a replica to the database, in milliseconds.
const LOOK_EVERY_MILLIS: i64 = 200;

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

    /// Deletes some sessions and revocations that have long expired; whether there may be more.
    pub(crate) async fn delete_expired(&self, now: Timestamp) -> Result<bool, StoreError> {
        let sessions_before = now.minus_seconds(KEEP_ENDED_SECONDS);
        self.db.write(move |conn| store::delete_expired(conn, now, sessions_before)).await
    }

    /// Whether revocations can be learned of.
    pub(crate) fn hears_revocations(&self, now: Timestamp) -> bool {
        !self.revocations.is_broken(now)
    }

    /// How old the newest news of revocations are.
    pub(crate) fn revocation_feed_age(&self, now: Timestamp) -> Duration {
        let millis = now.millis() - self.revocations.heard_at().millis();
        Duration::from_millis(millis.try_into().unwrap_or_default())
    }

    /// Looks for keys that this replica does not know, five times a second at the most; whether one should be asked for again.
    /// Requests that come meanwhile wait for that look instead of being refused.
    pub(crate) async fn look_for_new_keys(&self, asked_at: Timestamp) -> bool {
        let mut looked_at = self.looked_for_keys_at.lock().await;
        if looked_at.is_some_and(|at| at >= asked_at) {
            return true;
        }
        if looked_at.is_some_and(|at| asked_at.millis() - at.millis() < LOOK_EVERY_MILLIS) {
            return false;
        }
        let reloaded = self.keyring.reload(&self.db, asked_at).await;
        *looked_at = Some(Timestamp::now());
        reloaded.inspect_err(|error| tracing::warn!(cause = %error, "keys could not be reloaded")).is_ok()
    }
}
