//! The counters that ids are taken from. An id is never given out twice, not even that of a row that is gone.

use diesel::sql_types::{BigInt, Nullable, Text};
use diesel::{QueryResult, QueryableByName, RunQueryDsl, sql_query};

use super::connection::Conn;
use super::error::StoreError;

#[derive(QueryableByName)]
struct Last {
    #[diesel(sql_type = Nullable<BigInt>)]
    last: Option<i64>,
}

/// The last id that a table's counter has given out; 0 before the first.
pub(crate) fn last_of_sequence(conn: &mut Conn, table: &str, column: &str) -> QueryResult<i64> {
    let found: Vec<Last> = match conn {
        Conn::Postgres(conn) => {
            sql_query("SELECT pg_sequence_last_value(pg_get_serial_sequence($1, $2)::regclass) AS last")
                .bind::<Text, _>(table)
                .bind::<Text, _>(column)
                .load(conn)?
        }
        // SQLite makes the row when it gives the first id out.
        Conn::Sqlite(conn) => {
            sql_query("SELECT seq AS last FROM sqlite_sequence WHERE name = ?").bind::<Text, _>(table).load(conn)?
        }
    };
    Ok(found.into_iter().filter_map(|row| row.last).max().unwrap_or(0))
}

/// Moves a table's counter on, never back, so that the next id is larger than this one.
///
/// # Errors
/// [`StoreError`] when the database refuses.
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
