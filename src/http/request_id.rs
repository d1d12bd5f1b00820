//! The `x-request-id` of a request: the caller's where it is a fit one, ours otherwise.

use actix_web::dev::ServiceRequest;
use actix_web::http::header::{HeaderName, HeaderValue};

pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

const MAX_LENGTH: usize = 128;

/// The id to log and to answer with.
pub(crate) fn choose(req: &ServiceRequest) -> HeaderValue {
    match req.headers().get(&X_REQUEST_ID) {
        Some(given) if is_fit(given.as_bytes()) => given.clone(),
        _ => fresh(),
    }
}

fn is_fit(id: &[u8]) -> bool {
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
    (1..=MAX_LENGTH).contains(&id.len()) && id.iter().all(allowed)
}

/// 16 hexadecimal digits. They tell requests apart and guard nothing, so a fast generator is enough.
fn fresh() -> HeaderValue {
    let text = format!("{:016x}", fastrand::u64(..));
    HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static("0"))
}
