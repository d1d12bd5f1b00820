//! What admins see and change of accounts. There is always an active admin: the last one cannot be disabled, demoted or
//! deleted, by any way.

pub(crate) mod search;
pub(crate) mod store;

use super::store::find_user;
use crate::db::{Conn, Id, StoreError};

/// Why a write is refused.
pub(crate) const LAST_ADMIN: &str = "This is the last active admin. Make another account an admin first.";

/// Inside a write: locks all active admins. A write that may take one away, or that locks more than one account, begins
/// with this: of two admins who demote each other at once, the second finds that the first has won.
pub(crate) fn lock(conn: &mut Conn) -> Result<(), StoreError> {
    store::lock_active_admins(conn).map(drop)
}

/// The same for an owner's write on one account: the others are locked only if it is an admin's.
pub(crate) fn lock_for_owner(conn: &mut Conn, owner: Id) -> Result<(), StoreError> {
    if is_active_admin(conn, owner)? { lock(conn) } else { Ok(()) }
}

/// Inside a write that is about to disable, demote or delete an account, which is locked: refuses that for the last active
/// admin.
///
/// # Errors
/// [`StoreError::Refused`], so that nothing of the write is kept.
pub(crate) fn keep_one(conn: &mut Conn, leaving: Id) -> Result<(), StoreError> {
    let is_last = is_active_admin(conn, leaving)? && store::lock_active_admins(conn)? == [leaving];
    if is_last { Err(StoreError::Refused(LAST_ADMIN)) } else { Ok(()) }
}

fn is_active_admin(conn: &mut Conn, id: Id) -> Result<bool, StoreError> {
    Ok(find_user(conn, id)?.is_some_and(|user| user.is_admin && user.is_active))
}
