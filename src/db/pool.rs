//! The connections to one server, each lent to one call at a time.

use std::time::{Duration, Instant};

use diesel::r2d2::{HandleError, Pool, PooledConnection};

use super::connection::Conn;
use super::error::{OpenError, StoreError};
use super::manager::Manager;
use super::postgres::call::{Call, late};
use crate::config::DatabaseSettings;

#[derive(Clone)]
pub(super) struct Connections(Pool<Manager>);

/// A connection that returns to the pool when dropped.
pub(super) type Lent = PooledConnection<Manager>;

impl Connections {
    /// Opens the first connection.
    pub(super) fn open(manager: &Manager, settings: &DatabaseSettings) -> Result<Self, OpenError> {
        let pool = builder(settings, "database connection failed");
        let pool = pool.build(manager.clone()).map_err(|error| OpenError::new(&manager.url, error))?;
        Ok(Self(pool))
    }

    /// Tolerates a server that is unreachable, now or later.
    pub(super) fn to_replica(manager: Manager, settings: &DatabaseSettings) -> Self {
        let pool = builder(settings, "connection to the read replica failed");
        Self(pool.build_unchecked(manager))
    }

    /// The connections in use, the idle ones, and the limit.
    pub(super) fn count(&self) -> (u32, u32, u32) {
        let state = self.0.state();
        (state.connections.saturating_sub(state.idle_connections), state.idle_connections, self.0.max_size())
    }

    /// Waits for a connection.
    pub(super) fn lend(&self, call: &Call) -> Result<Lent, StoreError> {
        let wait = call.wait_until.saturating_duration_since(Instant::now());
        let lent = self.0.get_timeout(wait).map_err(|error| StoreError::Unavailable(error.to_string()))?;
        // Do not begin work whose caller has already had an error.
        if call.is_over() { Err(late()) } else { Ok(lent) }
    }

    /// Runs work on a connection, which is not reused if it has failed.
    pub(super) fn run<T>(
        &self,
        call: &Call,
        work: impl Fn(&mut Conn) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut lent = self.lend(call)?;
        let _watched = match (&call.watch, call.end, lent.session) {
            (Some(watch), Some(end), Some(session)) => Some(watch.until(end, session)),
            _ => None,
        };
        lent.run(work)
    }
}

fn builder(settings: &DatabaseSettings, message: &'static str) -> diesel::r2d2::Builder<Manager> {
    Pool::builder()
        .max_size(settings.pool_size)
        .min_idle(Some(1))
        .connection_timeout(Duration::from_secs(settings.pool_wait_seconds))
        .test_on_check_out(true)
        .error_handler(Box::new(LogErrors(message)))
}

/// Logs why connections fail; callers only see "unavailable".
#[derive(Debug)]
struct LogErrors(&'static str);

impl HandleError<diesel::r2d2::Error> for LogErrors {
    fn handle_error(&self, error: diesel::r2d2::Error) {
        tracing::warn!(cause = %error, "{}", self.0);
    }
}
