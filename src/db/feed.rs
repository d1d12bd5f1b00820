//! A reader's position in a feed: a table that every process polls for new rows.
//!
//! No clock is involved. On PostgreSQL a row's `local_position` is the id of the transaction that wrote it. A reader
//! that has read the feed asks next for the rows of transactions that had not ended by then, however late they commit.
//! On SQLite commits are sequential, and the position is a number that each row takes inside its transaction.

use diesel::sql_types::BigInt;
use diesel::{QueryableByName, RunQueryDsl, sql_query};

use super::connection::Conn;
use super::error::StoreError;
use super::sequence::last_of_sequence;

/// A standby that took over, or a server restored to an earlier state, gives out the same numbers again, so the server
/// is part of the position.
const POSTGRES: &str = "SELECT pg_snapshot_xmin(pg_current_snapshot())::TEXT::BIGINT AS next, \
                        (EXTRACT(EPOCH FROM pg_postmaster_start_time()) * 1000000)::BIGINT AS server";
const SQLITE: &str = "SELECT last + 1 AS next, 0 AS server FROM local_positions";

/// How far a reader has read a feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, QueryableByName)]
pub(crate) struct Place {
    /// The first position at which a row may still appear.
    #[diesel(sql_type = BigInt)]
    next: i64,
    /// The server that assigned the positions.
    #[diesel(sql_type = BigInt)]
    server: i64,
}

impl Place {
    /// The first position to read for a reader that has read up to `self`, when the feed is at `now`. It is the
    /// beginning if the positions are no longer the same ones.
    pub(crate) fn first_unread(self, now: Self) -> i64 {
        if self.server == now.server && self.next <= now.next { self.next } else { 0 }
    }
}

/// The present end of a feed. Find it before reading the rows.
pub(crate) fn find_place(conn: &mut Conn) -> Result<Place, StoreError> {
    Ok(match conn {
        Conn::Postgres(conn) => sql_query(POSTGRES).get_result(conn)?,
        Conn::Sqlite(conn) => sql_query(SQLITE).get_result(conn)?,
    })
}

/// The same for a table whose rows are never changed: on SQLite the positions are its ids, which are in the order of the
/// commits.
pub(crate) fn find_place_of(conn: &mut Conn, table: &str, column: &str) -> Result<Place, StoreError> {
    match conn {
        Conn::Postgres(_) => find_place(conn),
        Conn::Sqlite(_) => Ok(Place { next: last_of_sequence(conn, table, column)? + 1, server: 0 }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feed_is_read_on_from_where_it_was_left() {
        let (then, now) = (Place { next: 5, server: 1 }, Place { next: 9, server: 1 });
        assert_eq!(then.first_unread(now), 5);
        assert_eq!(now.first_unread(now), 9);
    }

    #[test]
    fn a_feed_of_another_server_or_an_earlier_state_is_read_from_its_beginning() {
        let then = Place { next: 5, server: 1 };
        assert_eq!(then.first_unread(Place { next: 9, server: 2 }), 0, "a standby took over");
        assert_eq!(then.first_unread(Place { next: 4, server: 1 }), 0, "it was set back");
    }
}
