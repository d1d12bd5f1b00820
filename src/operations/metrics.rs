//! `GET /metrics`, on an address of its own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::middleware::from_fn;
use actix_web::web::{self, Data};
use actix_web::{App, HttpResponse, HttpServer};

use crate::db::{Db, Timestamp};
use crate::http::error::ApiError;
use crate::http::failure::Failure;
use crate::http::server::conventions::conventions;
use crate::mail::store::count_waiting;
use crate::metrics::{Metrics, Reading};
use crate::sessions::Sessions;

/// The text format of Prometheus.
const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What the page needs.
pub(crate) struct Page {
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) db: Arc<Db>,
    pub(crate) sessions: Arc<Sessions>,
}

/// Listens on the address with one thread; returns the addresses and the server, which runs once it is polled.
///
/// # Errors
/// If the system refuses to listen on the address.
pub(crate) fn listen(address: SocketAddr, page: Page) -> std::io::Result<(Vec<SocketAddr>, Server)> {
    let page = Data::new(page);
    let server = HttpServer::new(move || {
        let route = web::resource("/metrics").route(web::get().to(read_metrics)).default_service(web::to(
            async || -> Result<HttpResponse, ApiError> {
                Err(Failure::MethodNotAllowed { allow: "GET, HEAD".into() }.into())
            },
        ));
        App::new()
            .app_data(page.clone())
            .service(route)
            .default_service(web::to(async || -> Result<HttpResponse, ApiError> { Err(ApiError::NotFound) }))
            .wrap(from_fn(conventions))
    });
    // The main server handles signals and stops this one.
    let server = server.workers(1).disable_signals().bind(address)?;
    Ok((server.addrs(), server.run()))
}

async fn read_metrics(page: Data<Page>) -> Result<HttpResponse, ApiError> {
    let (connections_used, connections_idle, connections_max) = page.db.connections();
    let feed_age = page.sessions.revocation_feed_age();
    let mails = page.db.read(count_waiting).await.ok();
    let oldest = mails.and_then(|(_, since)| since).map_or(0, |since| Timestamp::now().millis() - since.millis());
    let reading = Reading {
        connections_used,
        connections_idle,
        connections_max,
        feed_age,
        mails_waiting: mails.map(|(count, _)| count),
        mail_age: Duration::from_millis(u64::try_from(oldest).unwrap_or_default()),
    };
    let text = page.metrics.page(reading).map_err(|error| ApiError::internal(error.to_string()))?;
    Ok(HttpResponse::Ok().content_type(CONTENT_TYPE).body(text))
}
