//! Which format a failure is reported in: the one that clients of the path expect.

use actix_web::{Error, HttpRequest, HttpResponse};

use super::error::ApiError;
use super::failure::Failure;

/// Gives a failure the format that clients of a path expect; the application supplies it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ErrorForm(pub(crate) fn(&str, Failure) -> Error);

impl ErrorForm {
    /// The error for a request.
    pub(crate) fn error(req: &HttpRequest, failure: Failure) -> Error {
        match req.app_data::<Self>() {
            // The path as the routes see it, percent-decoded.
            Some(Self(form)) => form(req.match_info().as_str(), failure),
            None => ApiError::from(failure).into(),
        }
    }

    /// The response to a request.
    pub(crate) fn response(req: &HttpRequest, failure: Failure) -> HttpResponse {
        Self::error(req, failure).error_response()
    }
}
