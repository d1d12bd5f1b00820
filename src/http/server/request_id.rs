//! The `x-request-id` of a request: the caller's if it is valid, otherwise a new one.

use actix_web::dev::ServiceRequest;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{HttpMessage, HttpRequest};

pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

const MAX_LENGTH: usize = 128;

/// The id, kept with the request.
struct Kept(HeaderValue);

/// The id for the log and the response.
pub(crate) fn choose(req: &ServiceRequest) -> HeaderValue {
    match req.headers().get(&X_REQUEST_ID) {
        Some(given) if is_fit(given.as_bytes()) => given.clone(),
        _ => fresh(),
    }
}

/// Keeps the id for handlers. Only requests that change something record it, so reads are spared the work.
pub(super) fn keep(req: &ServiceRequest, id: &HeaderValue) {
    if !req.method().is_safe() {
        req.extensions_mut().insert(Kept(id.clone()));
    }
}

/// The id that was kept with a request.
pub(crate) fn find(req: &HttpRequest) -> Option<String> {
    let extensions = req.extensions();
    extensions.get::<Kept>().and_then(|Kept(id)| id.to_str().ok().map(str::to_owned))
}

fn is_fit(id: &[u8]) -> bool {
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
    (1..=MAX_LENGTH).contains(&id.len()) && id.iter().all(allowed)
}

/// 16 hexadecimal digits. They tell requests apart and protect nothing, so a fast generator is enough.
fn fresh() -> HeaderValue {
    let mut digits = [b'0'; 16];
    // Neither call can fail for 16 digits.
    let _ = hex::encode_to_slice(fastrand::u64(..).to_be_bytes(), &mut digits);
    HeaderValue::from_bytes(&digits).unwrap_or_else(|_| HeaderValue::from_static("0"))
}
