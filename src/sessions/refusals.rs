//! Refused passwords, at `/login` and where an action needs one: noted in memory, written to the audit trail in batches,
//! so that no request waits for them.
//!
//! Of each sort (an event, a reason, at an account or at none, from a network) the first is written soon, and all others of its
//! minute as one event with their number. When there are too many sorts in a minute, the others are one event together.
//! So the trail grows by a bounded number of events, whatever is attempted, and from however many addresses.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use crate::accounts::store as accounts;
use crate::audit::{EventType, NewEvent, Origin, Source};
use crate::db::{Conn, Id, StoreError, Timestamp};
use crate::metrics::UnlistedRefusals;
use crate::network::network;

/// Most sorts of refusals in a minute at accounts, and as many again at none: attempts at random names do not hide those
/// at accounts.
const MAX_SORTS: usize = 100;
/// How long refusals of a sort are collected, in seconds.
pub(super) const COLLECT_SECONDS: u64 = 60;
/// The longest lookup key to remember, in bytes. No account has a longer one.
const MAX_KEY_BYTES: usize = 1024;

/// Why a password was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Reason {
    WrongPassword,
    UnknownAccount,
    Disabled,
    EmailUnverified,
    TooManyAttempts,
    /// Any of these: there are too many to list each sort.
    Various,
}

impl Reason {
    fn as_str(self) -> &'static str {
        match self {
            Self::WrongPassword => "wrong_password",
            Self::UnknownAccount => "unknown_account",
            Self::Disabled => "disabled",
            Self::EmailUnverified => "email_unverified",
            Self::TooManyAttempts => "too_many_attempts",
            Self::Various => "various",
        }
    }
}

/// A refused password.
#[derive(Clone)]
pub(crate) struct Refusal {
    kind: EventType,
    reason: Reason,
    /// The account, if it was looked up and exists.
    user_id: Option<Id>,
    /// What to look the account up by, if nobody has. It may be a password, typed into the wrong field: it is never
    /// written.
    key: Option<String>,
    source: Source,
}

/// What refusals have in common that are counted together.
type Sort = (EventType, Reason, Option<Id>, IpAddr);

impl Refusal {
    /// A login that is refused after the account was looked up.
    pub(crate) fn at_account(user_id: Option<Id>, reason: Reason, client_id: &str, origin: Origin) -> Self {
        let source = Source::request(origin, Some(client_id));
        Self { kind: EventType::LogInRefused, reason, user_id, key: None, source }
    }

    /// A login that is refused before anything was looked up.
    pub(crate) fn too_many(key: &str, origin: Origin) -> Self {
        let key = Some(key.to_owned()).filter(|key| key.len() <= MAX_KEY_BYTES);
        let source = Source::request(origin, None);
        Self { kind: EventType::LogInRefused, reason: Reason::TooManyAttempts, user_id: None, key, source }
    }

    /// An action of a logged-in account that is refused for its password.
    pub(crate) fn of_action(user_id: Id, reason: Reason, source: Source) -> Self {
        Self { kind: EventType::PasswordRefused, reason, user_id: Some(user_id), key: None, source }
    }

    /// Stands for refusals of various sorts.
    fn various(kind: EventType) -> Self {
        Self { kind, reason: Reason::Various, user_id: None, key: None, source: Source::default() }
    }

    fn sort(&self) -> Sort {
        let address = self.source.origin.as_ref().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |origin| origin.ip);
        (self.kind, self.reason, self.user_id, network(address))
    }
}

/// The refusals of a sort.
struct Noted {
    first: Refusal,
    first_at: Timestamp,
    last_at: Timestamp,
    number: u64,
    written: u64,
}

impl Noted {
    fn new(first: Refusal, at: Timestamp) -> Self {
        Self { first, first_at: at, last_at: at, number: 1, written: 0 }
    }

    fn add(&mut self, refusal: &Refusal, at: Timestamp) {
        self.number += 1;
        self.last_at = self.last_at.max(at);
        // Attempts at several accounts are those at none of them.
        self.first.key.take_if(|key| Some(&*key) != refusal.key.as_ref());
    }

    /// Whether its minute is over; also if the clock was set back.
    fn is_over(&self, now: Timestamp) -> bool {
        now < self.first_at || self.first_at.plus_seconds(COLLECT_SECONDS) <= now
    }
}

/// Refusals of a sort to write as one event.
#[derive(Clone)]
pub(super) struct Unwritten {
    refusal: Refusal,
    at: Timestamp,
    number: u64,
}

/// The refusals of the last minute.
#[derive(Default)]
pub(crate) struct Refusals {
    noted: Mutex<HashMap<Sort, Noted>>,
    pub(super) unlisted: OnceLock<UnlistedRefusals>,
}

impl Refusals {
    /// Notes a refusal.
    pub(super) fn note(&self, refusal: Refusal, now: Timestamp) {
        let mut noted = self.lock();
        let refusal = if has_room(&noted, &refusal.sort()) { refusal } else { self.count_unlisted(refusal.kind) };
        match noted.get_mut(&refusal.sort()) {
            Some(known) => known.add(&refusal, now),
            None => drop(noted.insert(refusal.sort(), Noted::new(refusal, now))),
        }
    }

