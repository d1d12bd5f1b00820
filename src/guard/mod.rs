//! How a request proves who it is (RFC 6750): one check, two doors.
//!
//! The [`bearer`] middleware and the [`CurrentUser`] extractor both call `authenticate`, so that a handler which takes
//! `CurrentUser` is closed even where the middleware was forgotten.

pub(crate) mod authenticate;
mod current_user;
mod error;
mod middleware;

pub use current_user::{CurrentUser, MaybeUser};
pub use error::AuthError;
pub use middleware::bearer;
