//! Failures that any route can have. The JSON routes report them in the format of RFC 9457, the OAuth endpoints in that
//! of RFC 6749 §5.2; status, headers and words are the same in both.

use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, HttpResponseBuilder};

use crate::db::StoreError;

/// When to retry a write that the disk had no room for, in seconds: the operator has to make room first.
const UNWRITABLE_SECONDS: u64 = 30;

/// Why a request failed, independent of the route. The texts have no full stop at the end: `error_description` has
/// none.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The path exists, but not with this method: 405 with `Allow`.
    #[error("This path allows only {allow}")]
    MethodNotAllowed {
        /// The methods that the path supports, as the `Allow` header lists them.
        allow: String,
    },
    /// The body is longer than `server.max_body_bytes`: 413.
    #[error("The body is too large: at most {max_bytes} bytes are allowed")]
    BodyTooLarge {
        /// The limit in bytes.
        max_bytes: usize,
    },
    /// The body did not arrive within `server.request_seconds`: 408, and the connection is closed (RFC 9110 §15.5.9).
    #[error("The body took too long: it must arrive within {max_seconds} seconds")]
    BodyTooSlow {
        /// The limit in seconds.
        max_seconds: u64,
    },
    /// The request line and headers are longer than the limit: 431, and the connection is closed (RFC 6585 §5).
    #[error("The headers are too large: at most {max_bytes} bytes are allowed")]
    HeadTooLarge {
        /// The limit in bytes.
        max_bytes: usize,
    },
    /// A page of this origin may not send the request that a browser asks about: 400 (`server.cors_origins`).
    #[error("{0}")]
    PreflightRefused(String),
    /// Too many attempts from this address or on this account: 429.
    #[error("Too many attempts. Try again in {retry_after_seconds} seconds")]
    TooManyAttempts {
        /// Seconds until the client may try again.
        retry_after_seconds: u64,
    },
    /// The queue of passwords to hash is full, or this one waited too long: 503.
    #[error("The service is busy. Try again in a moment")]
    Busy {
        /// Seconds until the present queue is done.
        retry_after_seconds: u64,
    },
    /// The database cannot be reached: 503. The cause is logged, never sent.
    #[error("The service is temporarily unavailable. Try again in a moment")]
    Unavailable(String),
    /// The database's disk is full or read-only: reads still work, writes fail with 503.
    #[error("Data cannot be stored at the moment, only read. Try again later")]
    Unwritable(String),
    /// A fault in the service: 500. The cause is logged, never sent.
    #[error("An internal error occurred. It has been logged")]
    Internal(String),
}

/// The internal cause, kept with the response for the log.
pub(crate) struct Cause(pub(crate) String);

impl Failure {
    /// The status of the response.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::MethodNotAllowed { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::PreflightRefused(_) => StatusCode::BAD_REQUEST,
            Self::BodyTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BodyTooSlow { .. } => StatusCode::REQUEST_TIMEOUT,
            Self::HeadTooLarge { .. } => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::TooManyAttempts { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Busy { .. } | Self::Unavailable(_) | Self::Unwritable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The response with its status and headers, without a body.
    pub(crate) fn response(&self) -> HttpResponseBuilder {
        let mut response = HttpResponse::build(self.status());
        if let Some(seconds) = self.retry_after_seconds() {
            response.insert_header((header::RETRY_AFTER, seconds));
        }
        match self {
            Self::MethodNotAllowed { allow } => {
                response.insert_header((header::ALLOW, allow.as_str()));
            }
            Self::BodyTooSlow { .. } | Self::HeadTooLarge { .. } => {
                response.force_close();
            }
            Self::Unavailable(cause) | Self::Unwritable(cause) | Self::Internal(cause) => {
                response.extensions_mut().insert(Cause(cause.clone()));
            }
            _ => {}
        }
        response
    }

    fn retry_after_seconds(&self) -> Option<u64> {
        match self {
            Self::Unavailable(_) => Some(1),
            Self::Unwritable(_) => Some(UNWRITABLE_SECONDS),
            Self::TooManyAttempts { retry_after_seconds } | Self::Busy { retry_after_seconds } => {
                Some(*retry_after_seconds)
            }
            _ => None,
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(cause) => Self::Unavailable(cause),
            StoreError::Unwritable(cause) => Self::Unwritable(cause),
            StoreError::Serialization => Self::Unavailable("too many serialization failures".into()),
            other => Self::Internal(other.to_string()),
        }
    }
}
