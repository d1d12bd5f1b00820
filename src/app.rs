//! The service as a whole: opened from settings, then served, or added to another actix-web application.

use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::middleware::{Condition, from_fn};
use actix_web::web::{self, Bytes, Data, ServiceConfig};
use actix_web::{App, HttpServer};
use utoipa_actix_web::AppExt;
use utoipa_actix_web::service_config::ServiceConfig as ApiConfig;

use crate::accounts::attempts::Attempts;
use crate::accounts::password::Passwords;
use crate::background::Background;
use crate::config::{DatabaseUrl, Settings};
use crate::db::{Db, OpenError, Timestamp};
use crate::docs::{self, Document};
use crate::guard::AuthError;
use crate::http::body::BodyLimit;
use crate::http::conventions::conventions;
use crate::http::cors::{self, AllowedOrigins, ignore_foreign_origin};
use crate::http::fallback::{Routes, no_route};
use crate::http::limits;
use crate::http::origin::TrustedProxies;
use crate::http::root_path::{RootPath, under_root_path};
use crate::http::tls::Certificate;
use crate::metrics::Metrics;
use crate::metrics::page::{self, Page};
use crate::tokens::AccessToken;
use crate::tokens::sessions::Sessions;
use crate::{accounts, openapi, operations, postman, posts, tokens};

/// How long requests in flight may take after SIGTERM, in seconds.
const SHUTDOWN_SECONDS: u64 = 25;

/// The service could not start. One line: the cause and, where there is one, the remedy.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database cannot be opened or migrated.
    #[error(transparent)]
    Database(#[from] OpenError),
    /// The keys cannot be read or made.
    #[error("keys: {0}")]
    Keys(String),
    /// The address cannot be listened on.
    #[error("server.bind {address}: {cause}; stop what listens there, or set another address")]
    Bind {
        /// The address.
        address: std::net::SocketAddr,
        /// What the system said.
        cause: std::io::Error,
    },
    /// The address of the metrics cannot be listened on.
    #[error("server.metrics_bind {address}: {cause}; stop what listens there, or set another address")]
    BindMetrics {
        /// The address.
        address: std::net::SocketAddr,
        /// What the system said.
        cause: std::io::Error,
    },
    /// The certificate or its key cannot be used.
    #[error("{0}")]
    Tls(String),
    /// Whether a request's path has the prefix or not could not be told.
    #[error("server.root_path {0}: the service has paths that begin so; set another")]
    RootPath(String),
    /// The system refused a thread or a socket.
    #[error("{0}")]
    System(#[from] std::io::Error),
}

/// A Keyfob, connected to its database. Clones are the same one.
///
/// ```no_run
/// use actix_web::{App, HttpResponse, HttpServer, web};
/// use keyfob::{CurrentUser, Keyfob, Settings};
///
/// #[actix_web::main]
/// async fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let keyfob = Keyfob::open(Settings::load()?).await?;
///     let app = move || {
///         App::new()
///             .configure(|cfg| keyfob.configure(cfg))
///             .route("/hello", web::get().to(async |user: CurrentUser| HttpResponse::Ok().body(user.id().to_string())))
///     };
///     Ok(HttpServer::new(app).bind("127.0.0.1:8080")?.run().await?)
/// }
/// ```
#[derive(Clone)]
pub struct Keyfob(Arc<Parts>);

struct Parts {
    settings: Settings,
    db: Data<Db>,
    sessions: Data<Sessions>,
    passwords: Data<Passwords>,
    attempts: Data<Attempts>,
    proxies: Data<TrustedProxies>,
    document: Data<Document>,
    routes: Data<Routes>,
    _background: Background,
}

impl std::fmt::Debug for Keyfob {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keyfob")
    }
}

/// A server that has its addresses, and runs once it is polled.
struct Listening {
    addresses: Vec<std::net::SocketAddr>,
    running: Server,
}

/// What is told of the requests beside the log, if anybody wants to know.
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

    /// Sends what has not been sent yet.
    fn close(&self) {
        #[cfg(feature = "otlp")]
        self.traces.iter().for_each(|traces| traces.close());
    }
}

/// Every feature of the service. A new one is added here.
fn features(cfg: &mut ApiConfig<'_>) {
    cfg.configure(accounts::routes::configure)
        .configure(tokens::routes::configure)
        .configure(posts::routes::configure)
        .configure(accounts::session_routes::configure)
        .configure(tokens::metadata::configure)
        .configure(operations::configure)
        .configure(docs::configure);
}

