//! Ends sessions, and writes on behalf of those that have not ended.

use super::Sessions;
use super::revocations::store::{Ended, Which, end_sessions};
use crate::accounts::admins;
use crate::accounts::store::{self as accounts, UserRow};
use crate::audit::{EventType, NewEvent, Source, insert_event};
use crate::db::{Conn, Id, StoreError, Timestamp};
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
    /// The account is no admin's any more.
    Rights,
}

impl Sessions {
    /// Writes on behalf of a caller. A request may have waited since its token was checked (for its body, a hash or the
    /// database), so the transaction checks the account and the session again.
    pub(crate) async fn write_as<T, F>(&self, caller: Caller, work: F) -> Result<Result<T, CallerGone>, StoreError>
    where
        T: Send + 'static,
        F: Fn(&mut Conn, UserRow) -> Result<T, StoreError> + Send + 'static,
    {
        self.write_after(|_| Ok(()), caller, work).await
    }

    /// The same, after something else was locked.
    async fn write_after<T, F, L>(&self, lock: L, caller: Caller, work: F) -> Result<Result<T, CallerGone>, StoreError>
    where
        T: Send + 'static,
        F: Fn(&mut Conn, UserRow) -> Result<T, StoreError> + Send + 'static,
        L: Fn(&mut Conn) -> Result<(), StoreError> + Send + 'static,
    {
        self.db
            .write(move |conn| {
                lock(conn)?;
                // Until this commits, no login that read the old state can begin a session.
                accounts::lock_user(conn, caller.user_id)?;
                match find_caller(conn, caller)? {
                    Ok(user) => work(conn, user).map(Ok),
                    Err(gone) => Ok(Err(gone)),
                }
            })
            .await
    }

    /// Writes on behalf of a caller who must still be an admin. All admins are locked, so that the work may take the rights
    /// of one away.
    pub(crate) async fn write_as_admin<T, F>(
        &self,
        caller: Caller,
        work: F,
    ) -> Result<Result<T, CallerGone>, StoreError>
    where
        T: Send + 'static,
        F: Fn(&mut Conn) -> Result<T, StoreError> + Send + 'static,
    {
        self.db
            .write(move |conn| {
                admins::lock(conn)?;
                match find_caller(conn, caller)? {
                    Ok(user) if user.is_admin => work(conn).map(Ok),
                    Ok(_) => Ok(Err(CallerGone::Rights)),
                    Err(gone) => Ok(Err(gone)),
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
        // If no session stays, the account may go too, which the last active admin's must not.
        let user_id = caller.user_id;
        let lock = move |conn: &mut Conn| match except {
            None => admins::lock_for_owner(conn, user_id),
            Some(_) => Ok(()),
        };
        let changed = self
            .write_after(lock, caller, move |conn, user| {
                if user.password_hash != compared_hash {
                    return Ok(None);
                }
                let ended = end_sessions(conn, Which::AllOf { user_id: user.id, except }, now)?;
                change(conn, now)?;
                Ok(Some(ended))
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

/// The account of a caller, if both it and its session are still good.
fn find_caller(
    conn: &mut Conn,
    Caller { user_id, session_id }: Caller,
) -> Result<Result<UserRow, CallerGone>, StoreError> {
    let Some(user) = accounts::find_user(conn, user_id)?.filter(|user| user.is_active) else {
        return Ok(Err(CallerGone::Account));
    };
    Ok(match store::find_session(conn, session_id)? {
        Some(session) if session.user_id == user_id && session.revoked_at.is_none() => Ok(user),
        _ => Err(CallerGone::Session),
    })
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
