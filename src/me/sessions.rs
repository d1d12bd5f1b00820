//! The caller's sessions: list and end them.

use actix_web::web::Data;
use actix_web::{HttpResponse, delete, get};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::Caller;
use crate::audit::Origin;
use crate::db::page::{MAX_LIMIT, Page, next_cursor};
use crate::db::{Id, Timestamp};
use crate::fields::{Fields, FromFields};
use crate::http::answer::json;
use crate::http::error::ApiError;
use crate::http::{PathId, Query};
use crate::sessions::Sessions;
use crate::sessions::revocations::store::Which;

/// A session, which begins with a login.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Session {
    /// The session's id, the `sid` claim of its access tokens.
    id: Id,
    /// The client that logged in.
    #[schema(example = "keyfob")]
    client_id: String,
    /// The `User-Agent` header of the login.
    #[schema(example = "Mozilla/5.0", required)]
    user_agent: Option<String>,
    /// The IP address of the login.
    #[schema(example = "127.0.0.1", required)]
    ip: Option<String>,
    /// Time of the login, UTC.
    created_at: Timestamp,
    /// Time of the last use, UTC; updated with a delay of some seconds.
    last_used_at: Timestamp,
    /// Whether this request belongs to the session.
    #[schema(example = true)]
    current: bool,
}

/// A page of the sessions that have not ended, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SessionList {
    /// The sessions.
    items: Vec<Session>,
    /// Pass it as `cursor` to get the next page; `null` on the last page.
    #[schema(required = true, example = "MQ")]
    next_cursor: Option<String>,
}

/// Which page of the caller's sessions.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct SessionQuery {
    /// Maximum number of sessions, 1 to 100. Default: 100.
    #[param(required = false, minimum = 1, maximum = 100, example = 100)]
    limit: i64,
    /// The `next_cursor` of the previous page.
    #[param(rename = "cursor", value_type = Option<String>)]
    after: Option<Id>,
}

impl FromFields for SessionQuery {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        // The maximum by default: a client that does not page should see all sessions, or nearly all.
        let Page { limit, after } = Page::read(fields, MAX_LIMIT)?;
        Some(Self { limit, after })
    }
}

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
    let SessionQuery { limit, after } = query.0;
    let page = Page { limit, after };
    let mut rows = sessions.list(user.id(), page, Timestamp::now()).await?;
    let next_cursor = next_cursor(&mut rows, page.limit, |row| row.id);
    let items = rows.into_iter().map(|row| Session {
        id: row.id,
        client_id: row.client_id,
        user_agent: row.user_agent,
        ip: row.ip,
        created_at: row.created_at,
        last_used_at: row.last_used_at,
        current: row.id == user.session_id(),
    });
    Ok(json(&mut HttpResponse::Ok(), &SessionList { items: items.collect(), next_cursor }))
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
