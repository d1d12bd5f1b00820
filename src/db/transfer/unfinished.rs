//! Marks the target of an unfinished copy, so that nothing else opens a partial database.
//!
//! The mark is a table of its own that no migration creates: it is not copied, and is dropped when the copy is done.

use diesel::QueryResult;
use diesel::connection::SimpleConnection;

use crate::db::connection::Conn;

/// The error for a target that only a copy may open.
pub(in crate::db) const FAULT: &str = "holds part of an interrupted copy: continue with `keyfob copy --resume` from the \
                                 source database, or delete this one";

pub(in crate::db) fn mark(conn: &mut Conn) -> QueryResult<()> {
    conn.batch_execute("CREATE TABLE IF NOT EXISTS keyfob_unfinished_copy (is_unfinished BOOLEAN NOT NULL)")
}

pub(in crate::db) fn unmark(conn: &mut Conn) -> QueryResult<()> {
    conn.batch_execute("DROP TABLE IF EXISTS keyfob_unfinished_copy")
}

pub(in crate::db) fn is_marked(conn: &mut Conn) -> QueryResult<bool> {
    conn.has_table("keyfob_unfinished_copy")
}
