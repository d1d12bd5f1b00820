//! One-time tokens: the secrets in links that reset a password, confirm an address or invite.
//!
//! A token is a prefix for its purpose and 256 random bits. The database keeps only its SHA-256. It is good once, for a
//! while, for one purpose, and as long as the account is as it was: a new password, another address or a disabled
//! account makes it worthless. Nobody can tell why a token is refused.
//!
//! [`issue`] and [`invite`] make a token, inside a write:
//!
//! ```text
//! let issued = db.write(move |conn| issue(conn, Purpose::PasswordReset, user_id, RESET_TTL_SECONDS, now)).await?;
//! let url = links.url(Purpose::PasswordReset, &issued.token);
//! ```
//!
//! [`find_account`] looks at one without using it, and [`use_for_account`] uses it, inside the write with its effect.
//! [`email_change`] has the tokens that give an account another address, [`sign_up`] those that create one.

pub(crate) mod email_change;
pub(crate) mod links;
mod model;
pub(crate) mod sign_up;
mod store;

use crate::accounts::Email;
use crate::accounts::store::{self as accounts, UserRow};
use crate::db::{Conn, Db, Id, StoreError, Timestamp};
pub(crate) use model::{Issued, OneTimeToken, Purpose};
use store::{Holder, NewToken, TokenRow};

/// How long a token to reset a password is good, in seconds.
pub(crate) const RESET_TTL_SECONDS: u64 = 30 * 60;

/// Most tokens of one purpose that an account, or an invited address, has at a time. More than one, because the mail that
/// was sent last may not be the one that arrives first.
const MAX_LIVE: usize = 3;

/// Inside a write: makes a token for an account, which is locked then. It is for the address that the account has: sent
/// to any other, it would prove nothing. `None` if the account is gone or disabled.
pub(crate) fn issue(
    conn: &mut Conn,
    purpose: Purpose,
    user_id: Id,
    ttl_seconds: u64,
    now: Timestamp,
) -> Result<Option<Issued>, StoreError> {
    accounts::lock_user(conn, user_id)?;
    let may_have = |user: &UserRow| may_use(user, purpose, now);
    let Some(user) = accounts::find_user(conn, user_id)?.filter(may_have) else { return Ok(None) };
    let (epoch, email) = (user.credential_epoch, user.email);
    insert(conn, purpose, Holder::Account { user_id, epoch }, email, (now, now.plus_seconds(ttl_seconds))).map(Some)
}

/// Inside a write: makes an invitation for an address.
pub(crate) fn invite(conn: &mut Conn, email: &Email, ttl_seconds: u64, now: Timestamp) -> Result<Issued, StoreError> {
    let life = (now, now.plus_seconds(ttl_seconds));
    insert(conn, Purpose::Invitation, Holder::Invited, email.as_str().to_owned(), life)
}

/// The account that a good token is for. This does not use the token.
pub(crate) fn find_account(
    conn: &mut Conn,
    purpose: Purpose,
    token: &OneTimeToken,
    now: Timestamp,
) -> Result<Option<UserRow>, StoreError> {
    match find(conn, purpose, token, now)? {
        Some(token) => account_of(conn, purpose, &token, now),
        None => Ok(None),
    }
}

/// Inside a write: uses a token, and returns the account that it is for, locked. Of all who try, only one gets it. The
/// other tokens of the account for this purpose end as well.
pub(crate) fn use_for_account(
    conn: &mut Conn,
    purpose: Purpose,
    token: &OneTimeToken,
    now: Timestamp,
) -> Result<Option<UserRow>, StoreError> {
    Ok(use_with_email(conn, purpose, token, now)?.map(|(user, _)| user))
}

/// The address that a good invitation is for. This does not use the invitation.
pub(crate) fn find_invited(
    conn: &mut Conn,
    token: &OneTimeToken,
    now: Timestamp,
) -> Result<Option<String>, StoreError> {
    Ok(find(conn, Purpose::Invitation, token, now)?.map(|token| token.email))
}

/// Inside a write: uses an invitation, and returns the address that it is for. Of all who try, only one gets it. The
/// other invitations of the address end as well.
pub(crate) fn use_invitation(
    conn: &mut Conn,
    token: &OneTimeToken,
    now: Timestamp,
) -> Result<Option<String>, StoreError> {
    match find(conn, Purpose::Invitation, token, now)? {
        Some(token) if use_up(conn, Purpose::Invitation, &token)? => Ok(Some(token.email)),
        _ => Ok(None),
    }
}

