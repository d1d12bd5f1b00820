//! The middleware: closes a route, a resource or a scope to everybody without a good token.

use actix_web::Error;
use actix_web::dev::ServiceRequest;
use actix_web_httpauth::extractors::bearer::BearerAuth;
use actix_web_httpauth::middleware::HttpAuthentication;
use futures_util::future::LocalBoxFuture;

use super::authenticate::authenticate;
use crate::http::body::refuse_announced_size;

type Checked = Result<ServiceRequest, (Error, ServiceRequest)>;
type Check = fn(ServiceRequest, Option<BearerAuth>) -> LocalBoxFuture<'static, Checked>;

/// The middleware. What it found is shared with [`CurrentUser`](super::CurrentUser), which need not check again.
///
/// ```
/// use actix_web::{App, HttpResponse, web};
///
/// let app = App::new().service(
///     web::scope("/private")
///         .wrap(keyfob::bearer())
///         .route("/letters", web::get().to(async || HttpResponse::Ok().body("Dear Ada"))),
/// );
/// # drop(app);
/// ```
#[must_use]
pub fn bearer() -> HttpAuthentication<Option<BearerAuth>, Check> {
    // With an `Option`, our own check always runs, so challenges and bodies are ours and the scheme's case is ignored
    // (actix-web-httpauth 0.8 compares it).
    HttpAuthentication::with_fn(check)
}

fn check(req: ServiceRequest, _: Option<BearerAuth>) -> LocalBoxFuture<'static, Checked> {
    Box::pin(async move {
        if let Err(error) = refuse_announced_size(req.request()) {
            return Err((error.into(), req));
        }
        let checked = authenticate(req.request()).await;
        match checked {
            Ok(_) => Ok(req),
            Err(error) => Err((error.into(), req)),
        }
    })
}
