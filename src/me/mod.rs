//! Sign-up, profiles, and one's own account and sessions.

pub(crate) mod routes;
pub(crate) mod sessions;
