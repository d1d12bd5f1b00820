//! Endpoints for operators: health, readiness and metrics.

pub(crate) mod health;
pub(crate) mod metrics;
