//! The whole service: opened from settings, then served, or added to another actix-web application.

mod background;
mod bootstrap;
mod error;
mod mail;
mod serve;

use std::sync::Arc;

use actix_web::App;
use actix_web::web::{Data, ServiceConfig};
use utoipa_actix_web::AppExt;
use utoipa_actix_web::service_config::ServiceConfig as ApiConfig;

use self::background::{Background, Work};
pub use self::error::StartError;
use crate::accounts::email_keys;
use crate::accounts::store::{self as accounts, UserRow};
use crate::attempts::Attempts;
use crate::config::{AccountSettings, Settings};
use crate::db::{Db, Lookup, Timestamp};
use crate::docs::{self, Document, openapi, postman};
use crate::guard::AuthError;
use crate::http::body::BodyLimit;
use crate::http::error::ApiError;
use crate::http::error_form::ErrorForm;
use crate::http::origin::TrustedProxies;
use crate::http::server::fallback::Routes;
use crate::mail::{Mailer, Outbox};
use crate::oauth::{OAUTH_ENDPOINTS, OAuthError};
use crate::one_time_tokens::links::Links;
use crate::operations::health;
use crate::passwords::Passwords;
use crate::posts::model::Post;
use crate::sessions::Sessions;
use crate::tokens::AccessToken;
use crate::tokens::scope::{ADMIN, Scopes};
use crate::{activity, admin, me, oauth, posts, recovery};

/// A Keyfob, connected to its database. Clones share everything.
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
    users: Data<Lookup<UserRow>>,
    posts: Data<Lookup<Post>>,
    sessions: Data<Sessions>,
    passwords: Data<Passwords>,
    attempts: Data<Attempts>,
    accounts: Data<AccountSettings>,
    links: Data<Links>,
    outbox: Data<Outbox>,
    mailer: Arc<Mailer>,
    proxies: Data<TrustedProxies>,
    document: Data<Document>,
    routes: Data<Routes>,
    background: Background,
}

impl std::fmt::Debug for Keyfob {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keyfob")
    }
}

/// All scopes of the service, in the order in which they are written. Add a new one here.
pub(crate) const SCOPES: Scopes = Scopes(&[me::SCOPE, posts::SCOPE, ADMIN]);

/// All features of the service. Add a new one here.
fn features(cfg: &mut ApiConfig<'_>) {
    cfg.configure(me::configure)
        .configure(admin::configure)
        .configure(recovery::configure)
        .configure(activity::routes::configure)
        .configure(oauth::routes::configure)
        .configure(posts::routes::configure)
        .configure(oauth::metadata::configure)
        .configure(health::configure)
        .configure(docs::configure);
}

/// The error format that clients of a path expect.
const ERROR_FORM: ErrorForm = ErrorForm(|path, failure| {
    if OAUTH_ENDPOINTS.contains(&path) { OAuthError::from(failure).into() } else { ApiError::from(failure).into() }
});

/// The OpenAPI 3.1 document of the service.
#[must_use]
pub fn openapi_document() -> utoipa::openapi::OpenApi {
    let app = App::new().into_utoipa_app().openapi(openapi::head()).configure(features);
    let (_, mut document) = app.split_for_parts();
    openapi::finish(&mut document, SCOPES);
    document
}

/// The OpenAPI document as clients receive it.
fn openapi_text(root_path: &str) -> Result<String, std::io::Error> {
    let mut document = openapi_document();
    openapi::put_under(&mut document, root_path, SCOPES);
    Ok(document.to_pretty_json()?)
}

/// The Postman collection as clients receive it; its `baseUrl` is the issuer.
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

/// Opens the database, with its accounts brought up to date, and what compares their passwords.
async fn open_accounts(settings: &Settings, now: Timestamp) -> Result<(Db, Data<Passwords>), StartError> {
    // Before the database is touched: a list of breached passwords that cannot be used stops the start.
    let passwords = Data::new(Passwords::start(&settings.password, &settings.token.issuer)?);
    let db = Db::open(&settings.database)?;
    email_keys::update(&db).await.map_err(std::io::Error::other)?;
    background::learn_kinds(&db, &passwords).await.map_err(std::io::Error::other)?;
    bootstrap::make_first_admin(&settings.bootstrap, &db, &passwords, now).await?;
    Ok((db, passwords))
}

