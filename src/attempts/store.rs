//! Failed attempts in the database, where every replica reads them.

use diesel::prelude::*;
use diesel::query_builder::{BoxedSqlQuery, SqlQuery};
use diesel::sql_query;
use diesel::sql_types::{BigInt, Text};

use super::names::Name;
use crate::accounts::store as accounts;
use crate::db::schema::attempts;
use crate::db::{Conn, StoreError, Timestamp};
use crate::sessions::store as sessions;

type Result<T> = std::result::Result<T, StoreError>;
type Statement = BoxedSqlQuery<'static, <Conn as diesel::Connection>::Backend, SqlQuery>;

/// How much longer than its length a window may seem to last, in seconds: the clocks of replicas differ. One that would
/// last longer still began before the clock was set back. It counts as over, or it would lock users out for longer than
/// they were told.
pub(super) const CLOCKS_DIFFER_SECONDS: u64 = 15;
/// Maximum number of addresses read from an account's sessions.
const MAX_ADDRESSES: i64 = 1000;

/// The state of a window.
#[derive(Clone, Debug, Queryable, QueryableByName)]
#[diesel(table_name = attempts)]
pub(super) struct AttemptRow {
    name: String,
    pub ends_at: Timestamp,
    pub failures: i64,
    pub revision: i64,
}

impl AttemptRow {
    pub(super) fn name(&self) -> Option<Name> {
        u128::from_str_radix(&self.name, 16).ok().map(Name)
    }
}

fn text(name: Name) -> String {
    format!("{:032x}", name.0)
}

/// Counts a failure under each of these names, in one statement, and returns their new states. The names must be
/// sorted, so that two calls with common names do not deadlock.
pub(super) fn update_failures(
    conn: &mut Conn,
    names: &[Name],
    ends_at: Timestamp,
    now: Timestamp,
) -> Result<Vec<AttemptRow>> {
    // Bind each placeholder once, in order: then PostgreSQL and SQLite agree on what it means.
    // (diesel 2.3: `on_conflict` does not compile for two back ends.)
    let rows = (0..names.len()).map(|row| format!("(${}, ${}, 1, 1, ${})", row * 3 + 1, row * 3 + 2, row * 3 + 3));
    let longer = CLOCKS_DIFFER_SECONDS * 1000;
    let is_open = format!("attempts.ends_at > excluded.changed_at AND attempts.ends_at <= excluded.ends_at + {longer}");
    let statement = format!(
        "INSERT INTO attempts (name, ends_at, failures, revision, changed_at) VALUES {} \
         ON CONFLICT (name) DO UPDATE SET \
             failures = CASE WHEN {is_open} THEN attempts.failures + 1 ELSE 1 END, \
             ends_at = CASE WHEN {is_open} THEN attempts.ends_at ELSE excluded.ends_at END, \
             revision = attempts.revision + 1, changed_at = excluded.changed_at \
         RETURNING name, ends_at, failures, revision",
        rows.collect::<Vec<_>>().join(", ")
    );
    let bound = |statement: Statement, name: &Name| {
        statement.bind::<Text, _>(text(*name)).bind::<BigInt, _>(ends_at).bind::<BigInt, _>(now)
    };
    Ok(names.iter().fold(sql_query(statement).into_boxed(), bound).load(conn)?)
}

/// Forgets the failures under that name by ending its window. Returns its new state.
pub(super) fn update_forgotten(conn: &mut Conn, name: Name, now: Timestamp) -> Result<Option<AttemptRow>> {
    let over = (
        attempts::failures.eq(0),
        attempts::ends_at.eq(now),
        attempts::revision.eq(attempts::revision + 1),
        attempts::changed_at.eq(now),
    );
    let columns = (attempts::name, attempts::ends_at, attempts::failures, attempts::revision);
    Ok(diesel::update(attempts::table.find(text(name))).set(over).returning(columns).get_result(conn).optional()?)
}

/// The windows that are not over.
pub(super) fn list_open(conn: &mut Conn, now: Timestamp) -> Result<Vec<AttemptRow>> {
    let columns = (attempts::name, attempts::ends_at, attempts::failures, attempts::revision);
    Ok(attempts::table.filter(attempts::ends_at.gt(now)).select(columns).load(conn)?)
}

/// The windows that have changed since then.
pub(super) fn list_changed(conn: &mut Conn, since: Timestamp) -> Result<Vec<AttemptRow>> {
    let columns = (attempts::name, attempts::ends_at, attempts::failures, attempts::revision);
    Ok(attempts::table.filter(attempts::changed_at.ge(since)).select(columns).load(conn)?)
}

/// Deletes a batch of windows that were over before then. Returns whether there may be more.
pub(super) fn delete_over(conn: &mut Conn, before: Timestamp) -> Result<bool> {
    const BATCH: i64 = 500;
    let over = attempts::table.filter(attempts::ends_at.lt(before)).select(attempts::name).limit(BATCH);
    let over: Vec<String> = over.load(conn)?;
    diesel::delete(attempts::table.filter(attempts::name.eq_any(&over)).filter(attempts::ends_at.lt(before)))
        .execute(conn)?;
    Ok(i64::try_from(over.len()).is_ok_and(|found| found >= BATCH))
}

/// The addresses that the account with that e-mail address has logged in from, according to its sessions.
pub(super) fn list_addresses(conn: &mut Conn, email_key: &str) -> Result<Vec<String>> {
    let Some(id) = accounts::find_id_by_email_key(conn, email_key)? else { return Ok(Vec::new()) };
    sessions::list_addresses(conn, id, MAX_ADDRESSES)
}
