//! Uses of the sessions' access tokens: noted in memory, written to the database in batches.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::db::{Id, Timestamp};

/// Minimum time between two writes of a session's `last_used_at`, in seconds.
const WRITE_EVERY_SECONDS: u64 = 10;
/// A session unused for this long is forgotten here, in seconds.
const FORGET_AFTER_SECONDS: u64 = 3600;
/// Seconds between sweeps. A sweep visits every session and holds the lock.
const SWEEP_EVERY_SECONDS: u64 = 60;

/// The newest use of each session.
#[derive(Debug, Default)]
pub(crate) struct Uses(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    uses: HashMap<Id, Use>,
    /// The sessions with something to write.
    news: HashSet<Id>,
    swept_at: Option<Timestamp>,
}

#[derive(Debug)]
struct Use {
    generation: i64,
    at: Timestamp,
    written: Option<(i64, Timestamp)>,
}

impl Use {
    /// Whether to write it: a new generation at once, a later time now and then.
    fn is_news(&self) -> bool {
        self.written.is_none_or(|(generation, at)| {
            generation < self.generation || at.plus_seconds(WRITE_EVERY_SECONDS) <= self.at
        })
    }
}

/// A use to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Noted {
    pub session_id: Id,
    pub generation: i64,
    pub at: Timestamp,
}

impl Uses {
    /// Notes a use. Every request runs this, so it does nothing else.
    pub(crate) fn note(&self, session_id: Id, generation: i64, at: Timestamp) {
        let mut inner = self.lock();
        let used = inner.uses.entry(session_id).or_insert(Use { generation, at, written: None });
        used.generation = used.generation.max(generation);
        used.at = used.at.max(at);
        if used.is_news() {
            inner.news.insert(session_id);
        }
    }

    /// The uses that the database does not have yet.
    pub(crate) fn unwritten(&self) -> Vec<Noted> {
        let inner = self.lock();
        let news = inner.news.iter().filter_map(|id| inner.uses.get_key_value(id));
        news.map(|(id, used)| Noted { session_id: *id, generation: used.generation, at: used.at }).collect()
    }

    /// Marks these as written, and forgets sessions that are no longer used.
    pub(crate) fn mark_written(&self, written: &[Noted], now: Timestamp) {
        let mut inner = self.lock();
        let Inner { uses, news, swept_at } = &mut *inner;
        for noted in written {
            let Some(used) = uses.get_mut(&noted.session_id) else { continue };
            used.written = Some((noted.generation, noted.at));
            if !used.is_news() {
                news.remove(&noted.session_id);
            }
        }
        // A clock that was set back must not delay the sweep.
        if swept_at.is_none_or(|at| now < at || at.plus_seconds(SWEEP_EVERY_SECONDS) <= now) {
            *swept_at = Some(now);
            uses.retain(|_, used| used.at.plus_seconds(FORGET_AFTER_SECONDS) > now);
            news.retain(|id| uses.contains_key(id));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_generation_is_news_at_once_and_a_later_time_only_now_and_then() {
        let (uses, id) = (Uses::default(), Id::parse("7").expect("id"));
        let now = Timestamp::now();
        uses.note(id, 1, now);
        let first = uses.unwritten();
        assert_eq!(first, [Noted { session_id: id, generation: 1, at: now }]);
        uses.mark_written(&first, now);
        uses.note(id, 1, now.plus_seconds(1));
        assert_eq!(uses.unwritten(), []);
        uses.note(id, 2, now.plus_seconds(2));
        assert_eq!(uses.unwritten().len(), 1);
        uses.mark_written(&uses.unwritten(), now);
        uses.note(id, 2, now.plus_seconds(60));
        assert_eq!(uses.unwritten().len(), 1);
        uses.mark_written(&[], now.plus_seconds(7200));
        assert_eq!(uses.unwritten(), []);
        assert!(uses.lock().uses.is_empty(), "forgotten");
    }
}
