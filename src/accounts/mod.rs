//! Who exists: accounts and their values.

pub(crate) mod admins;
pub(crate) mod email_keys;
pub(crate) mod import;
pub(crate) mod model;
pub(crate) mod store;

pub use model::{Email, User};
