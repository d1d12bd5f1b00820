//! The caller's sessions: list and end them.

use actix_web::web::Data;
use actix_web::{HttpResponse, delete, get};

use super::Caller;
use crate::audit::Origin;
use crate::db::{Id, Timestamp};
use crate::http::answer::json;
use crate::http::error::ApiError;
use crate::http::{PathId, Query};
use crate::sessions::Sessions;
use crate::sessions::listing::{SessionList, SessionQuery};
use crate::sessions::revocations::store::Which;

/// List sessions
///
/// The current user's sessions, newest first: one for each login that has not ended.
#[utoipa::path(tag = "accounts", params(Caller, SessionQuery), responses((status = 200, description = "A page of sessions.", body = SessionList)))]
#[get("/me/sessions")]
pub(super) async fn list_sessions(
    user: Caller,
    query: Query<SessionQuery>,
    sessions: Data<Sessions>,
) -> Result<HttpResponse, ApiError> {
    let page = query.0.page();
    let rows = sessions.list(user.id(), page, Timestamp::now()).await?;
    Ok(json(&mut HttpResponse::Ok(), &SessionList::new(rows, page, user.session_id())))
}

/// End a session
///
/// Logs the session out: its refresh token stops working at once, its access tokens within a second.
#[utoipa::path(
    tag = "accounts",
    params(Caller, ("id" = Id, Path, description = "The session's id.", example = 1)),
    responses((status = 204, description = "The session has ended."), (status = 404, description = "You have no such session.")),
)]
#[delete("/me/sessions/{id}")]
pub(super) async fn end_session(
    user: Caller,
    PathId(id): PathId,
    sessions: Data<Sessions>,
    origin: Origin,
) -> Result<HttpResponse, ApiError> {
    let which = Which::One { user_id: user.id(), id };
    match sessions.end_as(user.caller(), which, &user.source(origin), Timestamp::now()).await?? {
        0 => Err(ApiError::NotFound),
        _ => Ok(HttpResponse::NoContent().finish()),
    }
}

/// End all other sessions
///
/// Logs out everywhere except in the current session.
#[utoipa::path(tag = "accounts", params(Caller), responses((status = 204, description = "All other sessions have ended.")))]
#[delete("/me/sessions")]
pub(super) async fn end_other_sessions(
    user: Caller,
    sessions: Data<Sessions>,
    origin: Origin,
) -> Result<HttpResponse, ApiError> {
    let which = Which::AllOf { user_id: user.id(), except: Some(user.session_id()) };
    sessions.end_as(user.caller(), which, &user.source(origin), Timestamp::now()).await??;
    Ok(HttpResponse::NoContent().finish())
}
