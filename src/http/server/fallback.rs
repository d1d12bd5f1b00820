//! Responses where no route matches: 405 with `Allow` on a known path, 404 elsewhere.
//!
//! The paths and methods come from the OpenAPI document, which is generated from the routes.

use std::sync::LazyLock;

use actix_web::dev::ResourceDef;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use utoipa::openapi::OpenApi;
use utoipa::openapi::path::PathItem;

use crate::http::error::ApiError;
use crate::http::error_form::ErrorForm;
use crate::http::failure::Failure;

/// Every path of the service with its methods. Built on first use, since most requests match a route.
#[derive(Debug)]
pub(crate) struct Routes(LazyLock<Vec<Route>, Box<dyn FnOnce() -> Vec<Route> + Send>>);

/// A path and its `Allow` header.
type Route = (ResourceDef, String);

impl Routes {
    /// The routes of the document, and `files`: paths that the document leaves out.
    pub(crate) fn new(document: fn() -> OpenApi, files: &'static [&'static str]) -> Self {
        Self(LazyLock::new(Box::new(move || routes(&document(), files))))
    }

    /// Whether some path has the same first segment as `prefix`.
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

/// The default service.
pub(crate) async fn no_route(req: HttpRequest, routes: Data<Routes>) -> HttpResponse {
    let Some(allow) = routes.allow(req.match_info().as_str()) else { return ApiError::NotFound.error_response() };
    ErrorForm::response(&req, Failure::MethodNotAllowed { allow: allow.to_owned() })
}

fn routes(document: &OpenApi, files: &[&str]) -> Vec<Route> {
    let entry = |(path, item): (&String, &PathItem)| (ResourceDef::new(path.as_str()), allow(item));
    let files = files.iter().map(|path| (ResourceDef::new(*path), "GET, HEAD".to_owned()));
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
