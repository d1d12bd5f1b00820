//! Sign-up, profiles, and one's own account and sessions.

mod error;
mod owner;
pub(crate) mod routes;
pub(crate) mod sessions;
