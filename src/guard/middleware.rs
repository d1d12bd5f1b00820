//! The middleware: protects a route, a resource or a scope from requests without a valid token.

use actix_web::Error;
use actix_web::dev::ServiceRequest;
use actix_web_httpauth::middleware::HttpAuthentication;
use futures_util::future::LocalBoxFuture;

use super::authenticate::authenticate;
use crate::http::body::refuse_announced_size;

type Checked = Result<ServiceRequest, (Error, ServiceRequest)>;
type Check = fn(ServiceRequest, ()) -> LocalBoxFuture<'static, Checked>;

/// The middleware. It shares the accepted claims with [`CurrentUser`](super::CurrentUser), which need not check again.
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
pub fn bearer() -> HttpAuthentication<(), Check> {
    // Extract nothing beforehand: our own check reads the header, and reads it once. So challenges and bodies are ours,
    // and the scheme's case does not matter (actix-web-httpauth 0.8 compares it).
    HttpAuthentication::with_fn(check)
}

fn check(req: ServiceRequest, (): ()) -> LocalBoxFuture<'static, Checked> {
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
