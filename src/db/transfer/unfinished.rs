//! The mark of a copy that is not finished: what holds it looks like a database, and is only a part of one.
//!
//! It is a table of its own, made by no migration: so it is no part of what is copied, and gone when the copy is done.

use diesel::connection::SimpleConnection;
use diesel::sql_types::BigInt;
use diesel::{QueryResult, QueryableByName, RunQueryDsl, sql_query};

use crate::db::connection::Conn;

/// What is said of a target that nothing but a copy may open.
pub(in crate::db) const FAULT: &str = "holds a part of a copy that was interrupted: go on with `keyfob copy --resume` from \
                                 the database that is copied, or drop this one";

#[derive(QueryableByName)]
struct Found {
    #[diesel(sql_type = BigInt)]
    found: i64,
}

pub(in crate::db) fn mark(conn: &mut Conn) -> QueryResult<()> {
    conn.batch_execute("CREATE TABLE IF NOT EXISTS keyfob_unfinished_copy (is_unfinished BOOLEAN NOT NULL)")
}

pub(in crate::db) fn unmark(conn: &mut Conn) -> QueryResult<()> {
    conn.batch_execute("DROP TABLE IF EXISTS keyfob_unfinished_copy")
}

pub(in crate::db) fn is_marked(conn: &mut Conn) -> QueryResult<bool> {
    let query = match conn {
        Conn::Sqlite(_) => "SELECT COUNT(*) AS found FROM sqlite_master WHERE name = 'keyfob_unfinished_copy'",
        // By the search path, as every other table.
        Conn::Postgres(_) => "SELECT COUNT(to_regclass('keyfob_unfinished_copy')) AS found",
    };
    let rows: Vec<Found> = sql_query(query).load(conn)?;
    Ok(rows.iter().any(|row| row.found > 0))
}
