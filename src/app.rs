//! The service as a whole: opened from settings, then served, or added to another actix-web application.

mod serve;

use std::sync::Arc;

use actix_web::App;
use actix_web::web::{Data, ServiceConfig};
use utoipa_actix_web::AppExt;
use utoipa_actix_web::service_config::ServiceConfig as ApiConfig;

use crate::accounts::attempts::Attempts;
use crate::accounts::password::Passwords;
use crate::background::Background;
use crate::config::Settings;
use crate::db::{Db, OpenError, Timestamp};
use crate::docs::{self, Document};
use crate::guard::AuthError;
use crate::http::body::BodyLimit;
use crate::http::fallback::Routes;
use crate::http::origin::TrustedProxies;
use crate::tokens::AccessToken;
use crate::tokens::sessions::Sessions;
use crate::{accounts, openapi, operations, postman, posts, tokens};

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

/// The OpenAPI document as it is sent.
fn openapi_text(root_path: &str) -> Result<String, std::io::Error> {
    let mut document = openapi_document();
    openapi::put_under(&mut document, root_path);
    Ok(document.to_pretty_json()?)
}

/// The Postman collection of the service, as it is sent; its `baseUrl` is the issuer.
pub(crate) fn postman_collection(issuer: &str) -> Result<String, std::io::Error> {
    let document = serde_json::to_value(openapi_document())?;
    Ok(serde_json::to_string_pretty(&postman::collection(&document, issuer))?)
}

fn document(settings: &Settings) -> Document {
    let (root_path, issuer) = (settings.server.root_path.clone(), settings.token.issuer.clone());
    Document {
        openapi: docs::text(move || openapi_text(&root_path)),
        postman: docs::text(move || postman_collection(&issuer)),
    }
}

impl Keyfob {
    /// Opens the database, brings it up to date, and loads the keys, making what a first start lacks.
    ///
    /// # Errors
    /// [`StartError`] says in one line what is wrong and what to do.
    pub async fn open(settings: Settings) -> Result<Self, StartError> {
        let routes = Routes::new(openapi_document);
        let root_path = &settings.server.root_path;
        if routes.begin_with(root_path) {
            return Err(StartError::RootPath(root_path.clone()));
        }
        let db = Db::open(&settings.database)?;
        let loaded = Sessions::load(&settings.token, &settings.sessions, &db, Timestamp::now()).await;
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
            document: Data::new(document(&settings)),
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
}
