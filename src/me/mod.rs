//! Sign-up, profiles, and the caller's own account and sessions.

mod error;
mod owner;
pub(crate) mod routes;
pub(crate) mod sessions;
