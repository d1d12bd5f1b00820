//! The body of a response on its way to the client.

use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::Error;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::web::Bytes;

use super::server::Answering;
use super::shares::{SMALL_BYTES, Share};

/// A body that is passed on in pieces, so that actix-http copies no more of it than it is about to write.
///
/// When it ends, the connection's next request may begin.
#[derive(Debug)]
pub(crate) struct Sent {
    body: Body,
    _share: Option<Share>,
    _answering: Option<Answering>,
}

#[derive(Debug)]
enum Body {
    Whole(Bytes),
    Other(BoxBody),
}

impl Sent {
    pub(crate) fn new(body: BoxBody, share: Option<Share>, answering: Option<Answering>) -> Self {
        // `BodySize::None` is not the same as a body without bytes.
        let body = match body.size() {
            BodySize::None => Body::Other(body),
            _ => body.try_into_bytes().map_or_else(Body::Other, Body::Whole),
        };
        Self { body, _share: share, _answering: answering }
    }
}

impl MessageBody for Sent {
    type Error = Error;

    fn size(&self) -> BodySize {
        match &self.body {
            Body::Whole(bytes) => bytes.size(),
            Body::Other(body) => body.size(),
        }
    }

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        match &mut self.get_mut().body {
            Body::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Body::Whole(bytes) => Poll::Ready(Some(Ok(bytes.split_to(bytes.len().min(SMALL_BYTES))))),
            Body::Other(body) => Pin::new(body).poll_next(cx).map_err(Error::from),
        }
    }
}
