//! How a token is made, renewed, inspected and revoked: the OAuth2 endpoints (RFC 6749, 7009, 7662, 8414, 7517).

pub(crate) mod access;
mod answer;
mod begin;
pub(crate) mod client;
pub(crate) mod end;
mod error;
pub(crate) mod form;
pub(crate) mod grant;
pub(crate) mod inspect;
pub(crate) mod jwt;
pub(crate) mod keyring;
pub(crate) mod keys;
pub(crate) mod metadata;
pub(crate) mod refresh;
mod renew;
pub(crate) mod revocations;
pub(crate) mod rotation;
pub(crate) mod routes;
pub(crate) mod scope;
pub(crate) mod seal;
pub(crate) mod sessions;
pub(crate) mod store;
mod upkeep;
pub(crate) mod uses;
mod verified;

pub use access::AccessToken;
pub use error::OAuthError;
pub(crate) use keys::KeyError;
pub use scope::{RequiredScope, ScopeSet, scopes};

/// The paths whose errors are those of RFC 6749 §5.2.
pub(crate) const OAUTH_ENDPOINTS: [&str; 3] = ["/login", "/revoke", "/introspect"];

/// The realm in every challenge.
pub(crate) const REALM: &str = "keyfob";
