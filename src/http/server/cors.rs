//! CORS: which pages of other origins may call the service (`server.cors_origins`).

use actix_cors::{Cors, CorsError};
use actix_web::Error;
use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, AUTHORIZATION, CONTENT_TYPE, ETAG, HeaderMap,
    HeaderName, HeaderValue, IF_MATCH, IF_NONE_MATCH, LOCATION, ORIGIN, RETRY_AFTER, WWW_AUTHENTICATE,
};
use actix_web::middleware::Next;
use actix_web::web::Data;

use super::request_id::X_REQUEST_ID;
use crate::http::error_form::ErrorForm;
use crate::http::failure::Failure;

/// How long a browser may cache a preflight response, in seconds.
const MAX_AGE_SECONDS: usize = 600;

/// The methods and headers that pages of an allowed origin may use.
const METHODS: [&str; 6] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];
const HEADERS: [HeaderName; 6] =
    [AUTHORIZATION, CONTENT_TYPE, HeaderName::from_static("x-requested-with"), IF_MATCH, IF_NONE_MATCH, X_REQUEST_ID];

/// The allowed origins.
#[derive(Clone, Debug)]
pub(crate) struct AllowedOrigins(pub(crate) Vec<String>);

/// The layer that responds to preflights and adds the CORS headers.
pub(crate) fn layer(origins: &AllowedOrigins) -> Cors {
    let exposed = [ETAG, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE, X_REQUEST_ID];
    let cors = Cors::default()
        .allowed_methods(METHODS)
        .allowed_headers(HEADERS)
        .expose_headers(exposed)
        .max_age(MAX_AGE_SECONDS);
    origins.0.iter().fold(cors, |cors, origin| cors.allowed_origin(origin))
}

/// Wraps [`layer`], where actix-cors 0.7 differs from the contract.
///
/// A request from any other origin is treated as if it named none: it gets the usual response, without the headers that
/// would let its page read it. actix-cors refuses a preflight in plain text; here it gets the usual error format.
pub(crate) async fn answer_in_our_form<B: MessageBody + 'static>(
    mut req: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let origins = req.app_data::<Data<AllowedOrigins>>();
    let is_allowed =
        |origin: &[u8]| origins.is_some_and(|allowed| allowed.0.iter().any(|one| one.as_bytes() == origin));
    if !req.headers().get(ORIGIN).is_some_and(|origin| is_allowed(origin.as_bytes())) {
        req.headers_mut().remove(ORIGIN);
        req.headers_mut().remove(ACCESS_CONTROL_REQUEST_METHOD);
    }
    drop_empty_elements(req.headers_mut());
    let res = next.call(req).await?;
    let Some(refusal) = refusal(&res) else { return Ok(res.map_into_left_body()) };
    let (request, _) = res.into_parts();
    Ok(ServiceResponse::from_err(refusal, request).map_into_right_body())
}

/// Removes empty list elements, which mean nothing (RFC 9110 §5.6.1); a list may have several lines. A value that is
/// not text is left for actix-cors to refuse.
fn drop_empty_elements(headers: &mut HeaderMap) {
    let lines: Result<Vec<&str>, _> =
        headers.get_all(ACCESS_CONTROL_REQUEST_HEADERS).map(HeaderValue::to_str).collect();
    let Ok(lines) = lines else { return };
    let names = lines.iter().flat_map(|line| line.split(',')).map(str::trim).filter(|name| !name.is_empty());
    let joined = names.collect::<Vec<_>>().join(",");
    match HeaderValue::try_from(joined) {
        Ok(list) if !list.is_empty() => drop(headers.insert(ACCESS_CONTROL_REQUEST_HEADERS, list)),
        _ => drop(headers.remove(ACCESS_CONTROL_REQUEST_HEADERS)),
    }
}

/// The reason why actix-cors refused a request, if it did, in the path's error format.
fn refusal<B>(res: &ServiceResponse<B>) -> Option<Error> {
    let text = match res.response().error()?.as_error::<CorsError>()? {
        CorsError::MethodNotAllowed => format!("The preflight must request one of the methods {}", METHODS.join(", ")),
        CorsError::HeadersNotAllowed => {
            let names = HEADERS.map(|name| name.to_string()).join(", ");
            format!("The preflight may request only the headers {names}")
        }
        CorsError::BadRequestHeaders => "Access-Control-Request-Headers must be a list of header names".to_owned(),
        _ => "The preflight must have an Origin and an Access-Control-Request-Method".to_owned(),
    };
    Some(ErrorForm::error(res.request(), Failure::PreflightRefused(text)))
}
