//! The errors of the JSON routes. Each variant is a cause; one place turns causes into answers (RFC 9457).
//!
//! The OAuth endpoints have [`OAuthError`](crate::tokens::OAuthError), the guard has [`AuthError`].

use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, ResponseError};

use crate::accounts::Busy;
use crate::db::StoreError;
use crate::guard::AuthError;
use crate::http::problem::Problem;
use crate::input::Fault;
use crate::tokens::end::CallerGone;

/// When a write may be tried again that found no room, in seconds: somebody has to make some.
pub(crate) const UNWRITABLE_SECONDS: u64 = 30;

/// Why a request outside the OAuth endpoints was refused.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// There is nothing at that path or under that id: 404.
    #[error("There is nothing here.")]
    NotFound,
    /// The path is known, the method is not: 405 with `Allow`.
    #[error("This path takes {allow}.")]
    MethodNotAllowed {
        /// The methods it takes, as the `Allow` header lists them.
        allow: String,
    },
    /// The body is longer than `server.max_body_bytes`: 413.
    #[error("The body is too large: at most {max_bytes} bytes are taken.")]
    BodyTooLarge {
        /// The limit in bytes.
        max_bytes: usize,
    },
    /// The body did not arrive within `server.request_seconds`: 408, and the connection is closed (RFC 9110 §15.5.9).
    #[error("The body took too long: it should arrive within {max_seconds} seconds.")]
    BodyTooSlow {
        /// The limit in seconds.
        max_seconds: u64,
    },
    /// The request line and headers are longer than is taken: 431, and the connection is closed (RFC 6585 §5).
    #[error("The headers are too large: at most {max_bytes} bytes are taken.")]
    HeadTooLarge {
        /// The limit in bytes.
        max_bytes: usize,
    },
    /// The body's `Content-Type` is not JSON: 415.
    #[error("The Content-Type should be application/json.")]
    WrongContentType,
    /// The body is empty, cut off or no JSON: 400.
    #[error("{0}")]
    MalformedBody(String),
    /// Fields of the path, query or body are not as they should be: 422 with one item for each.
    #[error("{}", summary(.0))]
    InvalidFields(Vec<Fault>),
    /// The caller may not do this: 403.
    #[error("{0}")]
    Forbidden(&'static str),
    /// It is taken already: 409.
    #[error("{0}")]
    Conflict(&'static str),
    /// `If-Match` names another version than the current one: 412.
    #[error("It has changed since: read it again, then repeat the change with the new ETag in If-Match.")]
    PreconditionFailed,
    /// Too many attempts from this address or at this account: 429.
    #[error("Too many attempts. Try again in {retry_after_seconds} seconds.")]
    TooManyAttempts {
        /// Seconds until it may be tried again.
        retry_after_seconds: u64,
    },
    /// More passwords wait to be hashed than the queue takes, or this one waited too long: 503.
    #[error("The service is busy. Try again in a moment.")]
    Busy {
        /// Seconds until what waits now is done.
        retry_after_seconds: u64,
    },
    /// The database cannot be reached: 503.
    #[error("The service is temporarily unavailable. Try again in a moment.")]
    Unavailable(String),
    /// The disk of the database is full or read-only, so that nothing but writing goes on: 503.
    #[error("Nothing can be stored at the moment; what is there can be read. Try again later.")]
    Unwritable(String),
    /// A fault of the service: 500. The cause is logged, never sent.
    #[error("The service made a mistake. It has been logged.")]
    Internal(String),
    /// The token is missing, bad or lacks a scope: 401 or 403 with a challenge (RFC 6750 §3).
    #[error(transparent)]
    Auth(#[from] AuthError),
}

impl ApiError {
    /// What went wrong inside, for the log.
    pub(crate) fn cause(&self) -> Option<&str> {
        match self {
            Self::Unavailable(cause) | Self::Unwritable(cause) | Self::Internal(cause) => Some(cause),
            _ => None,
        }
    }

    /// One fault of one field.
    pub(crate) fn invalid(place: &str, name: &str, kind: &'static str, message: &str) -> Self {
        Self::InvalidFields(vec![Fault { loc: vec![place.into(), name.into()], msg: message.into(), kind }])
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

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::BodyTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BodyTooSlow { .. } => StatusCode::REQUEST_TIMEOUT,
            Self::HeadTooLarge { .. } => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::WrongContentType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::MalformedBody(_) => StatusCode::BAD_REQUEST,
            Self::InvalidFields(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
            Self::TooManyAttempts { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Busy { .. } | Self::Unavailable(_) | Self::Unwritable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Auth(error) => error.status_code(),
        }
    }

    fn error_response(&self) -> HttpResponse {
        if let Self::Auth(error) = self {
            return error.error_response();
        }
        let mut response = HttpResponse::build(self.status_code());
        if let Some(seconds) = self.retry_after_seconds() {
            response.insert_header((header::RETRY_AFTER, seconds));
        }
        if let Self::MethodNotAllowed { allow } = self {
            response.insert_header((header::ALLOW, allow.as_str()));
        }
        if matches!(self, Self::BodyTooSlow { .. } | Self::HeadTooLarge { .. }) {
            response.force_close();
        }
        let problem = Problem::new(self.status_code(), self.to_string());
        match self {
            Self::InvalidFields(faults) => problem.with_errors(faults.clone()),
            _ => problem,
        }
        .respond(&mut response)
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(cause) => Self::Unavailable(cause),
            StoreError::Unwritable(cause) => Self::Unwritable(cause),
            StoreError::Serialization => Self::Unavailable("too many serialization failures".into()),
            other => Self::Internal(other.to_string()),
        }
    }
}

impl From<CallerGone> for ApiError {
    fn from(gone: CallerGone) -> Self {
        Self::Auth(match gone {
            CallerGone::Account => AuthError::AccountGone,
            CallerGone::Session => AuthError::Invalid,
        })
    }
}

impl From<Busy> for ApiError {
    fn from(Busy { retry_after_seconds }: Busy) -> Self {
        Self::Busy { retry_after_seconds }
    }
}

/// The faults in one sentence, for readers of `detail` alone.
fn summary(faults: &[Fault]) -> String {
    let each = faults.iter().map(|fault| format!("{}: {}", fault.loc.join("."), fault.msg));
    each.collect::<Vec<_>>().join("; ")
}
