//! Access tokens: their claims, the keys that sign them, and the scopes that they carry.

pub(crate) mod access;
pub(crate) mod inspect;
pub(crate) mod jwt;
pub(crate) mod keyring;
pub(crate) mod keys;
pub(crate) mod scope;
pub(crate) mod seal;
pub(crate) mod store;
mod verified;

pub use access::AccessToken;
pub(crate) use keys::KeyError;
pub(crate) use scope::scopes;
pub use scope::{RequiredScope, ScopeSet};

/// The realm in every challenge.
pub(crate) const REALM: &str = "keyfob";
