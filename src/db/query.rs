//! Reads that are made for either back end, and run as that one's own statement.
//!
//! diesel 2.3 builds the SQL of a query anew each time that it goes through a `MultiConnection`, and looks the prepared
//! statement up by that text. A query that is run on the connection inside is known by its type (docs/performance.md). So
//! the reads that every request makes go through here.

use diesel::prelude::*;
use diesel::query_dsl::methods::LoadQuery;
use diesel::sqlite::Sqlite;

use super::connection::Conn;
use super::error::StoreError;

/// The columns that a row is made of; they are the same on both back ends.
pub(crate) fn columns_of<T: Selectable<Sqlite>>() -> T::SelectExpression {
    T::construct_selection()
}

/// The one row of a query by a unique column, if there is one.
pub(crate) fn find<'query, Q, T>(conn: &mut Conn, query: Q) -> Result<Option<T>, StoreError>
where
    Q: RunQueryDsl<PgConnection> + LoadQuery<'query, PgConnection, T>,
    Q: RunQueryDsl<SqliteConnection> + LoadQuery<'query, SqliteConnection, T>,
{
    Ok(match conn {
        Conn::Postgres(conn) => query.get_result(conn).optional()?,
        Conn::Sqlite(conn) => query.get_result(conn).optional()?,
    })
}

/// The rows of a query.
pub(crate) fn load<'query, Q, T>(conn: &mut Conn, query: Q) -> Result<Vec<T>, StoreError>
where
    Q: RunQueryDsl<PgConnection> + LoadQuery<'query, PgConnection, T>,
    Q: RunQueryDsl<SqliteConnection> + LoadQuery<'query, SqliteConnection, T>,
{
    Ok(match conn {
        Conn::Postgres(conn) => query.load(conn)?,
        Conn::Sqlite(conn) => query.load(conn)?,
    })
}
