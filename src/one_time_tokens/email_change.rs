//! The tokens that give an account another address: those for the new address, which make the change, and those for the
//! earlier address, which undo it.
//!
//! A token is made when its mail is sent, and once more if that has to be repeated. So a change that waits to be
//! confirmed, or that can be undone, is itself a row among the tokens, whose token nobody has seen. It never changes: a
//! further change is a further row.

use super::store::{self, Holder, NewToken, TokenRow};
use super::{Issued, OneTimeToken, Purpose, generate, insert, use_with_email};
use crate::accounts::Email;
use crate::accounts::store::{UserRow, find_user};
use crate::db::{Conn, Id, StoreError, Timestamp};

/// How long the earlier address can undo a change, in seconds: 7 days.
const UNDO_TTL_SECONDS: u64 = 7 * 86_400;

/// Most changes of an account within that time. The tokens that undo them are never replaced by newer ones, or whoever
/// changes the address often enough would get rid of the owner's.
const MAX_CHANGES: usize = 5;

/// Too many changes of address: the next may be made from then on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooManyChanges {
    pub until: Timestamp,
}

/// Inside a write, with the account locked: notes the address that the account is to have. This ends the change that was
/// pending.
pub(crate) fn insert_change(
    conn: &mut Conn,
    user: &UserRow,
    new_email: &Email,
    ttl_seconds: u64,
    now: Timestamp,
) -> Result<Result<(), TooManyChanges>, StoreError> {
    let made = store::list_of_account(conn, user.id, Purpose::EmailChangeUndo.as_str())?;
    let mut ends: Vec<Timestamp> = made.iter().map(|made| made.expires_at).filter(|end| *end > now).collect();
    ends.sort_unstable();
    ends.dedup();
    if let Some(until) = ends.iter().rev().nth(MAX_CHANGES - 1) {
        return Ok(Err(TooManyChanges { until: *until }));
    }
    let holder = holder(user);
    let pending = store::list_tokens(conn, holder, "", Purpose::EmailChange.as_str())?;
    store::delete_tokens(conn, &pending)?;
    let life = (now, now.plus_seconds(ttl_seconds));
    insert(conn, Purpose::EmailChange, holder, new_email.as_str().to_owned(), life)?;
    Ok(Ok(()))
}

/// Inside a write: makes a token for the new address of a change, if that is still pending.
pub(crate) fn issue_change(
    conn: &mut Conn,
    user_id: Id,
    new_email: &str,
    ttl_seconds: u64,
    now: Timestamp,
) -> Result<Option<Issued>, StoreError> {
    let Some(user) = find_user(conn, user_id)?.filter(|user| user.is_active) else { return Ok(None) };
    let is_it = |row: &TokenRow| row.email == new_email && row.credential_epoch == user.credential_epoch;
    let pending = store::list_of_account(conn, user_id, Purpose::EmailChange.as_str())?;
    if !pending.iter().any(|row| is_it(row) && row.expires_at > now) {
        return Ok(None);
    }
    let life = (now, now.plus_seconds(ttl_seconds));
    insert(conn, Purpose::EmailChange, holder(&user), new_email.to_owned(), life).map(Some)
}

/// Inside a write: uses the token of a new address. Returns the account, which is locked and has its earlier address, and
/// the new one.
pub(crate) fn use_change(
    conn: &mut Conn,
    token: &OneTimeToken,
    now: Timestamp,
) -> Result<Option<(UserRow, String)>, StoreError> {
    use_with_email(conn, Purpose::EmailChange, token, now)
}

/// Inside the write of a change: notes that it can be undone. `user` is the account before the change.
pub(crate) fn insert_undo(conn: &mut Conn, user: &UserRow, now: Timestamp) -> Result<(), StoreError> {
    let life = (now, now.plus_seconds(UNDO_TTL_SECONDS));
    insert_undo_token(conn, user.id, user.email.clone(), life).map(drop)
}

/// Until when a change can be undone that was made at that time; `None`: it cannot be undone any more.
pub(crate) fn find_undo(
    conn: &mut Conn,
    user_id: Id,
    earlier_email: &str,
    changed_at: Timestamp,
    now: Timestamp,
) -> Result<Option<Timestamp>, StoreError> {
    let made = store::list_of_account(conn, user_id, Purpose::EmailChangeUndo.as_str())?;
    let is_it = |row: &&TokenRow| row.email == earlier_email && row.created_at == changed_at && row.expires_at > now;
    Ok(made.iter().find(is_it).map(|row| row.expires_at))
}

/// Inside a write: makes a token for the earlier address, if the change can still be undone. All tokens of a change end
/// at the same time.
pub(crate) fn issue_undo(
    conn: &mut Conn,
    user_id: Id,
    earlier_email: &str,
    changed_at: Timestamp,
    now: Timestamp,
) -> Result<Option<Issued>, StoreError> {
    let Some(until) = find_undo(conn, user_id, earlier_email, changed_at, now)? else { return Ok(None) };
    insert_undo_token(conn, user_id, earlier_email.to_owned(), (changed_at, until)).map(Some)
}

/// Inside a write: uses the token of an earlier address. Returns the account, which is locked, and that address. Changes
/// that were made later can no longer be undone: of two addresses that the account had, the earlier one has the say.
pub(crate) fn use_undo(
    conn: &mut Conn,
    token: &OneTimeToken,
    now: Timestamp,
) -> Result<Option<(UserRow, String)>, StoreError> {
    use_with_email(conn, Purpose::EmailChangeUndo, token, now)
}

/// Inserts a token beside all that there are.
fn insert_undo_token(
    conn: &mut Conn,
    user_id: Id,
    email: String,
    life: (Timestamp, Timestamp),
) -> Result<Issued, StoreError> {
    let token = generate(Purpose::EmailChangeUndo)?;
    // It does not depend on the state of the account.
    let holder = Holder::Account { user_id, epoch: 0 };
    store::insert_token(conn, &NewToken::new(Purpose::EmailChangeUndo.as_str(), token.hash(), holder, email, life))?;
    Ok(Issued { token, expires_at: life.1 })
}

fn holder(user: &UserRow) -> Holder {
    Holder::Account { user_id: user.id, epoch: user.credential_epoch }
}
