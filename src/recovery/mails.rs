//! The letters with links back into an account.

use crate::accounts::Email;
use crate::accounts::store as accounts;
use crate::db::{Conn, StoreError, Timestamp};
use crate::mail::{Desk, Letter, Queued, in_words};
use crate::one_time_tokens::email_change::{find_undo, issue_undo};
use crate::one_time_tokens::{Purpose, RESET_TTL_SECONDS, issue};

/// The name under which a request for a reset keeps the address that was typed.
pub(super) const ADDRESS: &str = "address";

/// The names under which the mail that can undo a change keeps the earlier address, and the time of the change.
pub(super) const EARLIER_EMAIL: &str = "earlier_email";
pub(super) const CHANGED_AT: &str = "changed_at";

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

/// The letter to the earlier address of an account, which can undo the change.
pub(crate) fn compose_changed(
    conn: &mut Conn,
    mail: &Queued,
    _: &Desk,
    now: Timestamp,
) -> Result<Option<Letter>, StoreError> {
    let (earlier_email, changed_at) = (mail.value(EARLIER_EMAIL).to_owned(), mail.value(CHANGED_AT).parse());
    let Some((user_id, Ok(changed_at))) = mail.user_id.zip(Some(changed_at.map(Timestamp::from_millis))) else {
        return Ok(None);
    };
    let Some(until) = find_undo(conn, user_id, &earlier_email, changed_at, now)? else { return Ok(None) };
    // To the nearest hour, so that it is 7 days some moments later.
    let left_seconds = u64::try_from(until.millis() - now.millis()).unwrap_or_default() / 1000;
    let shown_seconds = (left_seconds + 1800) / 3600 * 3600;
    let letter = Letter::to(earlier_email.clone()).with_link(shown_seconds, move |conn, desk| {
        let issued = issue_undo(conn, user_id, &earlier_email, changed_at, now)?;
        Ok(issued.map(|issued| desk.links.url(Purpose::EmailChangeUndo, &issued.token)))
    });
    Ok(Some(letter.with("at", in_words(changed_at))))
}
