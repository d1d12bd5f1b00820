//! Extractors for JSON bodies, query strings and path ids. They refuse in the API's error format.
//!
//! Handlers list them in the order of the checks: credentials, path id, query, body. actix-web polls its extractors in
//! that order and all but the body finish at once, so the client gets the first refusal.

mod object;
pub(crate) mod posted;

use std::future::Ready;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::web::{Bytes, BytesMut, Data};
use actix_web::{FromRequest, HttpRequest};
use futures_util::StreamExt;
use futures_util::future::{LocalBoxFuture, poll_fn};
use serde_json::Value;
use tokio::time::{Sleep, sleep};
use utoipa::IntoParams;

use super::error::ApiError;
use super::failure::Failure;
use super::shares::Share;
use crate::db::Id;
use crate::fields::{Fields, FromFields};

/// Limits on a request body: `server.max_body_bytes` and `server.request_seconds`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BodyLimit {
    pub max_bytes: usize,
    pub max_seconds: u64,
}

impl BodyLimit {
    /// The limits with default settings, for the OpenAPI document.
    pub(crate) const DEFAULT: Self = Self { max_bytes: 262_144, max_seconds: 30 };
}

/// How long to hold the rest of a body that timed out, so that the response is sent before the body is dropped.
const HELD: Duration = Duration::from_secs(1);

/// The longest part of a client's token that an error repeats.
const MAX_TOKEN_CHARS: usize = 32;

/// The mark that PowerShell and other programs write before UTF-8 text.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A JSON object as request body.
#[derive(Debug)]
pub struct Json<T>(pub T);

impl<T: FromFields + 'static> FromRequest for Json<T> {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let is_json = require_json(req).and_then(|()| refuse_encoding(req));
        let body = refuse_announced_size(req).map(|()| (Body::of(req, payload), Share::of(req)));
        Box::pin(async move {
            let (body, share) = body?;
            // Hold the share for as long as the bytes.
            let (bytes, _share) = read_all(body, share).await?;
            is_json?;
            parse_json(&bytes).map(Self)
        })
    }
}

/// A query string.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<T: FromFields> FromRequest for Query<T> {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let pairs = form_urlencoded::parse(req.query_string().as_bytes());
        let values = pairs.map(|(name, value)| (name.into_owned(), Value::String(value.into_owned()))).collect();
        std::future::ready(Fields::new("query", values).read().map(Query).map_err(ApiError::InvalidFields))
    }
}

/// The `{id}` of the path.
#[derive(Clone, Copy, Debug, IntoParams)]
#[into_params(names("id"), parameter_in = Path)]
pub struct PathId(
    /// The item's id.
    #[param(example = 1)]
    pub Id,
);

impl FromRequest for PathId {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let id = req.match_info().get("id").and_then(Id::parse);
        let refused =
            || ApiError::invalid("path", "id", "int_parsing", "Input should be a positive integer below 2^53");
        std::future::ready(id.map(PathId).ok_or_else(refused))
    }
}

/// Refuses a body whose `Content-Length` is over the limit before reading any of it.
pub(crate) fn refuse_announced_size(req: &HttpRequest) -> Result<(), ApiError> {
    let Some(length) = req.headers().get(header::CONTENT_LENGTH) else { return Ok(()) };
    let BodyLimit { max_bytes, .. } = limit(req);
    let announced = length.to_str().ok().and_then(|text| text.parse::<u64>().ok());
    match announced {
        Some(bytes) if usize::try_from(bytes).is_ok_and(|bytes| bytes <= max_bytes) => Ok(()),
        _ => Err(Failure::BodyTooLarge { max_bytes }.into()),
    }
}

/// A request body as it arrives, within the limits.
pub(crate) struct Body {
    /// `None` once the body has ended or timed out.
    payload: Option<actix_web::web::Payload>,
    limit: BodyLimit,
    read: usize,
    /// `Content-Length` if it is within the limit, otherwise 0.
    announced: usize,
    deadline: Pin<Box<Sleep>>,
    /// The bytes so far, until it is clear whether they are a byte order mark.
    start: Option<BytesMut>,
}

impl Body {
    pub(crate) fn of(req: &HttpRequest, payload: &mut Payload) -> Self {
        let limit = limit(req);
        let payload = actix_web::web::Payload::from_request(req, payload).into_inner().ok();
        let length = req.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        let announced = length.filter(|bytes| *bytes <= limit.max_bytes).unwrap_or_default();
        Self {
            payload,
            limit,
            read: 0,
            announced,
            deadline: Box::pin(sleep(Duration::from_secs(limit.max_seconds))),
            start: Some(BytesMut::new()),
        }
    }

