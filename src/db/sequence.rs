//! The counters that assign ids. No id is ever assigned twice, not even that of a deleted row.

use diesel::sql_types::{BigInt, Nullable, Text};
use diesel::{QueryResult, QueryableByName, RunQueryDsl, sql_query};

use super::connection::Conn;
use super::error::StoreError;

#[derive(QueryableByName)]
struct Last {
    #[diesel(sql_type = Nullable<BigInt>)]
    last: Option<i64>,
}

/// The last id that a table's counter has assigned; 0 before the first.
pub(crate) fn last_of_sequence(conn: &mut Conn, table: &str, column: &str) -> QueryResult<i64> {
    let found: Vec<Last> = match conn {
        Conn::Postgres(conn) => {
            sql_query("SELECT pg_sequence_last_value(pg_get_serial_sequence($1, $2)::regclass) AS last")
                .bind::<Text, _>(table)
                .bind::<Text, _>(column)
                .load(conn)?
        }
        // SQLite creates the row when it assigns the first id.
        Conn::Sqlite(conn) => {
            sql_query("SELECT seq AS last FROM sqlite_sequence WHERE name = ?").bind::<Text, _>(table).load(conn)?
        }
    };
    Ok(found.into_iter().filter_map(|row| row.last).max().unwrap_or(0))
}

/// Advances a table's counter, never back, so that the next id is larger than `to`.
///
/// # Errors
/// [`StoreError`] if the database refuses.
pub(crate) fn advance_sequence(conn: &mut Conn, table: &str, column: &str, to: i64) -> Result<(), StoreError> {
    if last_of_sequence(conn, table, column)? >= to {
        return Ok(());
    }
    match conn {
        Conn::Postgres(conn) => {
            sql_query("SELECT setval(pg_get_serial_sequence($1, $2), $3) AS last")
                .bind::<Text, _>(table)
                .bind::<Text, _>(column)
                .bind::<BigInt, _>(to)
                .load::<Last>(conn)?;
        }
        Conn::Sqlite(conn) => {
            sql_query("DELETE FROM sqlite_sequence WHERE name = ?").bind::<Text, _>(table).execute(conn)?;
            sql_query("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)")
                .bind::<Text, _>(table)
                .bind::<BigInt, _>(to)
                .execute(conn)?;
        }
    }
    Ok(())
}