    /// What is due.
    pub(super) fn unwritten(&self, now: Timestamp) -> Vec<Unwritten> {
        let noted = self.lock();
        let due = noted.values().filter(|one| one.written == 0 || (one.is_over(now) && one.written < one.number));
        due.map(|one| Unwritten {
            refusal: one.first.clone(),
            at: if one.written == 0 { one.first_at } else { one.last_at },
            number: one.number - one.written,
        })
        .collect()
    }

    /// Marks these as written, and forgets those whose minute is over.
    pub(super) fn mark_written(&self, written: &[Unwritten], now: Timestamp) {
        let mut noted = self.lock();
        for one in written {
            if one.refusal.reason == Reason::Various {
                tracing::warn!(number = one.number, "too many refused passwords to list each in the audit trail");
            }
            if let Some(noted) = noted.get_mut(&one.refusal.sort()) {
                noted.written += one.number;
            }
        }
        noted.retain(|_, one| !one.is_over(now) || one.written < one.number);
    }

    fn count_unlisted(&self, kind: EventType) -> Refusal {
        if let Some(unlisted) = self.unlisted.get() {
            unlisted.count();
        }
        Refusal::various(kind)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Sort, Noted>> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn has_room(noted: &HashMap<Sort, Noted>, sort: &Sort) -> bool {
    let (_, _, user_id, _) = sort;
    let alike = noted.keys().filter(|(_, _, other, _)| other.is_some() == user_id.is_some());
    noted.contains_key(sort) || alike.count() < MAX_SORTS
}

impl Unwritten {
    /// The event to record. An account that was deleted meanwhile keeps nothing that tells of its owner.
    pub(super) fn event(&self, conn: &mut Conn) -> Result<NewEvent, StoreError> {
        let Refusal { kind, reason, user_id, key, source } = self.refusal.clone();
        let user_id = match key {
            Some(key) => accounts::find_id_by_email_key(conn, &key)?,
            None => user_id,
        };
        let is_gone = user_id.map(|id| accounts::find_user(conn, id)).transpose()?.is_some_and(|user| user.is_none());
        let source = Source { origin: source.origin.filter(|_| !is_gone), ..source };
        let event = NewEvent::new(kind, &source, self.at).with("reason", reason.as_str());
        let event = if self.number > 1 { event.with("count", self.number) } else { event };
        Ok(match user_id {
            Some(id) => event.of(id),
            None => event,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(last: u8, user_id: i64) -> Refusal {
        let origin = Origin { ip: IpAddr::from([192, 0, 2, last]), user_agent: None, request_id: None };
        Refusal::at_account(Id::from_number(user_id), Reason::WrongPassword, "keyfob", origin)
    }

    /// Writes what is due, and gives the numbers.
    fn write(refusals: &Refusals, now: Timestamp) -> Vec<u64> {
        let unwritten = refusals.unwritten(now);
        refusals.mark_written(&unwritten, now);
        unwritten.iter().map(|one| one.number).collect()
    }

    #[test]
    fn the_first_of_a_sort_is_written_soon_and_the_others_of_its_minute_together() {
        let (refusals, now) = (Refusals::default(), Timestamp::now());
        refusals.note(at(1, 7), now);
        assert_eq!(write(&refusals, now), [1]);
        (1..=5).for_each(|second| refusals.note(at(1, 7), now.plus_seconds(second)));
        assert_eq!(write(&refusals, now.plus_seconds(59)), Vec::<u64>::new());
        let last = refusals.unwritten(now.plus_seconds(60));
        assert_eq!(last.iter().map(|one| (one.number, one.at)).collect::<Vec<_>>(), [(5, now.plus_seconds(5))]);
        assert_eq!(write(&refusals, now.plus_seconds(60)), [5]);
        assert!(refusals.lock().is_empty(), "forgotten");
    }

    #[test]
    fn too_many_attempts_are_those_at_an_account_only_if_all_were_aimed_at_it() {
        let (refusals, now) = (Refusals::default(), Timestamp::now());
        let attempt = |key| Refusal { reason: Reason::TooManyAttempts, key: Some(key), ..at(1, 0) };
        let keys =
            || refusals.unwritten(now.plus_seconds(60)).into_iter().map(|one| one.refusal.key).collect::<Vec<_>>();
        refusals.note(attempt("ada@example.com".to_owned()), now);
        refusals.note(attempt("ada@example.com".to_owned()), now);
        assert_eq!(keys(), [Some("ada@example.com".to_owned())]);
        refusals.note(attempt("bob@example.com".to_owned()), now);
        assert_eq!(keys(), [None]);
    }

    #[test]
    fn what_could_not_be_written_is_written_later() {
        let (refusals, now) = (Refusals::default(), Timestamp::now());
        refusals.note(at(1, 7), now);
        assert_eq!(refusals.unwritten(now).len(), 1);
        refusals.mark_written(&[], now.plus_seconds(3600));
        refusals.note(at(1, 7), now.plus_seconds(3600));
        assert_eq!(write(&refusals, now.plus_seconds(3600)), [2]);
    }

    #[test]
    fn many_sorts_are_counted_together_and_those_at_no_account_take_no_room_from_the_others() {
        let (refusals, now) = (Refusals::default(), Timestamp::now());
        (1..=250).for_each(|last| refusals.note(at(last, 0), now));
        (1..=3).for_each(|user_id| refusals.note(at(1, user_id), now));
        let mut numbers = write(&refusals, now);
        numbers.sort_unstable();
        assert_eq!(numbers.pop(), Some(150), "those that have no room");
        assert_eq!(numbers, [1; MAX_SORTS + 3]);
    }
}
