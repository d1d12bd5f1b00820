//! Serving: addresses, the layers around every route, and shutdown.

use std::time::Duration;

use actix_web::App;
use actix_web::dev::Server;
use actix_web::middleware::{Condition, from_fn};
use actix_web::web::{self, Data, ServiceConfig};
use rustls::ServerConfig;
use tokio::signal::unix::{SignalKind, signal};

use super::{ERROR_FORM, Keyfob, StartError, openapi_document};
use crate::clients::Grant;
use crate::config::{DatabaseUrl, Environment};
use crate::docs;
use crate::http::server::Serving;
use crate::http::server::connections::{self, Connections};
use crate::http::server::conventions::conventions;
use crate::http::server::cors::{self, AllowedOrigins};
use crate::http::server::fallback::no_route;
use crate::http::server::limits;
use crate::http::server::root_path::{RootPath, under_root_path};
use crate::http::server::tls::Certificate;
use crate::http::shares::Shares;
use crate::mail::Kind;
use crate::metrics::{Labels, Metrics};
use crate::oauth::OUTCOMES;
use crate::operations::metrics::{self as metrics_page, Page};

/// How long requests in flight may take after SIGTERM, in seconds.
const SHUTDOWN_SECONDS: u64 = 25;

/// A server that listens on its addresses, and runs once it is polled.
struct Listening {
    addresses: Vec<std::net::SocketAddr>,
    running: Server,
}

/// Optional telemetry beside the log: metrics and traces.
#[derive(Clone)]
struct Watched {
    metrics: Option<Data<Metrics>>,
    #[cfg(feature = "otlp")]
    traces: Option<Data<crate::traces::Traces>>,
}

impl Watched {
    fn add(&self, cfg: &mut ServiceConfig) {
        if let Some(metrics) = &self.metrics {
            cfg.app_data(metrics.clone());
        }
        #[cfg(feature = "otlp")]
        if let Some(traces) = &self.traces {
            cfg.app_data(traces.clone());
        }
    }

    /// Sends the remaining traces.
    fn close(&self) {
        #[cfg(feature = "otlp")]
        self.traces.iter().for_each(|traces| traces.close());
    }
}

impl Keyfob {
    /// Serves until SIGTERM or Ctrl-C, then finishes requests in flight.
    ///
    /// # Errors
    /// [`StartError`] if the service cannot listen on the address or use the certificate.
    pub async fn serve(self) -> Result<(), StartError> {
        let watched = self.watched()?;
        let server = self.listen(watched.clone())?;
        let page = watched.metrics.clone().map(|metrics| self.listen_for_metrics(metrics)).transpose()?;
        let addresses = server.addresses;
        // Let the server begin to run, and so listen for signals, before announcing it: then it can be stopped.
        let running = actix_web::rt::spawn(server.running);
        tokio::task::yield_now().await;
        let page = page.map(|page| {
            announce_metrics(&page.addresses);
            let handle = page.running.handle();
            actix_web::rt::spawn(page.running);
            handle
        });
        self.announce(&addresses);
        announce_stop()?;
        let ended = running.await.map_err(std::io::Error::other)?.map_err(StartError::System);
        if let Some(page) = page {
            page.stop(false).await;
        }
        watched.close();
        ended
    }

    fn watched(&self) -> Result<Watched, StartError> {
        Ok(Watched {
            metrics: self.metrics()?,
            #[cfg(feature = "otlp")]
            traces: match &self.0.settings.log.otlp_endpoint {
                Some(endpoint) => {
                    let traces = crate::traces::Traces::start(endpoint).map_err(std::io::Error::other)?;
                    Some(Data::new(traces))
                }
                None => None,
            },
        })
    }

    /// The metrics, if `server.metrics_bind` is set.
    fn metrics(&self) -> Result<Option<Data<Metrics>>, StartError> {
        let parts = &self.0;
        if parts.settings.server.metrics_bind.is_none() {
            return Ok(None);
        }
        let has_writer = matches!(parts.settings.database.url, DatabaseUrl::Sqlite(_));
        let document = openapi_document();
        let grants = Grant::ALL.map(Grant::as_str);
        let mails = Kind::ALL.map(Kind::as_str);
        let labels =
            Labels { document: &document, files: &docs::FILES, grants: &grants, outcomes: &OUTCOMES, mails: &mails };
        let metrics = Metrics::new(labels, has_writer).map_err(std::io::Error::other)?;
        parts.passwords.watch(metrics.hash_queue.clone(), metrics.password_work.clone());
        parts.db.watch(metrics.write_queue.clone());
        parts.sessions.watch(metrics.unlisted_refusals.clone());
        parts.mailer.watch(metrics.mails.clone());
        Ok(Some(Data::new(metrics)))
    }

