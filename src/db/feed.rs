//! Where a reader stands in a feed: a table that every process reads again and again to learn what is new in it.
//!
//! No clock has a part in it. On PostgreSQL a row's `local_position` is the id of the transaction that wrote it. Whoever
//! has read the feed asks next for the rows of transactions that were not over at that time, however late they commit. On
//! SQLite commits come one after the other, and the position is a number that each row takes inside its transaction.

use diesel::sql_types::BigInt;
use diesel::{QueryableByName, RunQueryDsl, sql_query};

use super::connection::Conn;
use super::error::StoreError;

/// A standby that took over, or a server that was set back to an earlier state, begins anew with numbers that were seen
/// already, so the server is part of the place.
const POSTGRES: &str = "SELECT pg_snapshot_xmin(pg_current_snapshot())::TEXT::BIGINT AS next, \
                        (EXTRACT(EPOCH FROM pg_postmaster_start_time()) * 1000000)::BIGINT AS server";
const SQLITE: &str = "SELECT last + 1 AS next, 0 AS server FROM local_positions";

/// How far a feed has been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, QueryableByName)]
pub(crate) struct Place {
    /// The first position at which something may still appear.
    #[diesel(sql_type = BigInt)]
    next: i64,
    /// Which server counts.
    #[diesel(sql_type = BigInt)]
    server: i64,
}

impl Place {
    /// The first position to be read by somebody who has read up to here, where the feed has come to that place. It is
    /// the beginning when the positions are no longer the same ones.
    pub(crate) fn first_unread(self, now: Self) -> i64 {
        if self.server == now.server && self.next <= now.next { self.next } else { 0 }
    }
}

/// Where a feed stands. To be asked for before the rows are read.
pub(crate) fn find_place(conn: &mut Conn) -> Result<Place, StoreError> {
    Ok(match conn {
        Conn::Postgres(conn) => sql_query(POSTGRES).get_result(conn)?,
        Conn::Sqlite(conn) => sql_query(SQLITE).get_result(conn)?,
    })
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
