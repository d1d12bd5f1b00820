//! How sessions end, and what is done in the name of one that has not.

use super::Sessions;
use super::revocations::store::{Which, end_sessions};
use crate::accounts::store::{self as accounts, UserRow};
use crate::db::{Conn, Db, Id, StoreError, Timestamp};
use crate::sessions::store;

/// Who makes a request, and in which session.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caller {
    pub user_id: Id,
    pub session_id: Id,
}

/// Why a caller may do nothing any more, although the access token was good when the request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CallerGone {
    /// The account was deleted or disabled.
    Account,
    /// The session has ended.
    Session,
}

impl Sessions {
    /// Writes in the name of a caller. A request may have waited since its token was checked, for its body, a hash or the
    /// database, so inside the transaction the account and the session are looked at again.
    pub(crate) async fn write_as<T, F>(&self, caller: Caller, work: F) -> Result<Result<T, CallerGone>, StoreError>
    where
        T: Send + 'static,
        F: Fn(&mut Conn, UserRow) -> Result<T, StoreError> + Send + 'static,
    {
        let Caller { user_id, session_id } = caller;
        self.db
            .write(move |conn| {
                // No log-in that knows the old state may begin a session until this is done.
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

    /// Makes a change to the caller's account and ends its sessions, but for one, if its hash is still the one that the
    /// password was compared with; whether it is.
    pub(crate) async fn change_account<F>(
        &self,
        caller: Caller,
        compared_hash: String,
        except: Option<Id>,
        change: F,
    ) -> Result<Result<bool, CallerGone>, StoreError>
    where
        F: Fn(&mut Conn, Timestamp) -> Result<(), StoreError> + Send + 'static,
    {
        let now = Timestamp::now();
        let changed = self
            .write_as(caller, move |conn, user| {
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

    /// Ends a session of that user; false when there is none such.
    pub(crate) async fn end(&self, user_id: Id, id: Id, now: Timestamp) -> Result<bool, StoreError> {
        let ended = self.db.write(move |conn| end_sessions(conn, Which::One { user_id, id }, now)).await?;
        self.revocations.add(&ended, now);
        Ok(!ended.is_empty())
    }

    /// Ends sessions of the caller's account; how many.
    pub(crate) async fn end_as(
        &self,
        caller: Caller,
        which: Which,
        now: Timestamp,
    ) -> Result<Result<usize, CallerGone>, StoreError> {
        let ended = self.write_as(caller, move |conn, _| end_sessions(conn, which, now)).await?;
        Ok(ended.map(|ended| {
            self.revocations.add(&ended, now);
            ended.len()
        }))
    }
}

/// Ends all sessions of a user, whichever process serves them.
pub(crate) async fn end_sessions_of_user(db: &Db, user_id: Id, now: Timestamp) -> Result<(), StoreError> {
    db.write(move |conn| {
        // A log-in that is under way is done before these are ended, or begins its session afterwards.
        accounts::lock_user(conn, user_id)?;
        end_sessions(conn, Which::AllOf { user_id, except: None }, now).map(drop)
    })
    .await
}
