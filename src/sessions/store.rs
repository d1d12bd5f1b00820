//! Sessions in the database.

use diesel::dsl::sql;
use diesel::expression::{SqlLiteral, UncheckedBind};
use diesel::helper_types::AsExprOf;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable};

use crate::db::page::Page;
use crate::db::schema::{revocations, sessions};
use crate::db::{Conn, Id, StoreError, Timestamp, execute_on_either, query};

type Result<T> = std::result::Result<T, StoreError>;

/// The expression that raises `tokens_expire_at`: SQL with two bound times.
type Raised = SqlLiteral<Nullable<BigInt>, Second>;
type Second = UncheckedBind<SqlLiteral<Nullable<BigInt>, First>, AsExprOf<Timestamp, BigInt>>;
type First = UncheckedBind<SqlLiteral<Nullable<BigInt>>, AsExprOf<Timestamp, BigInt>>;

/// When a session ends if it is not refreshed, spelled as in its index.
const IDLE_UNTIL: &str = "refreshed_at + refresh_ttl_seconds * 1000";

/// A session.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = sessions)]
pub(crate) struct SessionRow {
    pub id: Id,
    pub user_id: Id,
    pub client_id: String,
    pub scope: String,
    pub secret_hash: Vec<u8>,
    pub generation: i64,
    pub proven_generation: i64,
    pub refreshed_at: Timestamp,
    pub refresh_ttl_seconds: i64,
    pub created_at: Timestamp,
    pub last_used_at: Timestamp,
    pub expires_at: Timestamp,
    pub revoked_at: Option<Timestamp>,
    pub user_agent: Option<String>,
    pub ip: Option<String>,
}

/// A session to insert.
#[derive(Insertable)]
#[diesel(table_name = sessions)]
pub(crate) struct NewSession {
    pub user_id: Id,
    pub client_id: String,
    pub scope: String,
    pub secret_hash: Vec<u8>,
    pub generation: i64,
    pub proven_generation: i64,
    pub refreshed_at: Timestamp,
    pub refresh_ttl_seconds: i64,
    pub created_at: Timestamp,
    pub last_used_at: Timestamp,
    pub expires_at: Timestamp,
    pub user_agent: Option<String>,
    pub ip: Option<String>,
    pub tokens_expire_at: Timestamp,
}

impl SessionRow {
    /// When the session ends, unless it is refreshed before.
    pub(crate) fn ends_at(&self) -> Timestamp {
        let idle_until = self.refreshed_at.plus_seconds(u64::try_from(self.refresh_ttl_seconds).unwrap_or_default());
        idle_until.min(self.expires_at)
    }
}

pub(crate) fn insert_session(conn: &mut Conn, session: &NewSession) -> Result<Id> {
    query::one(conn, diesel::insert_into(sessions::table).values(session).returning(sessions::id))
}

pub(crate) fn find_session(conn: &mut Conn, id: Id) -> Result<Option<SessionRow>> {
    query::find(conn, sessions::table.find(id).select(query::columns_of::<SessionRow>()))
}

/// A page of a user's live sessions, plus one more if there is a next page.
pub(crate) fn list_sessions(conn: &mut Conn, user_id: Id, page: Page, now: Timestamp) -> Result<Vec<SessionRow>> {
    let before = page.after.map_or(Id::MAX.get() + 1, Id::get);
    Ok(sessions::table
        .filter(sessions::user_id.eq(user_id).and(sessions::id.lt(before)).and(sessions::revoked_at.is_null()))
        .filter(sessions::expires_at.gt(now).and(sql::<BigInt>(IDLE_UNTIL).gt(now)))
        .order(sessions::id.desc())
        .limit(page.limit + 1)
        .select(SessionRow::as_select())
        .load(conn)?)
}

/// A page of a user's sessions, newest first, those that have ended too, plus one more if there is a next page.
pub(crate) fn list_all_sessions(conn: &mut Conn, user_id: Id, page: Page) -> Result<Vec<SessionRow>> {
    let before = page.after.map_or(Id::MAX.get() + 1, Id::get);
    Ok(sessions::table
        .filter(sessions::user_id.eq(user_id).and(sessions::id.lt(before)))
        // Not the index of the ids, in which an account's sessions are far apart.
        .order(sql::<BigInt>("id + 0 DESC"))
        .limit(page.limit + 1)
        .select(SessionRow::as_select())
        .load(conn)?)
}

/// The newest of a user's live sessions that must end to make room for one more. `max` is at least 1.
pub(crate) fn find_surplus(conn: &mut Conn, user_id: Id, max: u32, now: Timestamp) -> Result<Option<Id>> {
    let live = sessions::table
        .filter(sessions::user_id.eq(user_id).and(sessions::revoked_at.is_null()))
        .filter(sessions::expires_at.gt(now).and(sql::<BigInt>(IDLE_UNTIL).gt(now)));
    query::find(
        conn,
        live.order(sessions::id.desc()).select(sessions::id).limit(1).offset(i64::from(max.saturating_sub(1))),
    )
}