    fn listen_for_metrics(&self, metrics: Data<Metrics>) -> Result<Listening, StartError> {
        let parts = &self.0;
        let address = parts.settings.server.metrics_bind.unwrap_or(parts.settings.server.bind);
        let (db, sessions) = (parts.db.clone().into_inner(), parts.sessions.clone().into_inner());
        let page = Page { metrics: metrics.into_inner(), db, sessions };
        let bind_error = |cause| StartError::BindMetrics { address, cause };
        let (addresses, running) = metrics_page::listen(address, page).map_err(bind_error)?;
        Ok(Listening { addresses, running })
    }

    fn listen(&self, watched: Watched) -> Result<Listening, StartError> {
        let settings = &self.0.settings.server;
        let keyfob = self.clone();
        let origins = AllowedOrigins(settings.cors_origins.clone());
        let request_time = Duration::from_secs(settings.request_seconds);
        let has_origins = !origins.0.is_empty();
        let root = RootPath(settings.root_path.clone());
        let connections =
            Connections::new(settings.max_connections_per_address, self.0.proxies.clone(), watched.metrics.clone());
        let listener = connections::listen_on(settings.bind, request_time)
            .map_err(|cause| StartError::Bind { address: settings.bind, cause })?;
        let serving = Serving {
            listener,
            tls: self.tls()?,
            workers: settings.workers,
            connections_per_worker: limits::connections_per_worker(settings.workers),
            request_time,
            keep_alive: Duration::from_secs(settings.keep_alive_seconds),
            shutdown_seconds: SHUTDOWN_SECONDS,
            connections,
        };
        let shares = Data::new(Shares::default());
        let started = serving.start(move || {
            App::new()
                .configure(|cfg| keyfob.configure(cfg))
                .configure(|cfg| watched.add(cfg))
                .app_data(ERROR_FORM)
                .app_data(keyfob.0.routes.clone())
                .app_data(shares.clone())
                .default_service(web::to(no_route))
                .wrap(from_fn(limits::head))
                .app_data(Data::new(origins.clone()))
                .wrap(Condition::new(has_origins, cors::layer(&origins)))
                .wrap(Condition::new(has_origins, from_fn(cors::answer_in_our_form)))
                .app_data(Data::new(root.clone()))
                .wrap(Condition::new(!root.is_empty(), from_fn(under_root_path)))
                .wrap(from_fn(conventions))
        });
        let (address, running) = started.map_err(|cause| StartError::Bind { address: settings.bind, cause })?;
        Ok(Listening { addresses: vec![address], running })
    }

    /// The TLS configuration, if TLS is set.
    fn tls(&self) -> Result<Option<ServerConfig>, StartError> {
        let settings = &self.0.settings.server;
        let (Some(cert), Some(key)) = (&settings.tls_cert, &settings.tls_key) else { return Ok(None) };
        let certificate = Certificate::load(cert, key).map_err(StartError::Tls)?;
        let tls = certificate.server_config().map_err(StartError::Tls)?;
        certificate.reload_on_hangup()?;
        Ok(Some(tls))
    }

    fn announce(&self, addresses: &[std::net::SocketAddr]) {
        let settings = &self.0.settings;
        let scheme = if settings.server.tls_cert.is_some() { "https" } else { "http" };
        let data = match &settings.database.url {
            DatabaseUrl::Sqlite(path) => {
                std::path::absolute(path).unwrap_or_else(|_| path.clone()).display().to_string()
            }
            url @ DatabaseUrl::Postgres(_) => url.to_string(),
        };
        let environment =
            Some(settings.environment.as_str()).filter(|_| settings.environment != Environment::Development);
        for address in addresses {
            let docs = format!("{scheme}://{address}/docs");
            tracing::info!(%address, %docs, %data, environment, "listening");
        }
    }
}

/// Logs SIGTERM, on which the server finishes requests in flight.
fn announce_stop() -> std::io::Result<()> {
    let mut requests_to_stop = signal(SignalKind::terminate())?;
    actix_web::rt::spawn(async move {
        if requests_to_stop.recv().await.is_some() {
            tracing::info!("stopping: requests in flight may finish");
        }
    });
    Ok(())
}

/// Logs the address of the metrics, and warns if other machines can read them.
fn announce_metrics(addresses: &[std::net::SocketAddr]) {
    for address in addresses {
        tracing::info!(url = %format_args!("http://{address}/metrics"), "serving metrics");
        if !address.ip().is_loopback() {
            let remedy = "use a firewall, or a loopback address";
            tracing::warn!(%address, remedy, "server.metrics_bind: anyone who can reach this address can read the metrics");
        }
    }
}