/// The OpenAPI 3.1 document of the service.
#[must_use]
pub fn openapi_document() -> utoipa::openapi::OpenApi {
    let app = App::new().into_utoipa_app().openapi(openapi::head()).configure(features);
    let (_, mut document) = app.split_for_parts();
    openapi::finish(&mut document);
    document
}

/// The Postman collection of the service, as it is sent; its `baseUrl` is the issuer's.
pub(crate) fn postman_collection(settings: &Settings) -> Result<String, std::io::Error> {
    let document = serde_json::to_value(openapi_document())?;
    Ok(serde_json::to_string_pretty(&postman::collection(&document, &settings.token.issuer))?)
}

/// The documents as they are sent, and the paths in them.
fn published(settings: &Settings) -> Result<(Document, Routes), StartError> {
    let root_path = &settings.server.root_path;
    let mut document = openapi_document();
    let routes = Routes::of(&document);
    if routes.begin_with(root_path) {
        return Err(StartError::RootPath(root_path.clone()));
    }
    openapi::put_under(&mut document, root_path);
    let text = document.to_pretty_json().map_err(std::io::Error::other)?;
    let collection = postman_collection(settings)?;
    Ok((Document { openapi: Bytes::from(text), postman: Bytes::from(collection) }, routes))
}

impl Keyfob {
    /// Opens the database, brings it up to date, and loads the keys, making what a first start lacks.
    ///
    /// # Errors
    /// [`StartError`] says in one line what is wrong and what to do.
    pub async fn open(settings: Settings) -> Result<Self, StartError> {
        let (document, routes) = published(&settings)?;
        let db = Db::open(&settings.database)?;
        let loaded = Sessions::load(&settings.token, &db, Timestamp::now()).await;
        let sessions = Data::new(loaded.map_err(|error| StartError::Keys(error.to_string()))?);
        let naming_key = sessions.derive_key("failed attempts");
        let attempts = Attempts::load(&settings.rate_limit, &db, &naming_key, Timestamp::now()).await;
        let attempts = Data::new(attempts.map_err(std::io::Error::other)?);
        Ok(Self(Arc::new(Parts {
            _background: Background::start(db.clone(), sessions.clone().into_inner(), attempts.clone().into_inner())?,
            passwords: Data::new(Passwords::start(&settings.password)?),
            attempts,
            proxies: Data::new(TrustedProxies::new(settings.server.trusted_proxies.clone())),
            routes: Data::new(routes),
            document: Data::new(document),
            db: Data::new(db),
            sessions,
            settings,
        })))
    }

    /// Checks an access token where there is no HTTP request to take a [`CurrentUser`](crate::CurrentUser) from, such as
    /// the first message of a WebSocket. Reads no database.
    ///
    /// # Errors
    /// [`AuthError`] says why the token is not good.
    pub fn authenticate(&self, token: &str) -> Result<Arc<AccessToken>, AuthError> {
        Ok(self.0.sessions.check_access(token, Timestamp::now())?)
    }

    /// Adds all routes of the service, and what [`CurrentUser`](crate::CurrentUser) needs, to an application.
    pub fn configure(&self, cfg: &mut ServiceConfig) {
        self.guard(cfg);
        features(&mut ApiConfig::new(cfg));
    }

    /// Adds only what [`CurrentUser`](crate::CurrentUser) and [`bearer`](crate::bearer) need: for an application that
    /// checks the tokens of a Keyfob on the same database and has no `/login` of its own.
    pub fn guard(&self, cfg: &mut ServiceConfig) {
        let parts = &self.0;
        let server = &parts.settings.server;
        let limit = BodyLimit { max_bytes: server.max_body_bytes, max_seconds: server.request_seconds };
        cfg.app_data(parts.db.clone())
            .app_data(parts.sessions.clone())
            .app_data(parts.passwords.clone())
            .app_data(parts.attempts.clone())
            .app_data(parts.document.clone())
            .app_data(Data::new(limit))
            .app_data(parts.proxies.clone());
    }

