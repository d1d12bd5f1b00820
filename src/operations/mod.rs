//! What operators ask the service: health, readiness and metrics.

pub(crate) mod health;
pub(crate) mod metrics;