/// Moves a session to its next generation by compare-and-swap: of two concurrent attempts only one succeeds.
/// `tokens_expire_at` is for the access token that is issued then.
pub(crate) fn update_generation(
    conn: &mut Conn,
    session: &SessionRow,
    refresh_ttl_seconds: i64,
    tokens_expire_at: Timestamp,
    now: Timestamp,
) -> Result<bool> {
    let from = session.generation;
    let is_current = sessions::generation.eq(from).and(sessions::revoked_at.is_null());
    let current = sessions::table.find(session.id).filter(is_current);
    let update = diesel::update(current).set((
        sessions::generation.eq(from + 1),
        sessions::proven_generation.eq(from),
        sessions::refreshed_at.eq(now),
        sessions::refresh_ttl_seconds.eq(refresh_ttl_seconds),
        sessions::last_used_at.eq(session.last_used_at.max(now)),
        sessions::tokens_expire_at.eq(raised(tokens_expire_at)),
    ));
    Ok(execute_on_either(conn, update)? == 1)
}

/// Records that the live tokens of a session are issued once more. Returns false if they are no longer the live ones.
pub(crate) fn update_repeated(
    conn: &mut Conn,
    session: &SessionRow,
    tokens_expire_at: Timestamp,
    now: Timestamp,
) -> Result<bool> {
    let is_current = sessions::generation.eq(session.generation).and(sessions::revoked_at.is_null());
    let update = diesel::update(sessions::table.find(session.id).filter(is_current)).set((
        sessions::last_used_at.eq(session.last_used_at.max(now)),
        sessions::tokens_expire_at.eq(raised(tokens_expire_at)),
    ));
    Ok(execute_on_either(conn, update)? == 1)
}

/// The later of the present `tokens_expire_at` and this one. The database compares them, because another replica may
/// raise it at the same time. If none is recorded, a token that was issued at the last use may live for a day.
fn raised(to: Timestamp) -> Raised {
    const PRESENT: &str = "COALESCE(tokens_expire_at, last_used_at + 86400000)";
    sql(&format!("CASE WHEN {PRESENT} < "))
        .bind::<BigInt, _>(to)
        .sql(" THEN ")
        .bind::<BigInt, _>(to)
        .sql(&format!(" ELSE {PRESENT} END"))
}

/// Records that an access token of that generation was used.
pub(crate) fn update_use(conn: &mut Conn, id: Id, generation: i64, at: Timestamp) -> Result<()> {
    update_last_use(conn, id, at)?;
    let unproven = sessions::table.find(id).filter(sessions::proven_generation.lt(generation));
    execute_on_either(conn, diesel::update(unproven).set(sessions::proven_generation.eq(generation)))?;
    Ok(())
}

/// Records that tokens of a session were used. The time never goes back, even if the clock does, so that no access
/// token of the session was issued later.
fn update_last_use(conn: &mut Conn, id: Id, at: Timestamp) -> Result<()> {
    let earlier = sessions::table.find(id).filter(sessions::last_used_at.lt(at));
    execute_on_either(conn, diesel::update(earlier).set(sessions::last_used_at.eq(at)))?;
    Ok(())
}

/// Deletes a batch of sessions and revocations that are no longer needed. Returns whether there may be more.
pub(crate) fn delete_expired(
    conn: &mut Conn,
    revocations_before: Timestamp,
    sessions_before: Timestamp,
) -> Result<bool> {
    const BATCH: i64 = 500;
    // Two statements, so that each can use its index, and in the order of that index: otherwise a planner that expects
    // many rows reads the table until it has found enough, which is all of it if there are none.
    let sessions = || sessions::table.select(sessions::id).limit(BATCH);
    let (over, idle_until) = (sessions::expires_at, || sql::<BigInt>(IDLE_UNTIL));
    let mut old: Vec<Id> = sessions().filter(over.lt(sessions_before)).order(over).load(conn)?;
    let idle: Vec<Id> = sessions().filter(idle_until().lt(sessions_before)).order(idle_until()).load(conn)?;
    let is_full = |found: usize| i64::try_from(found).is_ok_and(|found| found >= BATCH);
    let may_be_more = is_full(old.len()) || is_full(idle.len());
    old.extend(idle);
    diesel::delete(sessions::table.filter(sessions::id.eq_any(&old))).execute(conn)?;
    let done: Vec<Id> = revocations::table
        .filter(revocations::expires_at.lt(revocations_before))
        .order(revocations::expires_at)
        .select(revocations::session_id)
        .limit(BATCH)
        .load(conn)?;
    diesel::delete(revocations::table.filter(revocations::session_id.eq_any(&done))).execute(conn)?;
    Ok(may_be_more || is_full(done.len()))
}

/// Up to `limit` addresses that the sessions of an account came from.
pub(crate) fn list_addresses(conn: &mut Conn, user_id: Id, limit: i64) -> Result<Vec<String>> {
    let addresses = sessions::table.filter(sessions::user_id.eq(user_id)).select(sessions::ip).distinct();
    let addresses: Vec<Option<String>> = addresses.limit(limit).load(conn)?;
    Ok(addresses.into_iter().flatten().collect())
}
