//! The middleware around every route: request id, HEAD as GET, the headers of every response, one log line.

use std::time::Instant;

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{CACHE_CONTROL, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::web::Data;

use super::request_id::{self, X_REQUEST_ID};
use crate::http::caching::is_private;
use crate::http::failure::Cause;
use crate::log::REQUEST;
use crate::metrics::Metrics;

/// Wraps the whole service.
pub(crate) async fn conventions(
    mut req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let started = Instant::now();
    let id = request_id::choose(&req);
    let method = req.method().clone();
    if method == Method::HEAD {
        // The connection remembers that it was HEAD and leaves the body out.
        req.head_mut().method = Method::GET;
    }
    let mut res = next.call(req).await?;
    log(&res, &method, &id, started);
    if let Some(metrics) = res.request().app_data::<Data<Metrics>>() {
        let request = res.request();
        metrics.count_request(request.method(), request.match_info().as_str(), res.status(), started.elapsed());
    }
    #[cfg(feature = "otlp")]
    if let Some(traces) = res.request().app_data::<Data<crate::traces::Traces>>() {
        traces.record(res.request(), res.status(), id.to_str().unwrap_or_default(), started.elapsed());
    }
    let is_private = is_private(res.request().match_info().as_str());
    let headers = res.headers_mut();
    if is_private {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    headers.insert(X_REQUEST_ID, id);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Ok(res)
}

/// One line a request: never the query string, a header or a body, which may hold secrets.
fn log<B>(res: &ServiceResponse<B>, method: &Method, id: &HeaderValue, started: Instant) {
    let status = res.status();
    let micros = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
    let (method, path, id) = (method.as_str(), res.request().path(), id.to_str().unwrap_or_default());
    if status >= StatusCode::INTERNAL_SERVER_ERROR {
        let extensions = res.response().extensions();
        // What went wrong inside, which the client is not told.
        let cause = extensions.get::<Cause>().map_or("", |Cause(cause)| cause);
        tracing::error!(target: REQUEST, method, path, status = status.as_u16(), micros, id, cause);
    } else {
        tracing::info!(target: REQUEST, method, path, status = status.as_u16(), micros, id);
    }
}
