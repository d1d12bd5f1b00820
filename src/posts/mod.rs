//! Posts: the sample of a protected resource, made to be copied.

mod model;
pub(crate) mod routes;
pub(crate) mod store;
