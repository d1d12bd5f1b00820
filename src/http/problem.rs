//! Error bodies outside the OAuth endpoints: RFC 9457.

use actix_web::HttpResponse;
use actix_web::HttpResponseBuilder;
use actix_web::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use crate::fields::Fault;

/// The media type of RFC 9457 §3.
pub(crate) const CONTENT_TYPE: &str = "application/problem+json";

/// An error (RFC 9457 §3.1); for invalid input, with its faults.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// Always `about:blank`: the status says it all.
    #[serde(rename = "type")]
    #[schema(example = "about:blank")]
    kind: &'static str,
    /// The status as text.
    #[schema(example = "Not Found")]
    title: &'static str,
    /// The HTTP status.
    #[schema(example = 404)]
    status: u16,
    /// What was wrong and what is expected.
    #[schema(example = "Nothing was found at this path.")]
    detail: String,
    /// One item for each fault of the input (422 only).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(nullable = false)]
    errors: Vec<Fault>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail: detail.into(),
            errors: Vec::new(),
        }
    }

    /// Adds the faults of the input.
    pub(crate) fn with_errors(mut self, errors: Vec<Fault>) -> Self {
        self.errors = errors;
        self
    }

    /// The response; `builder` already has status and headers.
    pub(crate) fn respond(&self, builder: &mut HttpResponseBuilder) -> HttpResponse {
        builder.content_type(CONTENT_TYPE).body(serde_json::to_string(self).unwrap_or_default())
    }
}
