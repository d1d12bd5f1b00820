//! The middleware: closes a route, a resource or a scope to everybody without a good token.

use actix_web::Error;
use actix_web::dev::ServiceRequest;
use actix_web_httpauth::middleware::HttpAuthentication;
use futures_util::future::LocalBoxFuture;

use super::authenticate::authenticate;
use crate::http::body::refuse_announced_size;

type Checked = Result<ServiceRequest, (Error, ServiceRequest)>;
type Check = fn(ServiceRequest, ()) -> LocalBoxFuture<'static, Checked>;

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
pub fn bearer() -> HttpAuthentication<(), Check> {
    // Nothing is extracted beforehand: our own check reads the header, so challenges and bodies are ours and the scheme's
    // case does not matter (actix-web-httpauth 0.8 compares it), and the header is read once.
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
