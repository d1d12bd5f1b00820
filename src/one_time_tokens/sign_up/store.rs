//! Waiting sign-ups in the database.

use diesel::prelude::*;

use crate::db::schema::pending_signups;
use crate::db::{Conn, Id, StoreError, Timestamp, query};

type Result<T> = std::result::Result<T, StoreError>;

/// Most sign-ups to delete at once.
const BATCH: i64 = 500;

/// A sign-up that waits. It has no `Debug`: that would show the hash.
#[derive(Clone, Queryable, Selectable)]
#[diesel(table_name = pending_signups)]
pub(crate) struct SignUpRow {
    pub email: String,
    pub email_key: String,
    pub password_hash: String,
    pub full_name: Option<String>,
    pub expires_at: Timestamp,
}

/// A sign-up to keep.
#[derive(Clone, Insertable)]
#[diesel(table_name = pending_signups)]
pub(crate) struct NewSignUp {
    pub email: String,
    pub email_key: String,
    pub password_hash: String,
    pub full_name: Option<String>,
    /// Where it came from.
    pub network: String,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
}

pub(super) fn insert_sign_up(conn: &mut Conn, sign_up: &NewSignUp) -> Result<Id> {
    query::one(conn, diesel::insert_into(pending_signups::table).values(sign_up).returning(pending_signups::id))
}

pub(super) fn find_sign_up(conn: &mut Conn, id: Id) -> Result<Option<SignUpRow>> {
    query::find(conn, pending_signups::table.find(id).select(query::columns_of::<SignUpRow>()))
}

/// Inside a write: locks all sign-ups that wait for an address, always in the same order.
pub(super) fn lock_of_address(conn: &mut Conn, email_key: &str) -> Result<Vec<Id>> {
    let waiting = pending_signups::table.filter(pending_signups::email_key.eq(email_key)).order(pending_signups::id);
    let ids = waiting.select(pending_signups::id);
    Ok(match conn {
        Conn::Postgres(conn) => ids.for_update().load(conn)?,
        Conn::Sqlite(conn) => ids.load(conn)?,
    })
}

/// The sign-ups that wait for an address, without the newest ones.
pub(super) fn list_of_address(conn: &mut Conn, email_key: &str, newest: i64) -> Result<Vec<Id>> {
    let waiting = pending_signups::table.filter(pending_signups::email_key.eq(email_key));
    let older = waiting.order(pending_signups::id.desc()).offset(newest).limit(BATCH).select(pending_signups::id);
    query::load(conn, older)
}

/// The sign-ups from a network that wait, without the newest ones.
pub(super) fn list_of_network(conn: &mut Conn, network: &str, newest: i64) -> Result<Vec<Id>> {
    let waiting = pending_signups::table.filter(pending_signups::network.eq(network));
    let older = waiting.order(pending_signups::id.desc()).offset(newest).limit(BATCH).select(pending_signups::id);
    query::load(conn, older)
}

/// Deletes sign-ups and, by their foreign keys, their tokens.
pub(super) fn delete_sign_ups(conn: &mut Conn, ids: &[Id]) -> Result<()> {
    if !ids.is_empty() {
        diesel::delete(pending_signups::table.filter(pending_signups::id.eq_any(ids))).execute(conn)?;
    }
    Ok(())
}

/// Deletes a batch of expired sign-ups. Returns whether there may be more.
pub(super) fn delete_expired(conn: &mut Conn, now: Timestamp) -> Result<bool> {
    let expired = pending_signups::table.filter(pending_signups::expires_at.le(now));
    let expired: Vec<Id> =
        expired.order(pending_signups::expires_at).select(pending_signups::id).limit(BATCH).load(conn)?;
    delete_sign_ups(conn, &expired)?;
    Ok(i64::try_from(expired.len()).is_ok_and(|found| found >= BATCH))
}
