//! Which pages of other origins may call the service: `server.cors_origins`.

use actix_cors::Cors;
use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{
    ACCESS_CONTROL_REQUEST_METHOD, AUTHORIZATION, CONTENT_TYPE, ETAG, HeaderName, IF_MATCH, IF_NONE_MATCH, LOCATION,
    ORIGIN, RETRY_AFTER, WWW_AUTHENTICATE,
};
use actix_web::middleware::Next;
use actix_web::web::Data;

use super::request_id::X_REQUEST_ID;

/// How long a browser may remember a preflight, in seconds.
const MAX_AGE_SECONDS: usize = 600;

/// The origins that are allowed.
#[derive(Clone, Debug)]
pub(crate) struct AllowedOrigins(pub(crate) Vec<String>);

/// The layer that answers preflights and marks answers.
pub(crate) fn layer(origins: &AllowedOrigins) -> Cors {
    let requested_with = HeaderName::from_static("x-requested-with");
    let allowed = [AUTHORIZATION, CONTENT_TYPE, requested_with, IF_MATCH, IF_NONE_MATCH, X_REQUEST_ID];
    let exposed = [ETAG, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE, X_REQUEST_ID];
    let cors = Cors::default()
        .allowed_methods(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])
        .allowed_headers(allowed)
        .expose_headers(exposed)
        .max_age(MAX_AGE_SECONDS);
    origins.0.iter().fold(cors, |cors, origin| cors.allowed_origin(origin))
}

/// Treats a request of any other origin as if it named none: it is answered like everybody's, without the headers that
/// would let its page read the answer (actix-cors 0.7 answers in plain text).
pub(crate) async fn ignore_foreign_origin(
    mut req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let origins = req.app_data::<Data<AllowedOrigins>>();
    let is_allowed =
        |origin: &[u8]| origins.is_some_and(|allowed| allowed.0.iter().any(|one| one.as_bytes() == origin));
    if !req.headers().get(ORIGIN).is_some_and(|origin| is_allowed(origin.as_bytes())) {
        req.headers_mut().remove(ORIGIN);
        req.headers_mut().remove(ACCESS_CONTROL_REQUEST_METHOD);
    }
    next.call(req).await
}
