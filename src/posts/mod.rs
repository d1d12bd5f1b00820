//! Posts: the sample of a protected resource, made to be copied.

mod model;
pub(crate) mod routes;
mod store;