    /// Returns the next bytes, `None` at the end. Skips a byte order mark at the start: RFC 8259 §8.1 allows that for
    /// JSON, and no form begins with one either, as it would change the name of the first parameter.
    ///
    /// # Errors
    /// When the body is over the limit, too slow or cut off.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, ApiError> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// As [`next`](Self::next).
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, ApiError>> {
        loop {
            let next = ready!(self.poll_piece(cx))?;
            let Some(start) = &mut self.start else { return Poll::Ready(Ok(next)) };
            let is_over = next.is_none();
            start.extend_from_slice(&next.unwrap_or_default());
            if start.len() < BYTE_ORDER_MARK.len() && !is_over {
                continue;
            }
            let mut start = std::mem::take(start).freeze();
            self.start = None;
            if start.starts_with(BYTE_ORDER_MARK) {
                drop(start.split_to(BYTE_ORDER_MARK.len()));
            }
            if !start.is_empty() {
                return Poll::Ready(Ok(Some(start)));
            }
        }
    }

    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, ApiError>> {
        let Some(payload) = &mut self.payload else { return Poll::Ready(Ok(None)) };
        let next = match payload.poll_next_unpin(cx) {
            Poll::Ready(Some(Ok(bytes))) => self.count(bytes).map(Some),
            Poll::Ready(Some(Err(_))) => {
                Err(ApiError::MalformedBody("The body could not be read: it was cut off.".into()))
            }
            Poll::Ready(None) => Ok(None),
            Poll::Pending => {
                ready!(self.deadline.as_mut().poll(cx));
                Err(self.give_up())
            }
        };
        if !matches!(next, Ok(Some(_))) {
            self.payload = None;
        }
        Poll::Ready(next)
    }

    fn count(&mut self, bytes: Bytes) -> Result<Bytes, ApiError> {
        self.read = self.read.saturating_add(bytes.len());
        let max_bytes = self.limit.max_bytes;
        if self.read > max_bytes { Err(Failure::BodyTooLarge { max_bytes }.into()) } else { Ok(bytes) }
    }

    /// actix-http 3.20: once a chunked body is dropped, the server waits for its rest without a limit and closes the
    /// connection only then. While the body is held, the response closes it.
    fn give_up(&mut self) -> ApiError {
        let payload = self.payload.take();
        actix_web::rt::spawn(async move {
            sleep(HELD).await;
            drop(payload);
        });
        Failure::BodyTooSlow { max_seconds: self.limit.max_seconds }.into()
    }
}

/// Reads the whole body, within its client's share.
async fn read_all(mut body: Body, mut share: Option<Share>) -> Result<(Vec<u8>, Option<Share>), ApiError> {
    let mut bytes = Vec::with_capacity(body.announced);
    while let Some(chunk) = body.next().await? {
        let has_room = share.as_mut().is_none_or(|share| share.grow_to(bytes.len() + chunk.len()));
        if !has_room {
            return Err(Failure::Busy { retry_after_seconds: 1 }.into());
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok((bytes, share))
}

/// Refuses a compressed body: nothing here decodes one, so no small body becomes a large one.
pub(crate) fn refuse_encoding(req: &HttpRequest) -> Result<(), ApiError> {
    let lines = req.headers().get_all(header::CONTENT_ENCODING).map(header::HeaderValue::as_bytes);
    let mut codings = lines.flat_map(|line| line.split(|byte| *byte == b',')).map(<[u8]>::trim_ascii);
    let is_foreign = |coding: &&[u8]| !coding.is_empty() && !coding.eq_ignore_ascii_case(b"identity");
    let Some(coding) = codings.find(is_foreign) else { return Ok(()) };
    Err(ApiError::WrongContentEncoding { coding: token(coding) })
}

/// A client's token made safe to repeat in an error: short, and only with the characters of RFC 6749 §5.2.
fn token(bytes: &[u8]) -> String {
    let is_plain = |byte: &u8| byte.is_ascii_graphic() && !b"\"\\".contains(byte);
    bytes.iter().take(MAX_TOKEN_CHARS).map(|byte| if is_plain(byte) { char::from(*byte) } else { '?' }).collect()
}

/// The media type of the body in lower case, without its parameters.
pub(crate) fn media_type(req: &HttpRequest) -> Option<String> {
    let value = req.headers().get(header::CONTENT_TYPE)?.to_str().ok()?;
    Some(value.split(';').next()?.trim().to_ascii_lowercase())
}

fn limit(req: &HttpRequest) -> BodyLimit {
    let unlimited = BodyLimit { max_bytes: usize::MAX, max_seconds: u64::MAX };
    req.app_data::<Data<BodyLimit>>().map_or(unlimited, |limit| *limit.as_ref())
}

fn require_json(req: &HttpRequest) -> Result<(), ApiError> {
    match media_type(req).as_deref() {
        Some("application/json") => Ok(()),
        // Without body and type, report the empty body, not the type.
        None if !has_body(req) => Ok(()),
        _ => Err(ApiError::WrongContentType),
    }
}

fn has_body(req: &HttpRequest) -> bool {
    let length = req.headers().get(header::CONTENT_LENGTH).map(|value| value.as_bytes() != b"0");
    length.unwrap_or_else(|| req.headers().contains_key(header::TRANSFER_ENCODING))
}

fn parse_json<T: FromFields>(bytes: &[u8]) -> Result<T, ApiError> {
    if bytes.is_empty() {
        return Err(ApiError::MalformedBody("The body is empty: expected a JSON object.".into()));
    }
    let body = serde_json::from_slice(bytes)
        .map_err(|error| ApiError::MalformedBody(format!("The body is not valid JSON: {}.", describe(&error))))?;
    let object::Body::Object(values) = body else {
        let fault = crate::fields::Fault {
            loc: vec!["body".into()],
            msg: "Input should be a JSON object".into(),
            kind: "model_attributes_type",
            german: None,
        };
        return Err(ApiError::InvalidFields(vec![fault]));
    };
    Fields::new("body", values).read().map_err(ApiError::InvalidFields)
}

/// Where the JSON is invalid, without any of its content, which may be a password.
fn describe(error: &serde_json::Error) -> String {
    let what = if error.is_eof() { "it ends too early" } else { "unexpected character" };
    format!("{what} at line {} column {}", error.line(), error.column())
}
