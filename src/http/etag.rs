//! `If-Match` and `If-None-Match` (RFC 9110 §13.1), for entity tags of ours, which hold no comma.

use actix_web::HttpRequest;
use actix_web::http::header::{HeaderName, IF_MATCH, IF_NONE_MATCH};

/// Whether `If-None-Match` says that the client has this very version (weak comparison, RFC 9110 §13.1.2).
pub(crate) fn is_known_to_client(req: &HttpRequest, etag: &str) -> bool {
    let listed = tags(req, &IF_NONE_MATCH);
    listed.is_some_and(|tags| is_any(&tags) || tags.iter().any(|tag| tag.strip_prefix("W/").unwrap_or(tag) == etag))
}

/// The versions for which a change is meant; `None`: any.
#[derive(Clone, Debug)]
pub(crate) struct IfMatch(Option<Vec<String>>);

impl IfMatch {
    pub(crate) fn of(req: &HttpRequest) -> Self {
        Self(tags(req, &IF_MATCH))
    }

    /// Whether the change is meant for this version (strong comparison, RFC 9110 §13.1.1).
    pub(crate) fn allows(&self, etag: &str) -> bool {
        self.0.as_ref().is_none_or(|tags| is_any(tags) || tags.iter().any(|tag| tag == etag))
    }
}

/// Whether the header is `*`, which stands alone.
fn is_any(tags: &[String]) -> bool {
    matches!(tags, [tag] if tag == "*")
}

/// The tags of a header, which may come in several lines; `None` without the header.
fn tags(req: &HttpRequest, name: &HeaderName) -> Option<Vec<String>> {
    let mut lines = req.headers().get_all(name).peekable();
    lines.peek()?;
    let texts = lines.filter_map(|line| line.to_str().ok());
    Some(texts.flat_map(|text| text.split(',')).map(|tag| tag.trim().to_owned()).collect())
}
