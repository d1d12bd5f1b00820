//! Sign-up, profiles, and one's own account and sessions.

mod error;
pub(crate) mod routes;
pub(crate) mod sessions;
