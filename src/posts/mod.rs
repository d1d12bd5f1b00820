//! Posts: the sample of a protected resource, made to be copied.

pub(crate) mod model;
pub(crate) mod routes;
pub(crate) mod store;
