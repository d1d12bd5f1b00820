//! The OAuth2 endpoints (RFC 6749, 7009, 7662, 8414, 7517): request, inspect and revoke tokens.

pub(crate) mod answer;
pub(crate) mod credentials;
pub(crate) mod error;
pub(crate) mod form;
pub(crate) mod grant;
pub(crate) mod metadata;
pub(crate) mod routes;

pub use error::OAuthError;
pub(crate) use error::OUTCOMES;

/// The paths whose errors have the form of RFC 6749 §5.2.
pub(crate) const OAUTH_ENDPOINTS: [&str; 3] = ["/login", "/revoke", "/introspect"];