impl Keyfob {
    /// Opens the database, runs pending migrations, and loads the keys, creating them at the first startup.
    ///
    /// # Errors
    /// [`StartError`] says in one line what is wrong and how to fix it.
    pub async fn open(settings: Settings) -> Result<Self, StartError> {
        let routes = Routes::new(openapi_document, &docs::FILES);
        if routes.begin_with(&settings.server.root_path) {
            return Err(StartError::RootPath(settings.server.root_path));
        }
        let now = Timestamp::now();
        let (db, passwords) = open_accounts(&settings, now).await?;
        let loaded = Sessions::load(&settings.token, &settings.sessions, SCOPES, &db, now).await;
        let sessions = Data::new(loaded.map_err(|error| StartError::Keys(error.to_string()))?);
        let attempts = Attempts::load(&settings.rate_limit, &db, &sessions.derive_key("failed attempts"), now).await;
        let attempts = Data::new(attempts.map_err(std::io::Error::other)?);
        let (outbox, mailer) = mail::open(&settings, &db, &sessions).map_err(StartError::Mail)?;
        Ok(Self(Arc::new(Parts {
            background: Background::start(Work {
                db: db.clone(),
                sessions: sessions.clone().into_inner(),
                attempts: attempts.clone().into_inner(),
                passwords: passwords.clone().into_inner(),
                audit: settings.audit.clone(),
                mailer: Arc::clone(&mailer),
            })?,
            outbox,
            mailer,
            passwords,
            attempts,
            accounts: Data::new(settings.accounts.clone()),
            links: Data::new(Links::new(&settings.accounts, &settings.token)),
            proxies: Data::new(TrustedProxies::new(settings.server.trusted_proxies.clone())),
            routes: Data::new(routes),
            document: Data::new(document(&settings)),
            users: Data::new(Lookup::new(&db, accounts::find_user, accounts::list_users_by_id)),
            posts: Data::new(Lookup::new(&db, posts::store::find_post, posts::store::list_posts_by_id)),
            db: Data::new(db),
            sessions,
            settings,
        })))
    }

    /// Checks an access token without an HTTP request to take a [`CurrentUser`](crate::CurrentUser) from, such as one
    /// in the first message of a WebSocket. Does not read the database.
    ///
    /// # Errors
    /// [`AuthError`] says why the token is invalid.
    pub fn authenticate(&self, token: &str) -> Result<Arc<AccessToken>, AuthError> {
        Ok(self.0.sessions.check_access(token, Timestamp::now())?)
    }

    /// Adds all routes of the service, and the state of [`CurrentUser`](crate::CurrentUser), to an application.
    pub fn configure(&self, cfg: &mut ServiceConfig) {
        self.guard(cfg);
        features(&mut ApiConfig::new(cfg));
    }

    /// Adds only the state of [`CurrentUser`](crate::CurrentUser) and [`bearer`](crate::bearer): for an application
    /// that checks the tokens of a Keyfob on the same database and has no `/login` of its own.
    pub fn guard(&self, cfg: &mut ServiceConfig) {
        let parts = &self.0;
        let server = &parts.settings.server;
        let limit = BodyLimit { max_bytes: server.max_body_bytes, max_seconds: server.request_seconds };
        cfg.app_data(parts.db.clone())
            .app_data(parts.users.clone())
            .app_data(parts.posts.clone())
            .app_data(parts.sessions.clone())
            .app_data(parts.passwords.clone())
            .app_data(parts.attempts.clone())
            .app_data(parts.accounts.clone())
            .app_data(parts.links.clone())
            .app_data(parts.outbox.clone())
            .app_data(parts.document.clone())
            .app_data(Data::new(limit))
            .app_data(Data::new(parts.background.pulse()))
            .app_data(parts.proxies.clone());
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::{TestRequest, call_service, init_service};

    use super::*;
    use crate::operations::health::Pulse;

    #[test]
    fn the_document_names_the_limits_of_the_default_settings() {
        let folder = tempfile::tempdir().expect("a folder");
        let server = Settings::load_from(folder.path(), []).expect("settings").server;
        let BodyLimit { max_bytes, max_seconds } = BodyLimit::DEFAULT;
        assert_eq!((max_bytes, max_seconds), (server.max_body_bytes, server.request_seconds));
    }

    /// The status of `/readyz` with one part of the service replaced.
    async fn readiness(keyfob: &Keyfob, change: impl FnOnce(&mut ServiceConfig)) -> u16 {
        let app = init_service(App::new().configure(|cfg| keyfob.configure(cfg)).configure(change)).await;
        call_service(&app, TestRequest::get().uri("/readyz").to_request()).await.status().as_u16()
    }

    #[actix_web::test]
    async fn a_service_of_which_a_thread_has_died_is_not_ready() {
        let folder = tempfile::tempdir().expect("a folder");
        let url = format!("sqlite://{}", folder.path().join("keyfob.db").display());
        let env = [("KEYFOB__DATABASE__URL", url.as_str()), ("KEYFOB__PASSWORD__BCRYPT_COST", "4")];
        let env = env.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let settings = Settings::load_from(folder.path(), env).expect("settings");
        let keyfob = Keyfob::open(settings.clone()).await.expect("a service");
        assert_eq!(readiness(&keyfob, |_| {}).await, 200);
        let db = keyfob.0.db.without_writer(&settings.database);
        assert_eq!(
            readiness(&keyfob, |cfg| {
                cfg.app_data(Data::new(db));
            })
            .await,
            503
        );
        assert_eq!(
            readiness(&keyfob, |cfg| {
                cfg.app_data(Data::new(Pulse::default()));
            })
            .await,
            503
        );
        let mut passwords = Passwords::start(&settings.password, &settings.token.issuer).expect("threads");
        passwords.end_threads();
        assert_eq!(
            readiness(&keyfob, |cfg| {
                cfg.app_data(Data::new(passwords));
            })
            .await,
            503
        );
        let pulse = keyfob.0.background.pulse();
        assert!(pulse.is_alive());
        drop(keyfob);
        assert!(!pulse.is_alive(), "its thread has ended");
    }
}
