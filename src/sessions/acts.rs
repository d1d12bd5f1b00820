//! What admins and the operator do to an account, by a route or by a command. Each act records its events, and ends the
//! sessions that must not outlive it.

use super::Sessions;
use super::end::{Caller, CallerGone, end_with_event};
use super::revocations::store::{Ended, Which, end_sessions};
use crate::accounts::admins;
use crate::accounts::admins::store::{UserChange, update_user};
use crate::accounts::store::{self as accounts, NewUser, UserRow};
use crate::audit::{EventType, NewEvent, Source, insert_event};
use crate::db::{Conn, Id, StoreError, Timestamp};
use crate::fields::Change;

/// What to do to an account.
#[derive(Clone)]
pub(crate) enum Act {
    SignOut,
    Change(Changes),
    /// The new password's hash.
    SetPassword(String),
    Delete,
}

/// What to change of an account; `None` leaves it.
#[derive(Clone)]
pub(crate) struct Changes {
    pub is_active: Option<bool>,
    pub is_admin: Option<bool>,
    pub email_verified: Option<bool>,
    pub full_name: Change<String>,
}

/// An act that was done.
pub(crate) struct Done {
    /// The account as it is now; `None`: it is deleted.
    pub user: Option<UserRow>,
    pub ended: Vec<Ended>,
}

impl Changes {
    pub(crate) const NONE: Self =
        Self { is_active: None, is_admin: None, email_verified: None, full_name: Change::Keep };
}

impl Sessions {
    /// Does something to an account on behalf of an admin. The inner `None`: there is no such account.
    pub(crate) async fn act_as(
        &self,
        admin: Caller,
        id: Id,
        act: Act,
        source: Source,
        now: Timestamp,
    ) -> Result<Result<Option<Done>, CallerGone>, StoreError> {
        let done = self.write_as_admin(admin, move |conn| act_on(conn, id, &act, &source, now)).await?;
        if let Ok(Some(done)) = &done {
            self.revocations.add(&done.ended, now);
        }
        Ok(done)
    }
}

/// Inside a write: creates an account.
///
/// # Errors
/// [`StoreError::Taken`] when an account has that address.
pub(crate) fn create_user(
    conn: &mut Conn,
    user: &NewUser,
    source: &Source,
    now: Timestamp,
) -> Result<UserRow, StoreError> {
    let row = accounts::insert_user(conn, user)?;
    let event = NewEvent::new(EventType::UserCreated, source, now).of(row.id);
    insert_event(conn, &if row.is_admin { event.with("is_admin", true) } else { event })?;
    Ok(row)
}

/// Inside a write: does something to an account. `None`: there is no such account.
///
/// # Errors
/// [`StoreError::Refused`] when the last active admin would be gone.
pub(crate) fn act_on(
    conn: &mut Conn,
    id: Id,
    act: &Act,
    source: &Source,
    now: Timestamp,
) -> Result<Option<Done>, StoreError> {
    admins::lock(conn)?;
    // A concurrent login commits first, and its session is ended here, or begins its session afterwards.
    accounts::lock_user(conn, id)?;
    let Some(user) = accounts::find_user(conn, id)? else { return Ok(None) };
    let ended = match act {
        Act::SignOut => end_with_event(conn, all_of(id), event(EventType::SessionEnded, id, source, now), now)?,
        Act::Change(changes) => change(conn, user, changes, source, now)?,
        Act::SetPassword(hash) => {
            let ended = end_sessions(conn, all_of(id), now)?;
            accounts::update_password(conn, id, hash, now)?;
            insert_event(conn, &counted(event(EventType::PasswordChanged, id, source, now), &ended))?;
            ended
        }
        Act::Delete => delete(conn, id, source, now)?,
    };
    Ok(Some(Done { user: accounts::find_user(conn, id)?, ended }))
}

