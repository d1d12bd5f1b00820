//! `server.root_path`: the path under which a proxy exposes the service, like `FastAPI`'s `root_path`.
//!
//! Some proxies remove the prefix and some pass it on; both work, because a request that has the prefix loses it here.
//! The service's own links stay under it: this module completes the `Location` of a response, the OpenAPI document
//! names it as its server, and the pages use relative links.

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Uri;
use actix_web::http::header::{HeaderValue, LOCATION};
use actix_web::http::uri::PathAndQuery;
use actix_web::middleware::Next;
use actix_web::web::Data;

/// Path of the metadata if the issuer has no path.
const METADATA: &str = "/.well-known/oauth-authorization-server";

/// The prefix: empty, or like `/auth`.
#[derive(Clone, Debug)]
pub(crate) struct RootPath(pub String);

impl RootPath {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The path that the routes know, if it differs from the requested one.
    fn inner<'a>(&self, path: &'a str) -> Option<&'a str> {
        // RFC 8414 §3.1: the issuer's path comes after the well-known one.
        if path.strip_prefix(METADATA).is_some_and(|rest| rest == self.0) {
            return Some(METADATA);
        }
        match path.strip_prefix(self.0.as_str())? {
            "" => Some("/"),
            inner => inner.starts_with('/').then_some(inner),
        }
    }

    /// The same URI without the prefix; `None` if it has no prefix.
    fn strip(&self, uri: &Uri) -> Option<Uri> {
        let inner = self.inner(uri.path())?;
        let path_and_query = match uri.query() {
            Some(query) => PathAndQuery::try_from(format!("{inner}?{query}")),
            None => PathAndQuery::try_from(inner),
        };
        let mut parts = uri.clone().into_parts();
        parts.path_and_query = Some(path_and_query.ok()?);
        Uri::from_parts(parts).ok()
    }

    /// Puts a `Location` that starts at the service's own root under the prefix.
    fn complete(&self, location: &HeaderValue) -> Option<HeaderValue> {
        let path = location.to_str().ok().filter(|path| path.starts_with('/'))?;
        HeaderValue::try_from(format!("{}{path}", self.0)).ok()
    }
}

/// Wraps the whole service if there is a prefix.
pub(crate) async fn under_root_path(
    mut req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let root = req.app_data::<Data<RootPath>>().cloned();
    let Some(root) = root else { return next.call(req).await };
    if let Some(uri) = root.strip(req.uri()) {
        req.match_info_mut().get_mut().update(&uri);
        req.head_mut().uri = uri;
    }
    let mut res = next.call(req).await?;
    let location = res.headers().get(LOCATION).and_then(|location| root.complete(location));
    if let Some(location) = location {
        res.headers_mut().insert(LOCATION, location);
    }
    Ok(res)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strip(uri: &str) -> Option<String> {
        RootPath("/auth".to_owned()).strip(&uri.parse().expect("a URI")).map(|uri| uri.to_string())
    }

    #[test]
    fn the_prefix_is_taken_off_once_and_only_whole() {
        assert_eq!(strip("/auth/posts?limit=2&x=/auth").as_deref(), Some("/posts?limit=2&x=/auth"));
        assert_eq!(strip("/auth/auth/me").as_deref(), Some("/auth/me"));
        assert_eq!(strip("/auth").as_deref(), Some("/"));
        assert_eq!(strip("/auth/").as_deref(), Some("/"));
        assert_eq!(strip("/auth?x").as_deref(), Some("/?x"));
        assert_eq!(strip("/author"), None);
        assert_eq!(strip("/me"), None);
        assert_eq!(strip("/x/auth/me"), None);
    }

    #[test]
    fn the_metadata_is_found_where_rfc_8414_puts_it() {
        let asked = "/.well-known/oauth-authorization-server/auth";
        assert_eq!(strip(asked).as_deref(), Some("/.well-known/oauth-authorization-server"));
        assert_eq!(strip(&format!("{asked}/x")), None);
    }

    #[test]
    fn only_a_location_from_the_root_is_completed() {
        let complete = |location: &'static str| RootPath("/auth".into()).complete(&HeaderValue::from_static(location));
        assert_eq!(complete("/profile/1"), Some(HeaderValue::from_static("/auth/profile/1")));
        assert_eq!(complete("../docs"), None);
        assert_eq!(complete("https://example.com/"), None);
    }
}
