//! Accounts whose owners asked for their deletion. With `accounts.delete_grace_days` such an account is disabled, comes back
//! with the owner's next login, and is deleted when the time is over.

use super::store::{self, UserRow};
use crate::audit::{EventType, NewEvent, Source, insert_event};
use crate::db::{Conn, Db, Id, StoreError, Timestamp};

/// Most accounts to delete in one sweep.
const BATCH: i64 = 100;

/// Inside a write of the owner: disables the account, and has it deleted after that many days. The database ends its
/// one-time tokens, as for every disabled account.
pub(crate) fn leave(
    conn: &mut Conn,
    id: Id,
    grace_days: u32,
    source: &Source,
    now: Timestamp,
) -> Result<(), StoreError> {
    let delete_after = now.plus_seconds(u64::from(grace_days) * 86_400);
    store::update_leaving(conn, id, delete_after, now)?;
    insert_event(conn, &NewEvent::new(EventType::DeletionAsked, source, now).of(id).with("days", grace_days))
}

/// Inside the write of a login, for a locked account: brings it back if it is about to be deleted.
pub(crate) fn come_back(conn: &mut Conn, user: &UserRow, source: &Source, now: Timestamp) -> Result<(), StoreError> {
    if user.is_active {
        return Ok(());
    }
    store::update_active(conn, user.id, now)?;
    insert_event(conn, &NewEvent::new(EventType::AccountRestored, source, now).by_owner(user.id))
}

/// Deletes accounts whose time is over. Returns whether there may be more.
pub(crate) async fn delete_due(db: &Db, now: Timestamp) -> Result<bool, StoreError> {
    let due = db.read(move |conn| store::list_due_deletions(conn, now, BATCH)).await?;
    let is_full = i64::try_from(due.len()).is_ok_and(|found| found >= BATCH);
    for id in due {
        db.write(move |conn| delete_if_due(conn, id, now)).await?;
    }
    Ok(is_full)
}

/// Inside a write: deletes an account unless its owner, or an admin, has brought it back meanwhile.
fn delete_if_due(conn: &mut Conn, id: Id, now: Timestamp) -> Result<(), StoreError> {
    store::lock_user(conn, id)?;
    let is_due = |user: &UserRow| !user.is_active && user.delete_after.is_some_and(|at| at <= now);
    if !store::find_user(conn, id)?.is_some_and(|user| is_due(&user)) {
        return Ok(());
    }
    store::delete_user(conn, id)?;
    // Afterwards: the deletion clears what the account's events tell of its owner.
    insert_event(conn, &NewEvent::new(EventType::UserDeleted, &Source::service(), now).of(id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::store::NewUser;
    use crate::config::Settings;

    /// A database with one account, which is to be deleted at the given time.
    async fn with_leaver(delete_after: Timestamp) -> (tempfile::TempDir, Db, UserRow) {
        let folder = tempfile::tempdir().expect("a folder");
        let url = format!("sqlite://{}", folder.path().join("keyfob.db").display());
        let settings =
            Settings::load_from(folder.path(), [("KEYFOB__DATABASE__URL".to_owned(), url)]).expect("settings");
        let db = Db::open(&settings.database).expect("a database");
        let now = Timestamp::now();
        let user = NewUser {
            email: "mia@example.com".into(),
            email_key: "mia@example.com".into(),
            password_hash: "x".into(),
            full_name: None,
            is_active: true,
            is_admin: false,
            email_verified: false,
            created_at: now,
            updated_at: now,
        };
        let insert = move |conn: &mut Conn| {
            let user = store::insert_user(conn, &user)?;
            store::update_leaving(conn, user.id, delete_after, now)?;
            Ok(store::find_user(conn, user.id)?.expect("an account"))
        };
        let user = db.write(insert).await.expect("an account");
        (folder, db, user)
    }

    async fn exists(db: &Db, id: Id) -> bool {
        db.read(move |conn| store::find_user(conn, id)).await.expect("an answer").is_some()
    }

    #[actix_web::test]
    async fn an_account_is_deleted_when_its_time_is_over_and_not_before() {
        let end = Timestamp::now().plus_seconds(3600);
        let (_folder, db, user) = with_leaver(end).await;
        assert!(user.may_log_in(end.minus_seconds(1)) && !user.may_log_in(end));
        delete_due(&db, end.minus_seconds(1)).await.expect("a sweep");
        assert!(exists(&db, user.id).await);
        delete_due(&db, end).await.expect("a sweep");
        assert!(!exists(&db, user.id).await);
    }

    #[actix_web::test]
    async fn an_account_that_came_back_after_it_was_found_due_is_not_deleted() {
        let end = Timestamp::now().plus_seconds(3600);
        let (_folder, db, user) = with_leaver(end).await;
        // The clock of another replica is behind: there the owner logs in while this one has found the account due.
        let due = db.read(move |conn| store::list_due_deletions(conn, end, BATCH)).await.expect("a list");
        assert_eq!(due, [user.id]);
        let (id, now) = (user.id, end.minus_seconds(1));
        db.write(move |conn| come_back(conn, &user, &Source::service(), now)).await.expect("a login");
        db.write(move |conn| delete_if_due(conn, id, end)).await.expect("a sweep");
        let row = db.read(move |conn| store::find_user(conn, id)).await.expect("an answer").expect("an account");
        assert!(row.is_active && row.delete_after.is_none());
    }
}
