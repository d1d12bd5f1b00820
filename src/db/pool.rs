//! The connections to one server, each lent to one call at a time.

use std::time::{Duration, Instant};

use diesel::r2d2::{HandleError, Pool};

use super::call::{Call, late};
use super::connection::{Conn, Manager};
use super::error::{OpenError, StoreError};
use crate::config::DatabaseSettings;

#[derive(Clone)]
pub(super) struct Connections {
    pool: Pool<Manager>,
    manager: Manager,
}

impl Connections {
    /// Makes the first connection.
    pub(super) fn open(manager: &Manager, settings: &DatabaseSettings) -> Result<Self, OpenError> {
        let pool = builder(settings, "database connection failed");
        let pool = pool.build(manager.clone()).map_err(|error| OpenError::new(&manager.url, error))?;
        Ok(Self { pool, manager: manager.clone() })
    }

    /// Does not mind a server that is away, now or later.
    pub(super) fn to_replica(manager: Manager, settings: &DatabaseSettings) -> Self {
        let pool = builder(settings, "connection to the read replica failed");
        Self { pool: pool.build_unchecked(manager.clone()), manager }
    }

    /// How many are in use, how many are idle, and how many there may be.
    pub(super) fn count(&self) -> (u32, u32, u32) {
        let state = self.pool.state();
        (state.connections.saturating_sub(state.idle_connections), state.idle_connections, self.pool.max_size())
    }

    /// Runs work on a connection, which is not used again when it has failed.
    pub(super) fn run<T>(
        &self,
        call: &Call,
        work: impl Fn(&mut Conn) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let wait = call.wait_until.saturating_duration_since(Instant::now());
        let pooled = self.pool.get_timeout(wait);
        let mut pooled = pooled.map_err(|error| StoreError::Unavailable(error.to_string()))?;
        // Nothing is begun of which the caller is told already that it was not done.
        if call.is_over() {
            return Err(late());
        }
        let _watched = match (&call.watch, call.end, pooled.session) {
            (Some(watch), Some(end), Some(session)) => Some(watch.until(end, session)),
            _ => None,
        };
        let result = work(&mut pooled.conn);
        if matches!(result, Err(StoreError::Unavailable(_))) {
            self.manager.distrust(&mut pooled);
        }
        result
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

/// Says why connections cannot be made, which the callers only see as "unavailable".
#[derive(Debug)]
struct LogErrors(&'static str);

impl HandleError<diesel::r2d2::Error> for LogErrors {
    fn handle_error(&self, error: diesel::r2d2::Error) {
        tracing::warn!(cause = %error, "{}", self.0);
    }
}
