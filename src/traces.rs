//! Traces for OpenTelemetry: one span a request, sent by OTLP over HTTP (protobuf) from a dedicated thread. If the
//! caller names its trace (W3C Trace Context, `traceparent`), the span belongs to it.
//!
//! Only with the cargo feature `otlp`, and only if `log.otlp_endpoint` is set. The only file that uses `opentelemetry`.

use std::time::{Duration, SystemTime};

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use actix_web::http::header::HeaderMap;
use async_trait::async_trait;
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::{Span, SpanBuilder, SpanKind, Status, TracerProvider};
use opentelemetry::{Context, KeyValue};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};

/// A collector's path for traces (OTLP 1.x, "OTLP/HTTP Request").
const PATH: &str = "/v1/traces";
const EXPORT_WITHIN: Duration = Duration::from_secs(10);

/// Makes spans and sends them.
pub(crate) struct Traces {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
    propagator: TraceContextPropagator,
}

impl Traces {
    /// Sends to the collector at that URL; only the first spans show whether it is reachable.
    ///
    /// # Errors
    /// If the URL is invalid.
    pub(crate) fn start(endpoint: &str) -> Result<Self, String> {
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Sender::new())
            .with_endpoint(format!("{endpoint}{PATH}"))
            .build()
            .map_err(|error| format!("log.otlp_endpoint: {error}"))?;
        let resource = Resource::builder().with_service_name("keyfob").build();
        let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build();
        let tracer = provider.tracer("keyfob");
        Ok(Self { provider, tracer, propagator: TraceContextPropagator::new() })
    }

    /// Records a finished request, named after the route: the span has neither the path, which holds ids, nor the query
    /// string.
    pub(crate) fn record(&self, req: &HttpRequest, status: StatusCode, id: &str, took: Duration) {
        let route = req.match_pattern();
        let name = route.as_ref().map_or_else(|| req.method().to_string(), |route| format!("{} {route}", req.method()));
        let mut attributes = vec![
            KeyValue::new("http.request.method", req.method().to_string()),
            KeyValue::new("http.response.status_code", i64::from(status.as_u16())),
            KeyValue::new("keyfob.request_id", id.to_owned()),
        ];
        attributes.extend(route.map(|route| KeyValue::new("http.route", route)));
        #[expect(clippy::disallowed_methods, reason = "a span has the time of day at which it ended")]
        let end = SystemTime::now();
        let caller = self.propagator.extract_with_context(&Context::new(), &Headers(req.headers()));
        let mut span = SpanBuilder::from_name(name)
            .with_kind(SpanKind::Server)
            .with_start_time(end.checked_sub(took).unwrap_or(end))
            .with_attributes(attributes)
            .start_with_context(&self.tracer, &caller);
        if status.is_server_error() {
            span.set_status(Status::error(status.as_str().to_owned()));
        }
        span.end_with_timestamp(end);
    }

    /// Sends the remaining spans.
    pub(crate) fn close(&self) {
        if let Err(error) = self.provider.shutdown() {
            tracing::warn!(cause = %error, "could not send traces");
        }
    }
}

/// The request's headers, which name the trace it belongs to.
struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(|name| name.as_str()).collect()
    }
}

/// Sends over plain HTTP, from the exporter's own thread.
#[derive(Debug)]
struct Sender(ureq::Agent);

impl Sender {
    fn new() -> Self {
        let config = ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(EXPORT_WITHIN));
        Self(config.build().new_agent())
    }
}

#[async_trait]
impl HttpClient for Sender {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (parts, mut body) = self.0.run(request.map(|body| body.to_vec()))?.into_parts();
        Ok(Response::from_parts(parts, body.read_to_vec()?.into()))
    }
}