/// The purpose of each token of an account, and from when to when it is good.
pub(crate) fn list_of_account(conn: &mut Conn, user_id: Id) -> Result<Vec<(String, Timestamp, Timestamp)>, StoreError> {
    store::list_purposes_of_account(conn, user_id)
}

/// Deletes a batch of expired tokens. Returns whether there may be more.
pub(crate) async fn delete_expired(db: &Db, now: Timestamp) -> Result<bool, StoreError> {
    db.write(move |conn| store::delete_expired(conn, now)).await
}

/// The same, with the address that the token was sent to.
fn use_with_email(
    conn: &mut Conn,
    purpose: Purpose,
    token: &OneTimeToken,
    now: Timestamp,
) -> Result<Option<(UserRow, String)>, StoreError> {
    let Some(token) = find(conn, purpose, token, now)? else { return Ok(None) };
    if let Some(user_id) = token.user_id {
        accounts::lock_user(conn, user_id)?;
    }
    match account_of(conn, purpose, &token, now)? {
        Some(user) if use_up(conn, purpose, &token)? => Ok(Some((user, token.email))),
        _ => Ok(None),
    }
}

fn insert(
    conn: &mut Conn,
    purpose: Purpose,
    holder: Holder,
    email: String,
    life: (Timestamp, Timestamp),
) -> Result<Issued, StoreError> {
    let token = generate(purpose)?;
    let newest_first = store::list_tokens(conn, holder, &email, purpose.as_str())?;
    let surplus: Vec<Id> = newest_first.into_iter().skip(MAX_LIVE - 1).collect();
    store::delete_tokens(conn, &surplus)?;
    let row = NewToken::new(purpose.as_str(), token.hash(), holder, email, life);
    store::insert_token(conn, &row)?;
    Ok(Issued { token, expires_at: life.1 })
}

fn generate(purpose: Purpose) -> Result<OneTimeToken, StoreError> {
    OneTimeToken::generate(purpose).map_err(|error| StoreError::Internal(error.to_string()))
}

fn find(
    conn: &mut Conn,
    purpose: Purpose,
    token: &OneTimeToken,
    now: Timestamp,
) -> Result<Option<TokenRow>, StoreError> {
    let row = store::find_token(conn, &token.hash())?;
    Ok(row.filter(|row| row.purpose == purpose.as_str() && row.expires_at > now))
}

/// The account of a token, if it is still as it was when the token was made.
fn account_of(
    conn: &mut Conn,
    purpose: Purpose,
    token: &TokenRow,
    now: Timestamp,
) -> Result<Option<UserRow>, StoreError> {
    let Some(user_id) = token.user_id else { return Ok(None) };
    let is_same = |user: &UserRow| match purpose {
        // It was sent to an address that the account does not have yet.
        Purpose::EmailChange => user.credential_epoch == token.credential_epoch,
        // Nothing that whoever took the account over can do makes it worthless.
        Purpose::EmailChangeUndo => true,
        _ => user.email == token.email && user.credential_epoch == token.credential_epoch,
    };
    Ok(accounts::find_user(conn, user_id)?.filter(|user| may_use(user, purpose, now) && is_same(user)))
}

/// Whether the owner of an account can use a token for that purpose. An account that is about to be deleted can be given a
/// new password, for the login that brings it back, and its former address, if whoever took it over also deleted it.
fn may_use(user: &UserRow, purpose: Purpose, now: Timestamp) -> bool {
    let is_way_back = matches!(purpose, Purpose::PasswordReset | Purpose::EmailChangeUndo);
    user.is_active || (is_way_back && user.may_log_in(now))
}

/// Deletes a token and all others of its holder for this purpose. Returns false if another request was first.
fn use_up(conn: &mut Conn, purpose: Purpose, token: &TokenRow) -> Result<bool, StoreError> {
    if store::delete_tokens(conn, &[token.id])? == 0 {
        return Ok(false);
    }
    let others = match (purpose, token.user_id) {
        (Purpose::EmailChangeUndo, Some(user_id)) => {
            let mut rows = store::list_of_account(conn, user_id, purpose.as_str())?;
            rows.retain(|row| row.created_at >= token.created_at);
            rows.into_iter().map(|row| row.id).collect()
        }
        _ => store::list_tokens(conn, token.holder(), &token.email, purpose.as_str())?,
    };
    store::delete_tokens(conn, &others)?;
    Ok(true)
}
