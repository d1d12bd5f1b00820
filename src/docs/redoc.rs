//! Redoc at `/redoc`, to read and search the document; served from the binary.

use actix_web::http::header::LOCATION;
use actix_web::web::{Bytes, Path};
use actix_web::{HttpResponse, get};

use super::{asset, page};
use crate::http::error::ApiError;

const PAGE: &str = include_str!("redoc/redoc.html");
const STYLE: &str = include_str!("redoc/redoc.css");
/// `redoc/README.md` records its source and our changes to it.
const SCRIPT: &str = include_str!("redoc/redoc.standalone.js");
const LICENCES: &str = include_str!("redoc/redoc.standalone.js.LICENSE.txt");

/// As for `/docs`, and a worker from a `blob:` URL for Redoc's search.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                      connect-src 'self'; worker-src blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Reference documentation
///
/// Redoc: the same document on one page, with search.
#[utoipa::path(tag = "operations", responses((status = 200, description = "The page.", body = String, content_type = "text/html", example = "<!doctype html>")))]
#[get("/redoc")]
pub(crate) async fn read_redoc() -> HttpResponse {
    page(PAGE, POLICY)
}

#[get("/redoc/")]
pub(super) async fn redirect_redoc_slash() -> HttpResponse {
    HttpResponse::TemporaryRedirect().insert_header((LOCATION, "../redoc")).finish()
}

/// A file of the page.
#[get("/redoc/{file}")]
pub(super) async fn read_redoc_asset(file: Path<String>) -> Result<HttpResponse, ApiError> {
    let (content_type, text) = match file.as_str() {
        "redoc.standalone.js" => ("text/javascript; charset=utf-8", SCRIPT),
        "redoc.standalone.js.LICENSE.txt" => ("text/plain; charset=utf-8", LICENCES),
        "redoc.css" => ("text/css; charset=utf-8", STYLE),
        _ => return Err(ApiError::NotFound),
    };
    Ok(asset(content_type, Bytes::from_static(text.as_bytes())))
}
