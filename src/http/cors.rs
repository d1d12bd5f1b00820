//! Which pages of other origins may call the service: `server.cors_origins`.

use actix_cors::Cors;
use actix_web::http::header::{
    AUTHORIZATION, CONTENT_TYPE, ETAG, HeaderName, IF_MATCH, IF_NONE_MATCH, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE,
};
use actix_web::middleware::Condition;

use super::request_id::X_REQUEST_ID;

/// How long a browser may remember a preflight, in seconds.
const MAX_AGE_SECONDS: usize = 600;

/// The layer; none where no origin is allowed.
pub(crate) fn layer(origins: &[String]) -> Condition<Cors> {
    let requested_with = HeaderName::from_static("x-requested-with");
    let allowed = [AUTHORIZATION, CONTENT_TYPE, requested_with, IF_MATCH, IF_NONE_MATCH, X_REQUEST_ID];
    let exposed = [ETAG, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE, X_REQUEST_ID];
    let cors = Cors::default()
        .allowed_methods(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])
        .allowed_headers(allowed)
        .expose_headers(exposed)
        .max_age(MAX_AGE_SECONDS)
        // A request of another origin is answered without the headers that would let its page read the answer.
        .block_on_origin_mismatch(false);
    let cors = origins.iter().fold(cors, |cors, origin| cors.allowed_origin(origin));
    Condition::new(!origins.is_empty(), cors)
}
