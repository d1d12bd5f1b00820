//! The mark of a copy that is not finished: what holds it looks like a database, and is only a part of one.
//!
//! It is a table of its own, made by no migration: so it is no part of what is copied, and gone when the copy is done.

use diesel::QueryResult;
use diesel::connection::SimpleConnection;

use crate::db::connection::Conn;

/// What is said of a target that nothing but a copy may open.
pub(in crate::db) const FAULT: &str = "holds a part of a copy that was interrupted: go on with `keyfob copy --resume` from \
                                 the database that is copied, or drop this one";

pub(in crate::db) fn mark(conn: &mut Conn) -> QueryResult<()> {
    conn.batch_execute("CREATE TABLE IF NOT EXISTS keyfob_unfinished_copy (is_unfinished BOOLEAN NOT NULL)")
}

pub(in crate::db) fn unmark(conn: &mut Conn) -> QueryResult<()> {
    conn.batch_execute("DROP TABLE IF EXISTS keyfob_unfinished_copy")
}

pub(in crate::db) fn is_marked(conn: &mut Conn) -> QueryResult<bool> {
    conn.has_table("keyfob_unfinished_copy")
}
