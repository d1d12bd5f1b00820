//! Why a request is refused (RFC 6750 §3). Each variant is a cause; one place turns causes into challenges.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};

use crate::http::error::ApiError;
use crate::tokens::REALM;

/// Why a request was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// No `Authorization: Bearer`: 401 with a challenge that has no error code.
    #[error("Not authenticated: send an access token in the header Authorization: Bearer.")]
    Missing,
    /// `Bearer`, but not followed by exactly one token: 401 `invalid_token`.
    #[error("The Authorization header should be Bearer followed by one access token.")]
    Malformed,
    /// The token is not valid here, or no longer: 401 `invalid_token`.
    #[error("The access token is not valid.")]
    Invalid,
    /// The token has expired: 401 `invalid_token`.
    #[error("The access token has expired.")]
    Expired,
    /// The token is not valid yet: 401 `invalid_token`.
    #[error("The access token is not valid yet.")]
    NotYetValid,
    /// The account is gone or disabled: 401 `invalid_token`.
    #[error("The account of this access token was deleted or disabled.")]
    AccountGone,
    /// The token lacks a scope: 403 `insufficient_scope`.
    #[error("This needs an access token with the scope {0}.")]
    InsufficientScope(&'static str),
}

impl AuthError {
    fn challenge(self) -> String {
        match self {
            Self::Missing => format!("Bearer realm=\"{REALM}\""),
            Self::InsufficientScope(scope) => {
                format!(
                    "Bearer realm=\"{REALM}\", error=\"insufficient_scope\", error_description=\"{self}\", scope=\"{scope}\""
                )
            }
            _ => format!("Bearer realm=\"{REALM}\", error=\"invalid_token\", error_description=\"{self}\""),
        }
    }
}

impl ResponseError for AuthError {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::InsufficientScope(_) => StatusCode::FORBIDDEN,
            _ => StatusCode::UNAUTHORIZED,
        }
    }

    fn error_response(&self) -> HttpResponse {
        ApiError::from(*self).error_response()
    }
}

impl From<AuthError> for ApiError {
    fn from(error: AuthError) -> Self {
        Self::Challenged { status: error.status_code(), challenge: error.challenge(), detail: error.to_string() }
    }
}
