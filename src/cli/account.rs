//! Which account a command is about.

use super::CommandError;
use crate::accounts::Email;
use crate::accounts::store::{UserRow, find_user, find_user_by_email_key};
use crate::db::{Db, Id};

/// An account, by address or id.
#[derive(Clone)]
pub(super) enum Account {
    Email(Email),
    Id(Id),
}

/// The account that an argument names.
pub(super) async fn find_account(db: &Db, account: Account) -> Result<UserRow, CommandError> {
    let named = account.clone();
    let found = db.read(move |conn| match &named {
        Account::Email(email) => find_user_by_email_key(conn, &email.key()),
        Account::Id(id) => find_user(conn, *id),
    });
    found.await?.ok_or_else(|| {
        CommandError::Refused(match account {
            Account::Email(email) => format!("no account has the e-mail address {}", email.as_str()),
            Account::Id(id) => format!("no account has the id {id}"),
        })
    })
}

pub(super) fn parse_account(text: &str) -> Result<Account, String> {
    match Id::parse(text) {
        Some(id) => Ok(Account::Id(id)),
        None => text.parse().map(Account::Email).map_err(|_| "expected an e-mail address or an id".to_owned()),
    }
}
