//! How requests authenticate (RFC 6750): one check, two ways to use it.
//!
//! The [`bearer`] middleware and the [`CurrentUser`] extractor both call `authenticate`, so a handler that takes
//! `CurrentUser` is protected even if the middleware was forgotten.

pub(crate) mod authenticate;
mod current_user;
mod error;
mod middleware;
mod origin;

pub use current_user::{CurrentUser, MaybeUser};
pub use error::AuthError;
pub use middleware::bearer;
