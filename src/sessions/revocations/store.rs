//! Revocations in the database, from which every replica learns of them.

use diesel::prelude::*;
use diesel::query_builder::{BoxedSqlQuery, SqlQuery};
use diesel::sql_query;
use diesel::sql_types::BigInt;

use crate::db::schema::revocations;
use crate::db::{Conn, Id, StoreError, Timestamp};

type Result<T> = std::result::Result<T, StoreError>;
type Statement = BoxedSqlQuery<'static, <Conn as diesel::Connection>::Backend, SqlQuery>;

/// Until when a revocation is needed: as long as any access token of the session can live, plus a minute for requests
/// that are under way then. The triggers in the migrations use the same expression.
const NEEDED_UNTIL: &str = "COALESCE(tokens_expire_at, last_used_at + 86400000) + 60000";

/// Which sessions to end.
#[derive(Clone, Copy)]
pub(crate) enum Which {
    /// One session of a user.
    One { user_id: Id, id: Id },
    /// All sessions of a user, except one.
    AllOf { user_id: Id, except: Option<Id> },
    /// The sessions of a user that began no later than this one.
    UpTo { user_id: Id, id: Id },
}

/// A session that has ended while its access tokens may still live.
#[derive(Clone, Copy, Debug, QueryableByName)]
pub(crate) struct Ended {
    #[diesel(sql_type = BigInt)]
    pub session_id: Id,
    /// When its last access token has expired.
    #[diesel(sql_type = BigInt)]
    pub expires_at: Timestamp,
}

impl Which {
    /// An SQL condition and its parameters. Its placeholders begin at `$2`.
    fn condition(self) -> (&'static str, [i64; 2]) {
        match self {
            Self::One { user_id, id } => ("user_id = $2 AND id = $3", [user_id.get(), id.get()]),
            // No session has the id 0.
            Self::AllOf { user_id, except } => {
                ("user_id = $2 AND id <> $3", [user_id.get(), except.map_or(0, Id::get)])
            }
            Self::UpTo { user_id, id } => ("user_id = $2 AND id <= $3", [user_id.get(), id.get()]),
        }
    }
}

/// Ends all of these sessions that are still live, and tells every replica.
pub(crate) fn end_sessions(conn: &mut Conn, which: Which, now: Timestamp) -> Result<Vec<Ended>> {
    let (condition, ids) = which.condition();
    let of = |text: String| -> Statement {
        let statement = sql_query(text).into_boxed().bind::<BigInt, _>(now);
        ids.into_iter().fold(statement, |statement, id| statement.bind::<BigInt, _>(id))
    };
    let update = format!("UPDATE sessions SET revoked_at = $1 WHERE {condition} AND revoked_at IS NULL");
    let insert = "INSERT INTO revocations (session_id, revoked_at, expires_at)";
    let returning = "RETURNING session_id, expires_at";
    if matches!(conn, Conn::Postgres(_)) {
        // The update locks the sessions before it reads them: a concurrent refresh has committed, and its token counts,
        // or it finds its session ended.
        let ended = format!("WITH ended AS ({update} RETURNING id, revoked_at, {NEEDED_UNTIL} AS ends_at)");
        let all = format!("{ended} {insert} SELECT id, revoked_at, ends_at FROM ended {returning}");
        return Ok(of(all).load(conn)?);
    }
    let live = format!("SELECT id, $1, {NEEDED_UNTIL} FROM sessions WHERE {condition} AND revoked_at IS NULL");
    let ended = of(format!("{insert} {live} {returning}")).load(conn)?;
    of(update).execute(conn)?;
    Ok(ended)
}

/// The revocations from that position on whose access tokens may still live.
pub(super) fn list_revocations(conn: &mut Conn, from: i64, now: Timestamp) -> Result<Vec<(Id, Timestamp)>> {
    // Compare the end here: given two ranges in one statement, a database may use the index of the one that holds for
    // almost every row.
    let mut rows: Vec<(Id, Timestamp)> = revocations::table
        .filter(revocations::local_position.ge(from))
        .select((revocations::session_id, revocations::expires_at))
        .load(conn)?;
    rows.retain(|(_, expires_at)| *expires_at > now);
    Ok(rows)
}
