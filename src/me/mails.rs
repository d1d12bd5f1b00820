//! The letters about sign-ups, and about a change of address that the owner asks for.

use crate::accounts::Email;
use crate::accounts::store::{find_id_by_email_key, find_user_by_email_key};
use crate::db::{Conn, Id, StoreError, Timestamp};
use crate::mail::{Desk, Letter, Queued, in_words};
use crate::one_time_tokens::Purpose;
use crate::one_time_tokens::email_change::issue_change;
use crate::one_time_tokens::sign_up::{find_sign_up, issue_sign_up};

/// The name under which the mail of a change keeps the new address.
pub(super) const NEW_EMAIL: &str = "new_email";
/// The name under which the notice keeps the address that the account had when the change was asked for.
pub(super) const PRESENT_EMAIL: &str = "present_email";

/// The name under which the mail of a sign-up keeps its id.
pub(super) const SIGN_UP: &str = "sign_up";
/// The name under which the mail for somebody who has an account already keeps the address that was typed.
pub(super) const ADDRESS: &str = "address";

/// The letter with the link that creates the account of a sign-up. If an account has the address, its owner gets the other
/// letter.
pub(crate) fn compose_sign_up(
    conn: &mut Conn,
    mail: &Queued,
    desk: &Desk,
    now: Timestamp,
) -> Result<Option<Letter>, StoreError> {
    let Some(id) = Id::parse(mail.value(SIGN_UP)) else { return Ok(None) };
    let Some(row) = find_sign_up(conn, id, now)? else { return Ok(None) };
    if find_id_by_email_key(conn, &row.email_key)?.is_some() {
        return Ok(None);
    }
    let ttl_seconds = desk.accounts.verification_ttl_seconds;
    let letter = Letter::to(row.email).with_link(ttl_seconds, move |conn, desk| {
        let issued = issue_sign_up(conn, id, ttl_seconds, now)?;
        Ok(issued.map(|issued| desk.links.url(Purpose::SignUp, &issued.token)))
    });
    Ok(Some(letter))
}

/// The letter to the owner of an account that was there before somebody signed up with its address.
pub(crate) fn compose_taken(
    conn: &mut Conn,
    mail: &Queued,
    _: &Desk,
    _: Timestamp,
) -> Result<Option<Letter>, StoreError> {
    let user = find_user_by_email_key(conn, &Email::key_of(mail.value(ADDRESS)))?;
    let user = user.filter(|user| user.is_active && user.created_at < mail.queued_at);
    Ok(user.map(|user| Letter::to(user.email)))
}

/// The letter to the new address. If another account has that address, nobody gets one: whether it does is only looked up
/// here, long after the response, and its owner can do nothing about it.
pub(crate) fn compose_change(
    conn: &mut Conn,
    mail: &Queued,
    desk: &Desk,
    now: Timestamp,
) -> Result<Option<Letter>, StoreError> {
    let Some(user_id) = mail.user_id else { return Ok(None) };
    let new_email = mail.value(NEW_EMAIL).to_owned();
    let holder = find_id_by_email_key(conn, &Email::key_of(&new_email))?;
    if holder.is_some_and(|holder| holder != user_id) {
        return Ok(None);
    }
    let ttl_seconds = desk.accounts.verification_ttl_seconds;
    let letter = Letter::to(new_email.clone()).with_link(ttl_seconds, move |conn, desk| {
        let issued = issue_change(conn, user_id, &new_email, ttl_seconds, now)?;
        Ok(issued.map(|issued| desk.links.url(Purpose::EmailChange, &issued.token)))
    });
    Ok(Some(letter))
}

/// The notice to the present address, even if it is an earlier one by now.
pub(crate) fn compose_asked(_: &mut Conn, mail: &Queued, _: &Desk, _: Timestamp) -> Result<Option<Letter>, StoreError> {
    Ok(Some(Letter::to(mail.value(PRESENT_EMAIL)).with("at", in_words(mail.queued_at))))
}
