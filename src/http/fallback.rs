//! What is answered where no route matches: 405 with `Allow` on a known path, 404 elsewhere.
//!
//! The paths and methods come from the OpenAPI document, which is made from the routes themselves.

use std::sync::LazyLock;

use actix_web::dev::ResourceDef;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use utoipa::openapi::OpenApi;
use utoipa::openapi::path::PathItem;

use crate::error::ApiError;
use crate::tokens::{OAUTH_ENDPOINTS, OAuthError};

/// Paths that the document leaves out: the files of a page.
pub(crate) const FILES: [&str; 4] = ["/docs/", "/docs/{file}", "/redoc/", "/redoc/{file}"];

/// Every path of the service with the methods that it takes: made when first asked, since most requests match a route.
#[derive(Debug)]
pub(crate) struct Routes(LazyLock<Vec<Route>, Box<dyn FnOnce() -> Vec<Route> + Send>>);

/// A path and what `Allow` says of it.
type Route = (ResourceDef, String);

impl Routes {
    pub(crate) fn new(document: fn() -> OpenApi) -> Self {
        Self(LazyLock::new(Box::new(move || routes(&document()))))
    }

    /// Whether a path's first segment is that of `prefix`.
    pub(crate) fn begin_with(&self, prefix: &str) -> bool {
        let first = |path: &str| path.split('/').nth(1).unwrap_or_default().to_owned();
        !prefix.is_empty()
            && self.0.iter().filter_map(|(route, _)| route.pattern()).any(|path| first(path) == first(prefix))
    }

    fn allow(&self, path: &str) -> Option<&str> {
        let (_, allow) = self.0.iter().find(|(resource, _)| resource.is_match(path))?;
        Some(allow)
    }
}

/// Whether the errors of a request's path are those of RFC 6749: told by the path as the routes see it, percent-decoded.
pub(crate) fn is_oauth_endpoint(req: &HttpRequest) -> bool {
    OAUTH_ENDPOINTS.contains(&req.match_info().as_str())
}

/// The default service.
pub(crate) async fn no_route(req: HttpRequest, routes: Data<Routes>) -> HttpResponse {
    let Some(allow) = routes.allow(req.match_info().as_str()) else { return ApiError::NotFound.error_response() };
    if is_oauth_endpoint(&req) {
        return OAuthError::MethodNotAllowed { allow: allow.to_owned() }.error_response();
    }
    ApiError::MethodNotAllowed { allow: allow.to_owned() }.error_response()
}

fn routes(document: &OpenApi) -> Vec<Route> {
    let entry = |(path, item): (&String, &PathItem)| (ResourceDef::new(path.as_str()), allow(item));
    let files = FILES.map(|path| (ResourceDef::new(path), "GET, HEAD".to_owned()));
    document.paths.paths.iter().map(entry).chain(files).collect()
}

fn allow(item: &PathItem) -> String {
    let methods = [
        ("GET, HEAD", item.get.is_some()),
        ("POST", item.post.is_some()),
        ("PUT", item.put.is_some()),
        ("PATCH", item.patch.is_some()),
        ("DELETE", item.delete.is_some()),
    ];
    let known = methods.iter().filter(|(_, is_known)| *is_known).map(|(name, _)| *name);
    known.collect::<Vec<_>>().join(", ")
}
