//! Posts: a sample of a protected resource, meant to be copied.

pub(crate) mod model;
pub(crate) mod routes;
pub(crate) mod store;
