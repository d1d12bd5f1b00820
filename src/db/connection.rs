//! One connection type for both back ends.

use diesel::connection::SimpleConnection;
use diesel::{PgConnection, QueryResult, RunQueryDsl, SqliteConnection};

use super::error::StoreError;

/// A connection to either back end.
#[derive(diesel::MultiConnection)]
pub(crate) enum Conn {
    Postgres(PgConnection),
    Sqlite(SqliteConnection),
}

#[derive(diesel::QueryableByName)]
struct Session {
    #[diesel(sql_type = diesel::sql_types::Integer)]
    session: i32,
}

#[derive(diesel::QueryableByName)]
struct Found {
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    found: i64,
}

impl Conn {
    /// PostgreSQL's process id of this session, with which another session can end it; `None` on compatible engines
    /// without it.
    pub(super) fn session(&mut self) -> Option<i32> {
        match self {
            Self::Sqlite(_) => None,
            Self::Postgres(conn) => {
                let found = diesel::sql_query("SELECT pg_backend_pid() AS session").get_result::<Session>(conn);
                found.ok().map(|row| row.session)
            }
        }
    }

    /// Whether a table of that name exists: on PostgreSQL by the search path, as for all other tables.
    pub(super) fn has_table(&mut self, name: &'static str) -> QueryResult<bool> {
        let query = match self {
            Self::Sqlite(_) => format!("SELECT COUNT(*) AS found FROM sqlite_master WHERE name = '{name}'"),
            Self::Postgres(_) => format!("SELECT COUNT(to_regclass('{name}')) AS found"),
        };
        Ok(diesel::sql_query(query).get_result::<Found>(self)?.found > 0)
    }

    /// For a write that only one process may do at a time: waits until no other process is at this point. On SQLite a
    /// write has the whole database to itself anyway.
    pub(crate) fn wait_for_turn(&mut self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(_) => Ok(()),
            Self::Postgres(conn) => Ok(conn.batch_execute(&format!("SELECT pg_advisory_xact_lock({ADVISORY_LOCK})"))?),
        }
    }
}

/// The lock that a process takes on a PostgreSQL database for work that only one may do (the letters "keyfob").
pub(super) const ADVISORY_LOCK: &str = "118048870133602";
