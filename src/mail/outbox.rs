//! Where mails are queued.

use super::kind::{Allowance, Kind};
use super::limits::{DAY_SECONDS, MAX_WAITING};
use super::model::{Data, NewMail};
use super::store::{self, DueRow, NewRow};
use crate::config::TokenSettings;
use crate::db::{Conn, StoreError, Timestamp};
use crate::tokens::KeyError;
use crate::tokens::keys::random_bytes;
use crate::tokens::seal::Seal;

/// Where mails are queued. Features take it as `Data<Outbox>`.
pub(crate) struct Outbox {
    seal: Seal,
    /// The part of a `Message-ID` after the `@`.
    host: String,
}

impl Outbox {
    pub(crate) fn new(token: &TokenSettings) -> Result<Self, KeyError> {
        let seal = Seal::labelled(token.key_encryption_secret.as_ref(), "mails in the outbox")?;
        Ok(Self { seal, host: host_of(&token.issuer).to_owned() })
    }

    /// Inside a write: queues a mail, unless strangers can ask for it and too many wait.
    pub(crate) fn queue(&self, conn: &mut Conn, mail: &NewMail, now: Timestamp) -> Result<(), StoreError> {
        let kind = mail.kind;
        // Whatever has waited for longer is about to be given up.
        let since = now.minus_seconds(DAY_SECONDS);
        if kind.is_anonymous() && store::has_waiting(conn, MAX_WAITING, since)? {
            return Ok(());
        }
        let internal = |error: &dyn std::fmt::Display| StoreError::Internal(error.to_string());
        let id = random_bytes::<16>().map_err(|error| internal(&error))?;
        let message_id = format!("<{}@{}>", hex::encode(id), self.host);
        let content = serde_json::to_vec(&mail.data).map_err(|error| internal(&error))?;
        let row = NewRow {
            kind: kind.as_str(),
            language: mail.language.code(),
            user_id: mail.user_id,
            is_notice: kind.allowance() == Allowance::Notice,
            content: Some(self.seal.close(&message_id, &content).map_err(|error| internal(&error))?),
            message_id,
            queued_at: now,
            waits_since: now,
            due_at: now,
            tries: 0,
            is_sent: false,
        };
        store::insert_mail(conn, row)
    }

    /// What was queued with a mail. Nothing is left of one that was given up and is tried again.
    pub(super) fn open(&self, row: &DueRow) -> Result<Data, KeyError> {
        let Some(content) = &row.content else { return Ok(Data::new()) };
        let bytes = self.seal.open(&row.message_id, content)?;
        serde_json::from_slice(&bytes).map_err(|_| KeyError::Damaged)
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }
}

/// The host of an issuer, IPv6 without brackets.
fn host_of(issuer: &str) -> &str {
    let authority = issuer.split("://").nth(1).unwrap_or(issuer).split('/').next().unwrap_or_default();
    match authority.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
        Some(address) => address,
        None => authority.split(':').next().unwrap_or_default(),
    }
}

/// Whether a mail that was given up can be tried again: what it needs stands in the account.
pub(crate) fn is_repeatable(kind: &str, has_account: bool) -> bool {
    has_account && Kind::parse(kind).is_some_and(Kind::needs_no_content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_of_an_issuer_is_found_in_all_its_forms() {
        for (issuer, host) in [
            ("https://id.example.com", "id.example.com"),
            ("https://id.example.com:8443/auth", "id.example.com"),
            ("http://127.0.0.1:8000", "127.0.0.1"),
            ("http://[::1]:8000", "::1"),
        ] {
            assert_eq!(host_of(issuer), host);
        }
    }
}
