//! A mail on its way: what is queued, and what a feature makes of that when the mail is sent.

use std::collections::BTreeMap;

use secrecy::SecretString;

use super::kind::Kind;
use crate::accounts::store as accounts;
use crate::config::AccountSettings;
use crate::db::{Conn, Id, StoreError, Timestamp};
use crate::language::Language;
use crate::one_time_tokens::links::Links;

/// A mail to queue. It holds no link: that is made when the mail is sent.
#[derive(Clone)]
pub(crate) struct NewMail {
    pub(super) kind: Kind,
    pub(super) language: Language,
    pub(super) user_id: Option<Id>,
    pub(super) data: Data,
}

/// What the sender of a mail will need to know, by name. It is sealed in the database, and deleted once the mail is sent.
pub(super) type Data = BTreeMap<String, String>;

/// A queued mail, as its turn comes.
pub(crate) struct Queued {
    pub user_id: Option<Id>,
    pub queued_at: Timestamp,
    pub(super) data: Data,
}

/// What features need to write letters.
pub(crate) struct Desk {
    pub links: Links,
    pub accounts: AccountSettings,
}

/// A mail as it goes out: to whom, and what the templates of its kind show.
pub(crate) struct Letter {
    pub(super) to: String,
    pub(super) link: Option<(MakeLink, u64)>,
    pub(super) values: BTreeMap<&'static str, String>,
}

/// Makes the link of a letter, inside the write that begins to send it. `None`: there is nothing to send any more.
pub(super) type MakeLink = Box<dyn FnOnce(&mut Conn, &Desk) -> Result<Option<SecretString>, StoreError>>;

/// Writes the letter of a queued mail, inside the write that begins to send it: a feature's part. It looks at how things
/// are by then. `None`: there is nothing to send any more.
pub(crate) type Compose = fn(&mut Conn, &Queued, &Desk, Timestamp) -> Result<Option<Letter>, StoreError>;

/// Who writes the letters of each kind.
#[derive(Clone, Copy)]
pub(crate) struct Composers(pub fn(Kind) -> Compose);

impl NewMail {
    pub(crate) fn new(kind: Kind, language: Language) -> Self {
        Self { kind, language, user_id: None, data: Data::new() }
    }

    /// The account that it is for: if that is deleted, so is the mail.
    pub(crate) fn of(self, user_id: Id) -> Self {
        Self { user_id: Some(user_id), ..self }
    }

    /// Something that the sender will need to know, such as an address. Never a token.
    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.data.insert(name.to_owned(), value.into());
        self
    }
}

impl Queued {
    /// What was queued with the mail under that name; empty if there is nothing.
    pub(crate) fn value(&self, name: &str) -> &str {
        self.data.get(name).map_or("", String::as_str)
    }
}

impl Letter {
    /// A letter to an address. It may be only one that is stored, as it was given: never one that was just typed.
    pub(crate) fn to(address: impl Into<String>) -> Self {
        Self { to: address.into(), link: None, values: BTreeMap::new() }
    }

    /// With a link that is good for so many seconds. It is made only if the address may have another mail, since a new
    /// token can end an older one.
    pub(crate) fn with_link(
        self,
        ttl_seconds: u64,
        make: impl FnOnce(&mut Conn, &Desk) -> Result<Option<SecretString>, StoreError> + 'static,
    ) -> Self {
        Self { link: Some((Box::new(make), ttl_seconds)), ..self }
    }

    /// A value for the templates, one of those that the kind names. Nothing that a stranger can choose.
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.values.insert(name, value.into());
        self
    }
}

/// A letter to the owner of the account, at the address that it has by then: for notices. It has the value `at`: when that
/// happened which it tells of.
pub(crate) fn to_owner(conn: &mut Conn, mail: &Queued, _: &Desk, _: Timestamp) -> Result<Option<Letter>, StoreError> {
    let Some(user_id) = mail.user_id else { return Ok(None) };
    Ok(accounts::find_user(conn, user_id)?.map(|user| Letter::to(user.email).with("at", in_words(mail.queued_at))))
}

/// A time as people read it: `2026-11-21 20:58 UTC`.
pub(crate) fn in_words(time: Timestamp) -> String {
    let text = time.to_fixed_width();
    let minutes: String = text.as_str().chars().take("2026-11-21T20:58".len()).collect();
    format!("{} UTC", minutes.replace('T', " "))
}
