//! The errors of the OAuth endpoints (RFC 6749 §5.2). Each variant is a cause; one place turns causes into answers.

use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, ResponseError};
use serde_json::json;

use super::REALM;
use super::keys::KeyError;
use crate::accounts::Busy;
use crate::db::StoreError;
use crate::error::{ApiError, UNWRITABLE_SECONDS};

/// Why an OAuth endpoint refused. Texts keep to the characters of RFC 6749 §5.2: ASCII, no quotes, no backslash.
#[derive(Debug, thiserror::Error)]
pub enum OAuthError {
    /// A parameter is missing or repeated, or the body is not a form: 400.
    #[error("{0}")]
    InvalidRequest(String),
    /// The client is unknown or did not prove who it is: 401.
    #[error("Client authentication failed")]
    InvalidClient,
    /// The user is unknown or disabled, or the password is wrong: 400.
    #[error("Incorrect username or password")]
    WrongCredentials,
    /// The refresh token is unknown, used, expired, revoked or another client's: 400.
    #[error("The refresh token is not valid: it was used, has expired, was revoked or belongs to another client")]
    InvalidRefreshToken,
    /// The grant type is known, but not for this client: 400.
    #[error("This client may not use that grant type")]
    UnauthorizedClient,
    /// The grant type is not known: 400.
    #[error("The grant type should be password or refresh_token")]
    UnsupportedGrantType,
    /// A scope is unknown, wider than was granted, or none is left: 400.
    #[error("{0}")]
    InvalidScope(String),
    /// The body is over the limit: 413.
    #[error("The body is too large: at most {max_bytes} bytes are taken")]
    BodyTooLarge {
        /// The limit in bytes.
        max_bytes: usize,
    },
    /// The body did not arrive in time: 408, and the connection is closed.
    #[error("The body took too long: it should arrive within {max_seconds} seconds")]
    BodyTooSlow {
        /// The limit in seconds.
        max_seconds: u64,
    },
    /// The request line and headers are longer than is taken: 431, and the connection is closed (RFC 6585 §5).
    #[error("The headers are too large: at most {max_bytes} bytes are taken")]
    HeadTooLarge {
        /// The limit in bytes.
        max_bytes: usize,
    },
    /// Another method than the endpoint's: 405 with `Allow`.
    #[error("This endpoint takes {allow} only")]
    MethodNotAllowed {
        /// The methods it takes, as the `Allow` header lists them.
        allow: String,
    },
    /// Too many attempts from this address or at this account: 429.
    #[error("Too many attempts. Try again in {retry_after_seconds} seconds")]
    SlowDown {
        /// Seconds until it may be tried again.
        retry_after_seconds: u64,
    },
    /// The queue for password work is full: 503.
    #[error("The service is busy. Try again in a moment")]
    Busy {
        /// Seconds until what waits now is done.
        retry_after_seconds: u64,
    },
    /// The database cannot be reached: 503.
    #[error("The service is temporarily unavailable. Try again in a moment")]
    Unavailable(String),
    /// The disk of the database is full or read-only, so that no session can begin or change: 503.
    #[error("Nothing can be stored at the moment. Try again later")]
    Unwritable(String),
    /// A fault of the service: 500. The cause is logged, never sent.
    #[error("The service made a mistake. It has been logged")]
    ServerError(String),
}

impl OAuthError {
    /// What went wrong inside, for the log.
    pub(crate) fn cause(&self) -> Option<&str> {
        match self {
            Self::Unavailable(cause) | Self::Unwritable(cause) | Self::ServerError(cause) => Some(cause),
            _ => None,
        }
    }

    /// The cause in a word, for those who count.
    pub(crate) fn outcome(&self) -> &'static str {
        match self {
            Self::WrongCredentials => "wrong_credentials",
            Self::InvalidRefreshToken => "invalid_refresh_token",
            Self::Busy { .. } => "busy",
            _ => self.code(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::InvalidRequest(_)
            | Self::BodyTooLarge { .. }
            | Self::BodyTooSlow { .. }
            | Self::HeadTooLarge { .. }
            | Self::MethodNotAllowed { .. } => "invalid_request",
            Self::InvalidClient => "invalid_client",
            Self::WrongCredentials | Self::InvalidRefreshToken => "invalid_grant",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::InvalidScope(_) => "invalid_scope",
            Self::SlowDown { .. } => "slow_down",
            Self::Busy { .. } | Self::Unavailable(_) | Self::Unwritable(_) => "temporarily_unavailable",
            Self::ServerError(_) => "server_error",
        }
    }

    fn retry_after_seconds(&self) -> Option<u64> {
        match self {
            Self::SlowDown { retry_after_seconds } | Self::Busy { retry_after_seconds } => Some(*retry_after_seconds),
            Self::Unavailable(_) => Some(1),
            Self::Unwritable(_) => Some(UNWRITABLE_SECONDS),
            _ => None,
        }
    }
}

impl ResponseError for OAuthError {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::InvalidClient => StatusCode::UNAUTHORIZED,
            Self::MethodNotAllowed { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::BodyTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BodyTooSlow { .. } => StatusCode::REQUEST_TIMEOUT,
            Self::HeadTooLarge { .. } => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::SlowDown { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Busy { .. } | Self::Unavailable(_) | Self::Unwritable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::ServerError(_) => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        response.insert_header((header::CACHE_CONTROL, "no-store")).insert_header((header::PRAGMA, "no-cache"));
        if let Some(seconds) = self.retry_after_seconds() {
            response.insert_header((header::RETRY_AFTER, seconds));
        }
        match self {
            Self::InvalidClient => {
                response.insert_header((header::WWW_AUTHENTICATE, format!("Basic realm=\"{REALM}\"")));
            }
            Self::MethodNotAllowed { allow } => {
                response.insert_header((header::ALLOW, allow.as_str()));
            }
            Self::BodyTooSlow { .. } | Self::HeadTooLarge { .. } => {
                response.force_close();
            }
            _ => {}
        }
        let text = self.to_string();
        response.json(json!({ "error": self.code(), "error_description": text, "detail": text }))
    }
}

impl From<StoreError> for OAuthError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(cause) => Self::Unavailable(cause),
            StoreError::Unwritable(cause) => Self::Unwritable(cause),
            StoreError::Serialization => Self::Unavailable("too many serialization failures".into()),
            other => Self::ServerError(other.to_string()),
        }
    }
}

impl From<KeyError> for OAuthError {
    fn from(error: KeyError) -> Self {
        Self::ServerError(error.to_string())
    }
}

impl From<Busy> for OAuthError {
    fn from(Busy { retry_after_seconds }: Busy) -> Self {
        Self::Busy { retry_after_seconds }
    }
}

impl From<ApiError> for OAuthError {
    /// The faults of reading a body, in the words of the OAuth endpoints.
    fn from(error: ApiError) -> Self {
        match error {
            ApiError::BodyTooLarge { max_bytes } => Self::BodyTooLarge { max_bytes },
            ApiError::BodyTooSlow { max_seconds } => Self::BodyTooSlow { max_seconds },
            ApiError::Internal(cause) => Self::ServerError(cause),
            ApiError::WrongContentEncoding { .. } => Self::InvalidRequest(error.to_string().replace('.', "")),
            _ => Self::InvalidRequest("The body could not be read: it was cut off".into()),
        }
    }
}
