//! The errors of the JSON routes. Each variant is a cause; one place turns causes into responses (RFC 9457).

use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, ResponseError};

use super::failure::Failure;
use super::problem::Problem;
use crate::db::StoreError;
use crate::fields::{Fault, Rejection};

/// Why a request outside the OAuth endpoints was refused.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// No route or item matches the path or id: 404.
    #[error("Nothing was found at this path.")]
    NotFound,
    /// The body's `Content-Type` is not JSON: 415.
    #[error("The Content-Type should be application/json.")]
    WrongContentType,
    /// The body is compressed: 415 with `Accept-Encoding` (RFC 9110 §12.5.3).
    #[error("The Content-Encoding {coding} is not supported: send the body as it is.")]
    WrongContentEncoding {
        /// The coding that the client named.
        coding: String,
    },
    /// The body is empty, cut off or not JSON: 400.
    #[error("{0}")]
    MalformedBody(String),
    /// Fields of the path, query or body are invalid: 422 with one item for each.
    #[error("{}", summary(.0))]
    InvalidFields(Vec<Fault>),
    /// The caller may not do this: 403.
    #[error("{0}")]
    Forbidden(&'static str),
    /// A one-time token is unknown, used, expired, for another purpose or out of date: 400. Which of them is not said.
    #[error("The token is not valid: it may be used, expired or replaced by a newer one.")]
    BadOneTimeToken,
    /// The value is already taken, or a rule forbids the change: 409.
    #[error("{0}")]
    Conflict(&'static str),
    /// `If-Match` names a version other than the current one: 412.
    #[error("It has changed since then: read it again, then repeat the change with the new ETag in If-Match.")]
    PreconditionFailed,
    /// The token is missing, invalid or lacks a scope: 401 or 403 with a challenge (RFC 6750 §3).
    #[error("{detail}")]
    Challenged {
        /// 401 or 403.
        status: StatusCode,
        /// The value of `WWW-Authenticate`.
        challenge: String,
        /// What was wrong.
        detail: String,
    },
    /// A failure that any route can have.
    #[error("{0}.")]
    Failed(#[from] Failure),
}

impl ApiError {
    /// One fault in one field.
    pub(crate) fn invalid(place: &str, name: &str, kind: &'static str, message: &str) -> Self {
        Self::InvalidFields(vec![Fault::new(place, name, Rejection::new(kind, message))])
    }

    /// A field of the body was refused after the others had been read.
    pub(crate) fn refused(name: &str, rejection: Rejection) -> Self {
        Self::InvalidFields(vec![Fault::new("body", name, rejection)])
    }

    /// A fault in the service; its cause is logged, never sent.
    pub(crate) fn internal(cause: impl Into<String>) -> Self {
        Failure::Internal(cause.into()).into()
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::WrongContentType | Self::WrongContentEncoding { .. } => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::MalformedBody(_) | Self::BadOneTimeToken => StatusCode::BAD_REQUEST,
            Self::InvalidFields(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
            Self::Challenged { status, .. } => *status,
            Self::Failed(failure) => failure.status(),
        }
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = match self {
            Self::Failed(failure) => failure.response(),
            _ => HttpResponse::build(self.status_code()),
        };
        match self {
            Self::Challenged { challenge, .. } => {
                response.insert_header((header::WWW_AUTHENTICATE, challenge.as_str()));
            }
            Self::WrongContentEncoding { .. } => {
                response.insert_header((header::ACCEPT_ENCODING, "identity"));
            }
            _ => {}
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
            StoreError::Refused(rule) => Self::Conflict(rule),
            error => Self::Failed(error.into()),
        }
    }
}

/// The faults in one sentence, for clients that read only `detail`.
fn summary(faults: &[Fault]) -> String {
    let each = faults.iter().map(|fault| format!("{}: {}", fault.loc.join("."), fault.msg));
    each.collect::<Vec<_>>().join("; ")
}
