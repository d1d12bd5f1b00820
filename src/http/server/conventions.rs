//! The middleware around every route: request id, HEAD as GET, the headers of every response, one log line.

use std::rc::Rc;
use std::time::Instant;

use actix_web::Error;
use actix_web::body::{BodySize, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{CACHE_CONTROL, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::web::Data;

use super::conversation::Turn;
use super::request_id::{self, X_REQUEST_ID};
use crate::http::Sent;
use crate::http::caching::is_private;
use crate::http::error_form::ErrorForm;
use crate::http::failure::{Cause, Failure};
use crate::http::shares::{SMALL_BYTES, Share};
use crate::log::REQUEST;
use crate::metrics::Metrics;

/// Wraps the whole service.
pub(crate) async fn conventions(
    mut req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let started = Instant::now();
    let answering = req.conn_data::<Rc<Turn>>().map(Turn::answering);
    let id = request_id::choose(&req);
    request_id::keep(&req, &id);
    let method = req.method().clone();
    if method == Method::HEAD {
        // The connection remembers that the method was HEAD and leaves out the body.
        req.head_mut().method = Method::GET;
    }
    let (mut res, share) = hold(next.call(req).await?.map_into_boxed_body());
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
    Ok(res.map_body(|_, body| Sent::new(body, share, answering)))
}

/// Counts a large response against its client's share. A client that reads none of its responses gets no more of them.
fn hold(res: ServiceResponse) -> (ServiceResponse, Option<Share>) {
    let bytes = match res.response().body().size() {
        BodySize::Sized(bytes) => usize::try_from(bytes).unwrap_or(usize::MAX),
        BodySize::None | BodySize::Stream => 0,
    };
    let share = if bytes > SMALL_BYTES { Share::of(res.request()) } else { None };
    let Some(mut share) = share else { return (res, None) };
    if !res.request().method().is_safe() {
        // The request has taken effect, so do not report a failure.
        share.grow_anyway(bytes);
    } else if !share.grow_to(bytes) {
        let refused = ErrorForm::error(res.request(), Failure::Busy { retry_after_seconds: 1 });
        return (res.error_response(refused), None);
    }
    (res, Some(share))
}

/// One log line for each request: never the query string, a header or a body, which may hold secrets.
fn log<B>(res: &ServiceResponse<B>, method: &Method, id: &HeaderValue, started: Instant) {
    let status = res.status();
    let micros = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
    let (method, path, id) = (method.as_str(), res.request().path(), id.to_str().unwrap_or_default());
    if status >= StatusCode::INTERNAL_SERVER_ERROR {
        let extensions = res.response().extensions();
        // The internal cause, which the client does not see.
        let cause = extensions.get::<Cause>().map_or("", |Cause(cause)| cause);
        tracing::error!(target: REQUEST, method, path, status = status.as_u16(), micros, id, cause);
    } else {
        tracing::info!(target: REQUEST, method, path, status = status.as_u16(), micros, id);
    }
}
