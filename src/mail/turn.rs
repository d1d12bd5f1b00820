//! The write with which a mail's turn begins: it is leased, or dropped.

use std::sync::Arc;

use secrecy::SecretString;

use super::kind::Kind;
use super::limits::{Recipients, allows};
use super::model::{Composers, Desk, Letter, Queued};
use super::outbox::Outbox;
use super::store::{self, DueRow};
use super::templates::{Values, duration};
use crate::db::{Conn, Id, StoreError, Timestamp};
use crate::language::Language;

/// How long an attempt may take before another one may begin, in seconds: longer than `mail.timeout_seconds` can be.
pub(super) const LEASE_SECONDS: u64 = 120;
/// Most mails to drop in one transaction.
const MAX_DROPPED: usize = 100;
/// When to look again at a mail of an unknown kind: a newer process has queued it, and sends it.
const UNKNOWN_KIND_SECONDS: u64 = 60;

/// What a turn needs.
#[derive(Clone)]
pub(super) struct Clerk {
    pub outbox: Arc<Outbox>,
    pub recipients: Arc<Recipients>,
    pub desk: Arc<Desk>,
    pub composers: Composers,
}

/// A mail to send, leased.
pub(super) struct Leased {
    pub id: Id,
    pub kind: Kind,
    pub language: Language,
    pub message_id: String,
    pub lease: String,
    /// Attempts so far, with this one.
    pub tries: i64,
    pub to: String,
    pub link: Option<SecretString>,
    pub values: Values,
}

/// What a turn came to.
pub(super) enum Turn {
    Nothing,
    /// Some mails had no reader any more.
    Dropped,
    Mail(Box<Leased>),
}

/// What became of one mail that was due.
enum Fate {
    Dropped,
    Mail(Box<Leased>),
}

impl Clerk {
    /// Inside a write: leases the mail that has been due for longest. Those with nothing to send any more are deleted.
    pub(super) fn take(
        &self,
        conn: &mut Conn,
        is_notice: bool,
        lease: &str,
        now: Timestamp,
    ) -> Result<Turn, StoreError> {
        for _ in 0..MAX_DROPPED {
            let Some(row) = store::find_due(conn, is_notice, now)? else { return Ok(Turn::Nothing) };
            if let Fate::Mail(mail) = self.decide(conn, &row, lease, now)? {
                return Ok(Turn::Mail(mail));
            }
        }
        Ok(Turn::Dropped)
    }

    fn decide(&self, conn: &mut Conn, row: &DueRow, lease: &str, now: Timestamp) -> Result<Fate, StoreError> {
        let Some((kind, language)) = Kind::parse(&row.kind).zip(Language::parse(&row.language)) else {
            store::update_due(conn, row.id, now.plus_seconds(UNKNOWN_KIND_SECONDS))?;
            return Ok(Fate::Dropped);
        };
        let data = match self.outbox.open(row) {
            Ok(data) => data,
            Err(error) => {
                store::update_given_up(conn, row.id, &error.to_string(), now)?;
                return Ok(Fate::Dropped);
            }
        };
        let queued = Queued { user_id: row.user_id, queued_at: row.queued_at, data };
        let letter = (self.composers.0)(kind)(conn, &queued, &self.desk, now)?;
        let Some(letter) = letter else { return drop_mail(conn, row) };
        let recipient = self.recipients.name(&letter.to);
        // An attempt after the first counts no more.
        let allowed_at = row.allowed_at.filter(|_| row.recipient.as_ref() == Some(&recipient));
        if allowed_at.is_none() && !allows(conn, &recipient, kind, now)? {
            return drop_mail(conn, row);
        }
        let Letter { to, link, mut values } = letter;
        let link = match link {
            Some((make, ttl_seconds)) => {
                let Some(link) = make(conn, &self.desk)? else { return drop_mail(conn, row) };
                values.insert("valid_for", duration(ttl_seconds, language));
                Some(link)
            }
            None => None,
        };
        let until = now.plus_seconds(LEASE_SECONDS);
        store::update_leased(conn, row, lease, until, (&recipient, allowed_at.unwrap_or(now)))?;
        let (id, message_id, tries) = (row.id, row.message_id.clone(), row.tries + 1);
        let lease = lease.to_owned();
        Ok(Fate::Mail(Box::new(Leased { id, kind, language, message_id, lease, tries, to, link, values })))
    }
}

/// Deletes a mail that has nothing to send any more, or that its reader may not have.
fn drop_mail(conn: &mut Conn, row: &DueRow) -> Result<Fate, StoreError> {
    store::delete_mail(conn, row.id).map(|()| Fate::Dropped)
}
