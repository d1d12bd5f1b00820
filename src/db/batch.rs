//! Statements that diesel 2.3 does not let through a `MultiConnection`, such as an insert of more than one row, or only with
//! more work: it writes the text of an `UPDATE` several times there.

use diesel::query_dsl::methods::ExecuteDsl;
use diesel::{PgConnection, SqliteConnection};

use super::connection::Conn;
use super::error::StoreError;

/// Runs a statement that is made for either back end on the one that this is.
///
/// Many rows are inserted by PostgreSQL at once, by SQLite one after the other where a column may have its default.
///
/// # Errors
/// [`StoreError`], as for any other statement.
pub(crate) fn execute_on_either<S>(conn: &mut Conn, statement: S) -> Result<usize, StoreError>
where
    S: ExecuteDsl<PgConnection> + ExecuteDsl<SqliteConnection>,
{
    Ok(match conn {
        Conn::Postgres(conn) => ExecuteDsl::execute(statement, conn)?,
        Conn::Sqlite(conn) => ExecuteDsl::execute(statement, conn)?,
    })
}
