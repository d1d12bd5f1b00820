//! The letters with links back into an account.

use crate::accounts::Email;
use crate::accounts::store as accounts;
use crate::db::{Conn, StoreError, Timestamp};
use crate::mail::{Desk, Letter, Queued};
use crate::one_time_tokens::{Purpose, RESET_TTL_SECONDS, issue};

/// The name under which a request for a reset keeps the address that was typed.
pub(super) const ADDRESS: &str = "address";

/// The letter that resets a password. Whether an account has the address is only looked up here, long after the answer.
pub(crate) fn compose_reset(
    conn: &mut Conn,
    mail: &Queued,
    _: &Desk,
    now: Timestamp,
) -> Result<Option<Letter>, StoreError> {
    let user = accounts::find_user_by_email_key(conn, &Email::key_of(mail.value(ADDRESS)))?;
    let Some(user) = user.filter(|user| user.is_active) else { return Ok(None) };
    // To the address of the account, never to the one that was typed: they may differ in more than case.
    let letter = Letter::to(user.email).with_link(RESET_TTL_SECONDS, move |conn, desk| {
        let issued = issue(conn, Purpose::PasswordReset, user.id, RESET_TTL_SECONDS, now)?;
        Ok(issued.map(|issued| desk.links.url(Purpose::PasswordReset, &issued.token)))
    });
    Ok(Some(letter))
}

/// The letter that confirms the address of an account.
pub(crate) fn compose_verification(
    conn: &mut Conn,
    mail: &Queued,
    desk: &Desk,
    now: Timestamp,
) -> Result<Option<Letter>, StoreError> {
    let Some(user_id) = mail.user_id else { return Ok(None) };
    let user = accounts::find_user(conn, user_id)?;
    let Some(user) = user.filter(|user| user.is_active && !user.email_verified) else { return Ok(None) };
    let ttl_seconds = desk.accounts.verification_ttl_seconds;
    let letter = Letter::to(user.email).with_link(ttl_seconds, move |conn, desk| {
        let issued = issue(conn, Purpose::EmailVerification, user_id, ttl_seconds, now)?;
        Ok(issued.map(|issued| desk.links.url(Purpose::EmailVerification, &issued.token)))
    });
    Ok(Some(letter))
}
