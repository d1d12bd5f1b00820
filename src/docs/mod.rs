//! The documentation pages, served from the binary: Swagger UI at `/docs` and Redoc at `/redoc`. Also the OpenAPI
//! document that they show, and its Postman collection.

pub(crate) mod openapi;
pub(crate) mod postman;
mod redoc;

use std::sync::{Arc, LazyLock};

use actix_web::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, REFERRER_POLICY};
use actix_web::web::{Bytes, Data, Path};
use actix_web::{HttpResponse, get};
use utoipa_actix_web::service_config::ServiceConfig;
use utoipa_swagger_ui::Config;

use crate::http::error::ApiError;

/// Paths that the OpenAPI document leaves out: the files of the pages.
pub(crate) const FILES: [&str; 4] = ["/docs/", "/docs/{file}", "/redoc/", "/redoc/{file}"];

const PAGE: &str = include_str!("docs.html");
const SCRIPT: &str = include_str!("docs.js");
const ICON: &str = include_str!("icon.svg");

/// Allows no external resources and no inline scripts. Swagger UI sets styles inline and shows icons from `data:`.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                      connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// Files change only with the binary, so a day is short enough, and repeat visits skip the download.
const ASSET_CACHING: &str = "public, max-age=86400";

/// Built on first request: most processes never serve it, and building it at startup costs milliseconds.
type Text = LazyLock<Result<Bytes, String>, Box<dyn FnOnce() -> Result<Bytes, String> + Send>>;

/// The OpenAPI document and its Postman collection, ready to send.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) openapi: Text,
    pub(crate) postman: Text,
}

/// A text of a [`Document`], which `make` builds on first use.
pub(crate) fn text(make: impl FnOnce() -> Result<String, std::io::Error> + Send + 'static) -> Text {
    LazyLock::new(Box::new(|| make().map(Bytes::from).map_err(|error| error.to_string())))
}

pub(crate) fn configure(cfg: &mut ServiceConfig<'_>) {
    cfg.service(redirect_to_docs)
        .service(read_docs)
        .service(redoc::read_redoc)
        .service(read_openapi)
        .service(read_postman);
    cfg.map(|cfg| cfg.service(redirect_docs_slash).service(read_docs_asset));
    cfg.map(|cfg| cfg.service(redoc::redirect_redoc_slash).service(redoc::read_redoc_asset));
}

/// Redirect to the documentation
///
/// For people who open the service in a browser.
#[utoipa::path(tag = "operations", responses((status = 307, description = "Redirect to `/docs`.")))]
#[get("/")]
pub(crate) async fn redirect_to_docs() -> HttpResponse {
    HttpResponse::TemporaryRedirect().insert_header((LOCATION, "/docs")).finish()
}

/// Interactive documentation
///
/// Swagger UI with an Authorize button.
#[utoipa::path(tag = "operations", responses((status = 200, description = "The page.", body = String, content_type = "text/html", example = "<!doctype html>")))]
#[get("/docs")]
pub(crate) async fn read_docs() -> HttpResponse {
    page(PAGE, POLICY)
}

/// OpenAPI document
///
/// OpenAPI 3.1, for code generators and other tools.
#[utoipa::path(tag = "operations", responses((status = 200, description = "The OpenAPI 3.1 document.", body = Object, example = json!({ "openapi": "3.1.0" }))))]
#[get("/openapi.json")]
pub(crate) async fn read_openapi(document: Data<Document>) -> Result<HttpResponse, ApiError> {
    json(&document.openapi)
}

/// Postman collection
///
/// Every route as a request in a Postman collection (format v2.1). Import it by its URL, into Bruno or Insomnia too.
#[utoipa::path(tag = "operations", responses((status = 200, description = "The collection.", body = Object, example = json!({ "info": { "name": "Keyfob" } }))))]
#[get("/postman.json")]
pub(crate) async fn read_postman(document: Data<Document>) -> Result<HttpResponse, ApiError> {
    json(&document.postman)
}

#[get("/docs/")]
async fn redirect_docs_slash() -> HttpResponse {
    HttpResponse::TemporaryRedirect().insert_header((LOCATION, "../docs")).finish()
}

/// A file of the page: ours, or one of Swagger UI's.
#[get("/docs/{file}")]
async fn read_docs_asset(file: Path<String>) -> Result<HttpResponse, ApiError> {
    match file.as_str() {
        "docs.js" => return Ok(asset("text/javascript; charset=utf-8", Bytes::from_static(SCRIPT.as_bytes()))),
        "icon.svg" => return Ok(asset("image/svg+xml", Bytes::from_static(ICON.as_bytes()))),
        _ => {}
    }
    let used = ["swagger-ui.css", "swagger-ui-bundle.js", "swagger-ui-standalone-preset.js"];
    let found = used.iter().find(|name| **name == file.as_str()).ok_or(ApiError::NotFound)?;
    let found = utoipa_swagger_ui::serve(found, Arc::new(Config::from("/openapi.json")))
        .map_err(|error| ApiError::internal(error.to_string()))?
        .ok_or(ApiError::NotFound)?;
    Ok(asset(&found.content_type, Bytes::from(found.bytes.into_owned())))
}

fn page(html: &'static str, policy: &'static str) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_SECURITY_POLICY, policy))
        .insert_header((REFERRER_POLICY, "no-referrer"))
        .insert_header((CONTENT_TYPE, "text/html; charset=utf-8"))
        .body(html)
}

fn json(text: &Text) -> Result<HttpResponse, ApiError> {
    let text = text.as_ref().map_err(|error| ApiError::internal(error.as_str()))?;
    Ok(HttpResponse::Ok().insert_header((CONTENT_TYPE, "application/json")).body(text.clone()))
}

fn asset(content_type: &str, body: Bytes) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, ASSET_CACHING))
        .insert_header((CONTENT_TYPE, content_type))
        .body(body)
}