    /// Serves until SIGTERM or Ctrl-C; requests in flight are finished then.
    ///
    /// # Errors
    /// [`StartError`] when the address cannot be listened on or the certificate cannot be used.
    pub async fn serve(self) -> Result<(), StartError> {
        let watched = self.watched()?;
        let server = self.listen(watched.clone())?;
        let page = watched.metrics.clone().map(|metrics| self.listen_for_metrics(metrics)).transpose()?;
        let addresses = server.addresses;
        // What is announced can be stopped: the signals are listened for once the server has begun to run.
        let running = actix_web::rt::spawn(server.running);
        tokio::task::yield_now().await;
        let page = page.map(|page| {
            announce_metrics(&page.addresses);
            let handle = page.running.handle();
            actix_web::rt::spawn(page.running);
            handle
        });
        self.announce(&addresses);
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

    /// What is measured, if anybody wants to know.
    fn metrics(&self) -> Result<Option<Data<Metrics>>, StartError> {
        let parts = &self.0;
        if parts.settings.server.metrics_bind.is_none() {
            return Ok(None);
        }
        let has_writer = matches!(parts.settings.database.url, DatabaseUrl::Sqlite(_));
        let metrics = Metrics::new(&openapi_document(), has_writer).map_err(std::io::Error::other)?;
        parts.passwords.watch(metrics.hash_queue.clone());
        parts.db.watch(metrics.write_queue.clone());
        Ok(Some(Data::new(metrics)))
    }

    fn listen_for_metrics(&self, metrics: Data<Metrics>) -> Result<Listening, StartError> {
        let parts = &self.0;
        let address = parts.settings.server.metrics_bind.unwrap_or(parts.settings.server.bind);
        let (db, sessions) = (parts.db.clone().into_inner(), parts.sessions.clone().into_inner());
        let page = Page { metrics: metrics.into_inner(), db, sessions };
        let bind_error = |cause| StartError::BindMetrics { address, cause };
        let (addresses, running) = page::listen(address, page).map_err(bind_error)?;
        Ok(Listening { addresses, running })
    }

    fn listen(&self, watched: Watched) -> Result<Listening, StartError> {
        let settings = &self.0.settings.server;
        let keyfob = self.clone();
        let origins = AllowedOrigins(settings.cors_origins.clone());
        let has_origins = !origins.0.is_empty();
        let root = RootPath(settings.root_path.clone());
        let server = HttpServer::new(move || {
            App::new()
                .configure(|cfg| keyfob.configure(cfg))
                .configure(|cfg| watched.add(cfg))
                .app_data(keyfob.0.routes.clone())
                .default_service(web::to(no_route))
                .wrap(from_fn(limits::head))
                .app_data(Data::new(root.clone()))
                .wrap(Condition::new(!root.is_empty(), from_fn(under_root_path)))
                .app_data(Data::new(origins.clone()))
                .wrap(Condition::new(has_origins, cors::layer(&origins)))
                .wrap(Condition::new(has_origins, from_fn(ignore_foreign_origin)))
                .wrap(from_fn(conventions))
        })
        // The end of what a client sends is taken as hanging up, or one that has hung up would only be noticed when its
        // answer is written: after the work was done for it.
        .h1_allow_half_closed(false)
        .workers(settings.workers)
        .max_connections(limits::connections_per_worker(settings.workers))
        // Of the first request of a connection alone (actix-http 3.20), which is also when it must come at all.
        .client_request_timeout(Duration::from_secs(settings.request_seconds))
        .keep_alive(Duration::from_secs(settings.keep_alive_seconds))
        .shutdown_timeout(SHUTDOWN_SECONDS);
        let bind_error = |cause| StartError::Bind { address: settings.bind, cause };
        let server = match (&settings.tls_cert, &settings.tls_key) {
            (Some(cert), Some(key)) => {
                let certificate = Certificate::load(cert, key).map_err(StartError::Tls)?;
                let tls = certificate.server_config().map_err(StartError::Tls)?;
                certificate.reload_on_hangup()?;
                server.bind_rustls_0_23(settings.bind, tls).map_err(bind_error)?
            }
            _ => server.bind(settings.bind).map_err(bind_error)?,
        };
        let addresses = server.addrs();
        Ok(Listening { addresses, running: server.run() })
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
        for address in addresses {
            let docs = format!("{scheme}://{address}/docs");
            tracing::info!(%address, docs, data, "listening");
        }
    }
}

/// Says where the metrics are, and warns where others may read them too.
fn announce_metrics(addresses: &[std::net::SocketAddr]) {
    for address in addresses {
        tracing::info!(url = %format_args!("http://{address}/metrics"), "metrics");
        if !address.ip().is_loopback() {
            let remedy = "keep others away from it by a firewall, or set an address of this machine alone";
            tracing::warn!(%address, remedy, "server.metrics_bind: whoever reaches it can read the metrics");
        }
    }
}
