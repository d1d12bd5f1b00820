//! Queries that compile for both back ends, and run as statements of the connection's own.
//!
//! diesel 2.3 rebuilds a query's SQL each time it runs through a `MultiConnection`, and finds the prepared statement by
//! that text. A query that runs on the inner connection is known by its type (docs/performance.md). So the queries of
//! frequent requests use this module.

use diesel::prelude::*;
use diesel::query_dsl::methods::LoadQuery;
use diesel::sqlite::Sqlite;

use super::connection::Conn;
use super::error::StoreError;

/// The columns of a row type, the same on both back ends.
pub(crate) fn columns_of<T: Selectable<Sqlite>>() -> T::SelectExpression {
    T::construct_selection()
}

/// The row with a unique column's value, if it exists.
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

/// The one row of a query, such as an `INSERT` that returns a column.
pub(crate) fn one<'query, Q, T>(conn: &mut Conn, query: Q) -> Result<T, StoreError>
where
    Q: RunQueryDsl<PgConnection> + LoadQuery<'query, PgConnection, T>,
    Q: RunQueryDsl<SqliteConnection> + LoadQuery<'query, SqliteConnection, T>,
{
    Ok(match conn {
        Conn::Postgres(conn) => query.get_result(conn)?,
        Conn::Sqlite(conn) => query.get_result(conn)?,
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