fn change(
    conn: &mut Conn,
    user: UserRow,
    changes: &Changes,
    source: &Source,
    now: Timestamp,
) -> Result<Vec<Ended>, StoreError> {
    let mut new = UserChange {
        full_name: match &changes.full_name {
            Change::Keep => user.full_name.clone(),
            Change::Clear => None,
            Change::Set(name) => Some(name.clone()),
        },
        is_active: changes.is_active.unwrap_or(user.is_active),
        is_admin: changes.is_admin.unwrap_or(user.is_admin),
        email_verified: changes.email_verified.unwrap_or(user.email_verified),
        credential_epoch: user.credential_epoch,
        updated_at: now,
    };
    let kinds = kinds_of(&user, &new);
    let ends_sessions = |kind: &EventType| matches!(kind, EventType::UserDisabled | EventType::AdminRevoked);
    let mut ended = Vec::new();
    if kinds.iter().any(ends_sessions) {
        admins::keep_one(conn, user.id)?;
        ended = end_sessions(conn, all_of(user.id), now)?;
        new.credential_epoch += 1;
    }
    if !kinds.is_empty() {
        update_user(conn, user.id, &new)?;
    }
    let names = names_of(&user, &new);
    // The first of the events that end sessions says how many.
    let first = kinds.iter().position(ends_sessions);
    for (at, kind) in kinds.into_iter().enumerate() {
        let event = event(kind, user.id, source, now);
        let event = if kind == EventType::UserChanged { event.with("fields", names.clone()) } else { event };
        insert_event(conn, &if first == Some(at) { counted(event, &ended) } else { event })?;
    }
    Ok(ended)
}

/// The events of a change.
fn kinds_of(old: &UserRow, new: &UserChange) -> Vec<EventType> {
    let flag = |before: bool, after: bool, set: EventType, taken: EventType| {
        (before != after).then_some(if after { set } else { taken })
    };
    let kinds = [
        flag(old.is_active, new.is_active, EventType::UserEnabled, EventType::UserDisabled),
        flag(old.is_admin, new.is_admin, EventType::AdminGranted, EventType::AdminRevoked),
        flag(old.email_verified, new.email_verified, EventType::EmailVerified, EventType::UserChanged),
        (old.full_name != new.full_name).then_some(EventType::UserChanged),
    ];
    let mut kinds: Vec<EventType> = kinds.into_iter().flatten().collect();
    kinds.dedup();
    kinds
}

/// The fields whose change has no event of its own.
fn names_of(old: &UserRow, new: &UserChange) -> Vec<&'static str> {
    let has_lost_proof = old.email_verified && !new.email_verified;
    let names = [(has_lost_proof, "email_verified"), (old.full_name != new.full_name, "full_name")];
    names.into_iter().filter_map(|(is_changed, name)| is_changed.then_some(name)).collect()
}

fn delete(conn: &mut Conn, id: Id, source: &Source, now: Timestamp) -> Result<Vec<Ended>, StoreError> {
    admins::keep_one(conn, id)?;
    let ended = end_sessions(conn, all_of(id), now)?;
    let event = counted(event(EventType::UserDeleted, id, source, now), &ended);
    // The deletion clears what the account's events tell of its owner. That of somebody else's act stays whole.
    let is_own = source.actor_id == Some(id);
    if is_own {
        insert_event(conn, &event)?;
    }
    accounts::delete_user(conn, id)?;
    if !is_own {
        insert_event(conn, &event)?;
    }
    Ok(ended)
}

fn all_of(user_id: Id) -> Which {
    Which::AllOf { user_id, except: None }
}

fn event(kind: EventType, id: Id, source: &Source, now: Timestamp) -> NewEvent {
    NewEvent::new(kind, source, now).of(id)
}

/// The event with the number of sessions that ended, if any did.
fn counted(event: NewEvent, ended: &[Ended]) -> NewEvent {
    if ended.is_empty() { event } else { event.with("sessions_ended", ended.len()) }
}
