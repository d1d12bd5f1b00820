//! Sign-ups that wait until their address is proven, and the tokens that prove it.
//!
//! Nothing of a sign-up stands in the table of accounts before that. Several may wait for one address: each has tokens of
//! its own, which create the account with the password of that sign-up and no other.

mod store;

use super::store::{NewToken, insert_token};
use super::{Issued, OneTimeToken, Purpose, find, generate};
use crate::db::{Conn, Db, Id, StoreError, Timestamp};
pub(crate) use store::{NewSignUp, SignUpRow};

/// Most sign-ups that wait for one address. A further one takes the place of the oldest.
const MAX_PER_ADDRESS: i64 = 20;
/// Most sign-ups that wait from one network. A further one takes the place of the oldest.
const MAX_PER_NETWORK: i64 = 1000;
/// How long a sign-up is kept beyond the life of its link, in seconds: that begins when the mail is sent.
pub(crate) const MAIL_SECONDS: u64 = 86_400;

/// Inside a write: keeps a sign-up until its address is proven. The work does not depend on whether an account has the
/// address.
pub(crate) fn insert_sign_up(conn: &mut Conn, sign_up: &NewSignUp) -> Result<Id, StoreError> {
    let mut surplus = store::list_of_address(conn, &sign_up.email_key, MAX_PER_ADDRESS - 1)?;
    surplus.extend(store::list_of_network(conn, &sign_up.network, MAX_PER_NETWORK - 1)?);
    store::delete_sign_ups(conn, &surplus)?;
    store::insert_sign_up(conn, sign_up)
}

/// A sign-up that waits.
pub(crate) fn find_sign_up(conn: &mut Conn, id: Id, now: Timestamp) -> Result<Option<SignUpRow>, StoreError> {
    Ok(store::find_sign_up(conn, id)?.filter(|row| row.expires_at > now))
}

/// Inside a write: makes a token for a sign-up, if it still waits.
pub(crate) fn issue_sign_up(
    conn: &mut Conn,
    id: Id,
    ttl_seconds: u64,
    now: Timestamp,
) -> Result<Option<Issued>, StoreError> {
    let Some(row) = find_sign_up(conn, id, now)? else { return Ok(None) };
    let (token, expires_at) = (generate(Purpose::SignUp)?, now.plus_seconds(ttl_seconds));
    insert_token(
        conn,
        &NewToken::of_sign_up(Purpose::SignUp.as_str(), token.hash(), id, row.email, (now, expires_at)),
    )?;
    Ok(Some(Issued { token, expires_at }))
}

/// The sign-up that a good token is for. This does not use the token.
pub(crate) fn find_by_token(
    conn: &mut Conn,
    token: &OneTimeToken,
    now: Timestamp,
) -> Result<Option<SignUpRow>, StoreError> {
    let token = find(conn, Purpose::SignUp, token, now)?;
    token.and_then(|token| token.pending_signup_id).map_or(Ok(None), |id| find_sign_up(conn, id, now))
}

/// Inside a write: uses a token, and returns the sign-up that it is for. Of all who try, only one gets it. All other
/// sign-ups that wait for the address end as well.
pub(crate) fn use_sign_up(
    conn: &mut Conn,
    token: &OneTimeToken,
    now: Timestamp,
) -> Result<Option<SignUpRow>, StoreError> {
    let Some(found) = find_by_token(conn, token, now)? else { return Ok(None) };
    let waiting = store::lock_of_address(conn, &found.email_key)?;
    // It may have been used, or ended by the use of another one, before the lock was there.
    if find_by_token(conn, token, now)?.is_none() {
        return Ok(None);
    }
    store::delete_sign_ups(conn, &waiting)?;
    Ok(Some(found))
}

/// Deletes a batch of the sign-ups that were never confirmed. Returns whether there may be more.
pub(crate) async fn delete_expired(db: &Db, now: Timestamp) -> Result<bool, StoreError> {
    db.write(move |conn| store::delete_expired(conn, now)).await
}
