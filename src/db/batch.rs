//! Statements that diesel 2.3 cannot run through a `MultiConnection`, such as an insert of several rows, or runs there
//! at more cost: it writes the text of an `UPDATE` several times.

use diesel::query_dsl::methods::ExecuteDsl;
use diesel::{PgConnection, SqliteConnection};

use super::connection::Conn;
use super::error::StoreError;

/// Runs a statement that compiles for both back ends on this connection's own.
///
/// PostgreSQL inserts many rows at once; SQLite inserts them one by one if a column may have its default.
///
/// # Errors
/// [`StoreError`], as for other statements.
pub(crate) fn execute_on_either<S>(conn: &mut Conn, statement: S) -> Result<usize, StoreError>
where
    S: ExecuteDsl<PgConnection> + ExecuteDsl<SqliteConnection>,
{
    Ok(match conn {
        Conn::Postgres(conn) => ExecuteDsl::execute(statement, conn)?,
        Conn::Sqlite(conn) => ExecuteDsl::execute(statement, conn)?,
    })
}
