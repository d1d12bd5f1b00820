//! Who exists: accounts, their passwords, and what their owners can do with them.

pub(crate) mod attempts;
mod hashes;
pub(crate) mod import;
mod model;
mod owner;
pub(crate) mod password;
mod queue;
pub(crate) mod routes;
pub(crate) mod session_routes;
pub(crate) mod store;

pub(crate) use model::NewPassword;
pub use model::{Email, User};
pub(crate) use queue::Busy;
