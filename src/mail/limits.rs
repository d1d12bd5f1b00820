//! How many mails an address gets, and the whole service sends. Whatever is over the limit of an address is dropped without
//! a word: an answer must not tell.

use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};

use super::kind::{Allowance, Kind};
use super::store;
use crate::accounts::Email;
use crate::db::{Conn, StoreError, Timestamp};

/// Most mails of one kind to an address in a minute.
const PER_MINUTE: usize = 1;
/// Most mails to an address in an hour and in a day: of all kinds together that somebody asked for, or of one kind of
/// notice.
const PER_HOUR: usize = 5;
const PER_DAY: usize = 20;

const MINUTE_SECONDS: u64 = 60;
pub(super) const HOUR_SECONDS: u64 = 3600;
pub(super) const DAY_SECONDS: u64 = 86_400;

/// When so many mails wait, without notices, strangers can queue no more.
pub(super) const MAX_WAITING: i64 = 10_000;

/// Names recipients by a keyed hash, so that the list of past mails holds no address.
pub(super) struct Recipients(Key);

impl Recipients {
    pub(super) fn new(key: &[u8]) -> Self {
        Self(Key::new(HMAC_SHA256, key))
    }

    /// All spellings of one address have the same name.
    pub(super) fn name(&self, address: &str) -> Vec<u8> {
        sign(&self.0, Email::key_of(address).as_bytes()).as_ref().to_vec()
    }
}

/// Whether a recipient may have another mail of a kind.
pub(super) fn allows(conn: &mut Conn, recipient: &[u8], kind: Kind, now: Timestamp) -> Result<bool, StoreError> {
    let is_notice = kind.allowance() == Allowance::Notice;
    let of_day = store::list_allowed(conn, recipient, is_notice, now.minus_seconds(DAY_SECONDS))?;
    let is_of_kind = |name: &str| name == kind.as_str();
    let counted = of_day.iter().filter(|(name, _)| !is_notice || is_of_kind(name));
    let count = |seconds: u64| counted.clone().filter(move |(_, at)| *at > now.minus_seconds(seconds));
    let of_kind = of_day.iter().filter(|(name, _)| is_of_kind(name)).count();
    let of_minute = count(MINUTE_SECONDS).filter(|(name, _)| is_of_kind(name)).count();
    let is_notice_or_first = is_notice || of_minute < PER_MINUTE;
    Ok(of_kind < kind.max_per_day()
        && is_notice_or_first
        && count(HOUR_SECONDS).count() < PER_HOUR
        && count(DAY_SECONDS).count() < PER_DAY)
}

/// How many mails may go out now, given how many have in the last hour: notices have a tenth of the hour for themselves.
pub(super) fn budget(max_per_hour: u32, sent: i64, is_notice: bool) -> i64 {
    let max = i64::from(max_per_hour);
    let share = if is_notice { max } else { max - max / 10 };
    (share - sent).max(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenth_of_the_hour_is_kept_for_notices() {
        assert_eq!((budget(1000, 0, false), budget(1000, 0, true)), (900, 1000));
        assert_eq!((budget(1000, 900, false), budget(1000, 900, true)), (0, 100));
        assert_eq!((budget(1000, 2000, false), budget(1000, 2000, true)), (0, 0));
    }

    #[test]
    fn all_spellings_of_an_address_are_one_recipient() {
        let names = Recipients::new(b"a key");
        assert_eq!(names.name("Mia@B\u{fc}cher.example"), names.name("mia@xn--bcher-kva.example"));
        assert_ne!(names.name("mia@example.com"), names.name("max@example.com"));
        assert_ne!(names.name("mia@example.com"), Recipients::new(b"another").name("mia@example.com"));
    }
}
