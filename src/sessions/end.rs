//! Ends sessions, and writes on behalf of those that have not ended.

use super::Sessions;
use super::revocations::store::{Ended, Which, end_sessions};
use crate::accounts::store::{self as accounts, UserRow};
use crate::audit::{EventType, NewEvent, Source, insert_event};
use crate::db::{Conn, Db, Id, StoreError, Timestamp};
use crate::sessions::store;

/// The account and the session that a request acts for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caller {
    pub user_id: Id,
    pub session_id: Id,
}

/// Why a caller is refused although its access token was valid when the request arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CallerGone {
    /// The account was deleted or disabled.
    Account,
    /// The session has ended.
    Session,
}

impl Sessions {
    /// Writes on behalf of a caller. A request may have waited since its token was checked (for its body, a hash or the
    /// database), so the transaction checks the account and the session again.
    pub(crate) async fn write_as<T, F>(&self, caller: Caller, work: F) -> Result<Result<T, CallerGone>, StoreError>
    where
        T: Send + 'static,
        F: Fn(&mut Conn, UserRow) -> Result<T, StoreError> + Send + 'static,
    {
        let Caller { user_id, session_id } = caller;
        self.db
            .write(move |conn| {
                // Until this commits, no login that read the old state can begin a session.
                accounts::lock_user(conn, user_id)?;
                let Some(user) = accounts::find_user(conn, user_id)?.filter(|user| user.is_active) else {
                    return Ok(Err(CallerGone::Account));
                };
                match store::find_session(conn, session_id)? {
                    Some(session) if session.user_id == user_id && session.revoked_at.is_none() => {
                        work(conn, user).map(Ok)
                    }
                    _ => Ok(Err(CallerGone::Session)),
                }
            })
            .await
    }

    /// Writes on behalf of a caller who has confirmed it with the password, if the account still has the hash that the
    /// password was compared with. `None`: it has another.
    pub(crate) async fn write_as_owner<T, F>(
        &self,
        caller: Caller,
        compared_hash: String,
        work: F,
    ) -> Result<Result<Option<T>, CallerGone>, StoreError>
    where
        T: Send + 'static,
        F: Fn(&mut Conn, UserRow) -> Result<T, StoreError> + Send + 'static,
    {
        self.write_as(
            caller,
            move |conn, user| {
                if user.password_hash == compared_hash { work(conn, user).map(Some) } else { Ok(None) }
            },
        )
        .await
    }

    /// Changes the caller's account and ends its sessions, except one, if the account still has the hash that the
    /// password was compared with. Returns whether it has.
    pub(crate) async fn change_account<F>(
        &self,
        caller: Caller,
        compared_hash: String,
        except: Option<Id>,
        change: F,
        now: Timestamp,
    ) -> Result<Result<bool, CallerGone>, StoreError>
    where
        F: Fn(&mut Conn, Timestamp) -> Result<(), StoreError> + Send + 'static,
    {
        let changed = self
            .write_as_owner(caller, compared_hash, move |conn, user| {
                let ended = end_sessions(conn, Which::AllOf { user_id: user.id, except }, now)?;
                change(conn, now)?;
                Ok(ended)
            })
            .await?;
        Ok(changed.map(|ended| ended.inspect(|ended| self.revocations.add(ended, now)).is_some()))
    }

    /// Makes a change that ends all sessions of the account whose id it returns, which it must have locked. Returns
    /// whether there was one.
    pub(crate) async fn end_all_with<F>(&self, change: F, now: Timestamp) -> Result<bool, StoreError>
    where
        F: Fn(&mut Conn) -> Result<Option<Id>, StoreError> + Send + 'static,
    {
        let ended = self
            .db
            .write(move |conn| match change(conn)? {
                Some(user_id) => end_sessions(conn, Which::AllOf { user_id, except: None }, now).map(Some),
                None => Ok(None),
            })
            .await?;
        Ok(ended.inspect(|ended| self.revocations.add(ended, now)).is_some())
    }

    /// Logs out: ends a session of that user.
    pub(crate) async fn end(&self, user_id: Id, id: Id, source: &Source, now: Timestamp) -> Result<(), StoreError> {
        let event = NewEvent::new(EventType::LogOut, source, now).by_owner(user_id);
        let which = Which::One { user_id, id };
        let ended = self.db.write(move |conn| end_with_event(conn, which, event.clone(), now)).await?;
        self.revocations.add(&ended, now);
        Ok(())
    }

    /// Ends sessions of the caller's account and returns how many.
    pub(crate) async fn end_as(
        &self,
        caller: Caller,
        which: Which,
        source: &Source,
        now: Timestamp,
    ) -> Result<Result<usize, CallerGone>, StoreError> {
        let event = NewEvent::new(EventType::SessionEnded, source, now).of(caller.user_id);
        let ended = self.write_as(caller, move |conn, _| end_with_event(conn, which, event.clone(), now)).await?;
        Ok(ended.map(|ended| {
            self.revocations.add(&ended, now);
            ended.len()
        }))
    }
}

/// Ends all sessions of a user, in every process.
pub(crate) async fn end_sessions_of_user(
    db: &Db,
    user_id: Id,
    source: &Source,
    now: Timestamp,
) -> Result<(), StoreError> {
    let event = NewEvent::new(EventType::SessionEnded, source, now).of(user_id);
    db.write(move |conn| {
        // A concurrent login commits first and is ended here, or begins its session afterwards.
        accounts::lock_user(conn, user_id)?;
        end_with_event(conn, Which::AllOf { user_id, except: None }, event.clone(), now).map(drop)
    })
    .await
}

/// Ends sessions and, if there were any, records the event: with the id of one, or the number of several. With all
/// sessions, the links that the account was sent end as well.
pub(crate) fn end_with_event(
    conn: &mut Conn,
    which: Which,
    event: NewEvent,
    now: Timestamp,
) -> Result<Vec<Ended>, StoreError> {
    let ended = end_sessions(conn, which, now)?;
    if let Which::AllOf { user_id, .. } = which {
        accounts::end_tokens(conn, user_id)?;
    }
    match ended.as_slice() {
        [] => {}
        [one] => insert_event(conn, &event.in_session(one.session_id))?,
        several => insert_event(conn, &event.with("sessions_ended", several.len()))?,
    }
    Ok(ended)
}
