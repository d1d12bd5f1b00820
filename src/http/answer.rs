//! Answers with a JSON body.

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, HeaderValue};
use actix_web::{HttpResponse, HttpResponseBuilder, error};
use serde::Serialize;
use utoipa::ToSchema;

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Like `HttpResponseBuilder::json`, with this crate's own writer for the bodies of reads (docs/performance.md).
pub(crate) fn json(builder: &mut HttpResponseBuilder, body: &impl Serialize) -> HttpResponse {
    let written = crate::json::write(body).map_or_else(|_| serde_json::to_string(body), Ok);
    match written {
        Ok(text) => builder.insert_header((CONTENT_TYPE, JSON)).body(text),
        Err(fault) => HttpResponse::from_error(error::InternalError::new(fault, StatusCode::INTERNAL_SERVER_ERROR)),
    }
}

/// What happens next, after a request that is not done yet.
#[derive(Serialize, ToSchema)]
pub(crate) struct Accepted {
    /// What happens next, in words.
    #[schema(example = "A mail with a link is on its way.")]
    detail: &'static str,
}

/// 202 (RFC 9110 §15.3.3), with what happens next.
pub(crate) fn accepted(detail: &'static str) -> HttpResponse {
    json(&mut HttpResponse::Accepted(), &Accepted { detail })
}
