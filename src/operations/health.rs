//! Liveness and readiness.

use std::sync::{Arc, Weak};
use std::time::Duration;

use actix_web::web::Data;
use actix_web::{HttpResponse, get};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::db::Db;
use crate::http::error::ApiError;
use crate::http::failure::Failure;
use crate::passwords::Passwords;
use crate::sessions::Sessions;

/// Time limit for the database to respond.
const READY_WITHIN: Duration = Duration::from_secs(1);

/// Shows whether a thread is alive, without keeping it alive.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pulse(Weak<()>);

impl Pulse {
    /// The pulse of the thread that holds `heart`.
    pub(crate) fn of(heart: &Arc<()>) -> Self {
        Self(Arc::downgrade(heart))
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.0.strong_count() > 0
    }
}

/// The state of the service.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    /// `ok`.
    #[schema(example = "ok")]
    status: &'static str,
}

pub(crate) fn configure(cfg: &mut ServiceConfig<'_>) {
    cfg.service(check_health).service(check_readiness);
}

/// Liveness
///
/// 200 while the process is running, whatever else is wrong.
#[utoipa::path(tag = "operations", responses((status = 200, description = "The process is running.", body = Health)))]
#[get("/healthz")]
pub(crate) async fn check_health() -> HttpResponse {
    HttpResponse::Ok().json(Health { status: "ok" })
}

/// Readiness
///
/// For load balancers: 200 while the database responds and the service can do its work.
#[utoipa::path(tag = "operations", responses(
    (status = 200, description = "The service is ready.", body = Health),
    (status = 503, description = "The database did not respond within one second, the revocation feed is stale, or a part of the service has died."),
))]
#[get("/readyz")]
pub(crate) async fn check_readiness(
    db: Data<Db>,
    sessions: Data<Sessions>,
    passwords: Data<Passwords>,
    background: Data<Pulse>,
) -> Result<HttpResponse, ApiError> {
    // None of them restarts by itself.
    if !db.is_alive() || !passwords.is_alive() || !background.is_alive() {
        return Err(Failure::Unavailable("a thread of the service has died: restart the service".into()).into());
    }
    let slow = || Failure::Unavailable("the database did not answer within 1 s".into());
    tokio::time::timeout(READY_WITHIN, db.ping()).await.map_err(|_| slow())??;
    if !sessions.hears_revocations() {
        return Err(Failure::Unavailable("revocations could not be read".into()).into());
    }
    Ok(HttpResponse::Ok().json(Health { status: "ok" }))
}
