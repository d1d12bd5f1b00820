//! Updates the keys that accounts are looked up by, after a new version of Keyfob has changed their form. The migration
//! records which accounts may be affected; this goes through them once, at the next startup.
//!
//! Two accounts can turn out to have the same address. The older one keeps it. The other is found by its id, a colon
//! and the address (`17:mia@example.com`), which no sign-up accepts.

use super::model::Email;
use super::store::{self, UserRow};
use crate::db::{Conn, Db, Id, StoreError};

/// Number of accounts updated in one transaction.
const BATCH: i64 = 500;

/// An account that is found only with its id, because an older one has the same address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shared {
    pub id: Id,
    pub holder: Id,
}

/// Updates the accounts that are due, and logs which ones share an address. An address that has become free since goes
/// to the account that shared it.
///
/// # Errors
/// [`StoreError`] when the database fails; completed work stays done.
pub(crate) async fn update(db: &Db) -> Result<(), StoreError> {
    let mut found: Vec<Id> = Vec::new();
    while db.read(|conn| Ok(!store::list_due_email_keys(conn, false, 1)?.is_empty())).await? {
        match db.write(|conn| settle_some(conn, false)).await {
            Ok(shared) => found.extend(shared),
            // A concurrent sign-up took an address: the next round sees it.
            Err(StoreError::Taken) => {}
            Err(error) => return Err(error),
        }
    }
    let shared = db.read(list_shared).await?;
    if shared.is_empty() {
        return Ok(());
    }
    db.write(|conn| settle_some(conn, true)).await?;
    for Shared { id, holder } in db.read(list_shared).await?.into_iter().filter(|shared| found.contains(&shared.id)) {
        let remedy = "run `keyfob doctor`: it says how the owner can log in";
        tracing::warn!(account = id.get(), older = holder.get(), remedy, "two accounts have the same e-mail address");
    }
    Ok(())
}

/// The accounts that are found only with their ids.
pub(crate) fn list_shared(conn: &mut Conn) -> Result<Vec<Shared>, StoreError> {
    let mut shared = Vec::new();
    for id in store::list_due_email_keys(conn, true, BATCH)? {
        let Some(user) = store::find_user(conn, id)? else { continue };
        let holder = store::find_user_by_email_key(conn, &Email::key_of(&user.email))?;
        // If no account has the address any more, this one gets it at the next startup.
        shared.push(Shared { id, holder: holder.map_or(id, |holder| holder.id) });
    }
    Ok(shared)
}

/// Gives a batch of accounts their keys. Returns those that now share an address.
fn settle_some(conn: &mut Conn, is_shared: bool) -> Result<Vec<Id>, StoreError> {
    // Another process may be doing the same.
    conn.wait_for_turn()?;
    let due = store::list_due_email_keys(conn, is_shared, BATCH)?;
    let settled: Result<Vec<Option<Id>>, StoreError> = due.into_iter().map(|id| settle(conn, id)).collect();
    Ok(settled?.into_iter().flatten().collect())
}

/// Gives an account the key of its address. If two have the same, the older one gets it; returns the younger.
fn settle(conn: &mut Conn, id: Id) -> Result<Option<Id>, StoreError> {
    store::delete_due_email_key(conn, id)?;
    let Some(user) = store::find_user(conn, id)? else { return Ok(None) };
    let key = Email::key_of(&user.email);
    let holder = store::find_user_by_email_key(conn, &key)?.filter(|holder| holder.id != id);
    let age = |user: &UserRow| (user.created_at, user.id);
    let younger = holder.map(|holder| if age(&holder) > age(&user) { holder.id } else { id });
    if let Some(younger) = younger {
        // The younger one may be due as well.
        store::delete_due_email_key(conn, younger)?;
        store::update_email_key(conn, younger, &Email::key_of(&format!("{younger}:{key}")))?;
        store::insert_shared_email_key(conn, younger)?;
    }
    if younger != Some(id) {
        store::update_email_key(conn, id, &key)?;
    }
    Ok(younger)
}
