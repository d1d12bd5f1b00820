//! Sign-up, login and token-protected routes: an OAuth2 password-grant service, and the library behind it.
//!
//! RFC 9700 §2.4 says that the password grant must not be used, because the app sees the password. Keyfob uses it all
//! the same, but only for first-party apps: there the operator of the login also makes the app, and would see the
//! password anyway.
//!
//! [`Keyfob::configure`] adds the whole service to your own application. To protect a handler of your own, take a
//! [`CurrentUser`] in it, or use the [`bearer`] middleware: requests without a valid token are refused.
//!
//! The cargo feature `postgres-tls` adds TLS to PostgreSQL connections. Building it needs OpenSSL with its headers.

mod accounts;
mod activity;
mod admin;
mod app;
mod attempts;
mod audit;
pub mod cli;
mod clients;
mod config;
mod db;
mod docs;
mod fields;
mod guard;
mod http;
mod json;
mod language;
mod log;
mod mail;
mod me;
mod metrics;
mod network;
mod oauth;
mod one_time_tokens;
mod operations;
mod passwords;
mod posts;
mod recovery;
mod sessions;
#[cfg(any(test, fuzzing))]
mod testing;
mod tokens;
#[cfg(feature = "otlp")]
mod traces;
mod unicode;

#[cfg(fuzzing)]
#[doc(hidden)]
pub use testing::fuzzing;

pub use accounts::{Email, User};
pub use app::{Keyfob, StartError, openapi_document};
pub use config::{
    AccountSettings, Algorithm, AuditSettings, BootstrapSettings, ConfigError, DatabaseSettings, DatabaseUrl,
    Environment, LogSettings, MailSettings, PasswordSettings, RateLimitSettings, RevocationFail, Sender,
    ServerSettings, SessionSettings, Settings, SignUpMode, SmtpSecurity, SmtpUrl, TokenSettings,
};
pub use db::{Id, OpenError, StoreError, Timestamp};
pub use fields::{Change, Fault, Field, Fields, FromFields, Rejection};
pub use guard::{AuthError, CurrentUser, MaybeUser, bearer};
pub use http::error::ApiError;
pub use http::failure::Failure;
pub use http::{Json, PathId, Query};
pub use oauth::OAuthError;
pub use tokens::{AccessToken, RequiredScope, ScopeSet};

/// The scopes of the service, as types for handlers' signatures: `CurrentUser<scopes::Posts>`.
pub mod scopes {
    pub use crate::posts::Posts;
    pub use crate::tokens::scopes::{Admin, Any, Profile};
}
