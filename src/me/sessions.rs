//! One's own sessions: where one is signed in, and signing out there.

use actix_web::web::Data;
use actix_web::{HttpResponse, delete, get};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::db::page::{MAX_LIMIT, Page, next_cursor};
use crate::db::{Id, Timestamp};
use crate::fields::{Fields, FromFields};
use crate::guard::CurrentUser;
use crate::http::answer::json;
use crate::http::error::ApiError;
use crate::http::problem::Problem;
use crate::http::{PathId, Query};
use crate::sessions::Sessions;
use crate::sessions::revocations::store::Which;
use crate::tokens::scopes;

/// A sign-in.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Session {
    /// Its id; the `sid` of its access tokens.
    #[schema(value_type = i64, example = 1)]
    id: Id,
    /// The client that signed in.
    #[schema(example = "keyfob")]
    client_id: String,
    /// What the client called itself.
    #[schema(example = "Mozilla/5.0", required)]
    user_agent: Option<String>,
    /// The address from which it signed in.
    #[schema(example = "127.0.0.1", required)]
    ip: Option<String>,
    /// When it signed in, UTC.
    #[schema(value_type = String, format = DateTime, example = "2026-11-21T20:58:00Z")]
    created_at: Timestamp,
    /// When it was last used, UTC; some seconds late.
    #[schema(value_type = String, format = DateTime, example = "2026-11-21T20:58:00Z")]
    last_used_at: Timestamp,
    /// Whether it is the one of this very request.
    #[schema(example = true)]
    current: bool,
}

/// A page of the sessions that have not ended, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SessionList {
    /// The sessions.
    items: Vec<Session>,
    /// What to ask for the next page with; `null` on the last one.
    #[schema(required = true, example = "MQ")]
    next_cursor: Option<String>,
}

/// Which page of one's own sessions.
#[derive(Debug)]
pub(crate) struct SessionQuery(Page);

impl FromFields for SessionQuery {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        // As many as there may be: whoever does not ask for pages should see all, or nearly.
        Page::read(fields, MAX_LIMIT).map(Self)
    }
}

pub(crate) fn configure(cfg: &mut ServiceConfig<'_>) {
    cfg.service(list_sessions).service(end_session).service(end_other_sessions);
}

/// List one's own sessions
///
/// Where one is signed in: one session for each log-in that has not ended, newest first.
#[utoipa::path(
    tag = "accounts",
    params(
        ("limit" = Option<i64>, Query, description = "How many at the most, 1 to 100; 100 if absent.", minimum = 1, maximum = 100, example = 100),
        ("cursor" = Option<String>, Query, description = "The `next_cursor` of the page before."),
    ),
    security(("OAuth2PasswordBearer" = ["profile"])),
    responses((status = 200, description = "A page.", body = SessionList))
)]
#[get("/me/sessions")]
pub(crate) async fn list_sessions(
    user: CurrentUser<scopes::Profile>,
    query: Query<SessionQuery>,
    sessions: Data<Sessions>,
) -> Result<HttpResponse, ApiError> {
    let page = query.0.0;
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

/// End one of one's own sessions
///
/// Signs out there: its refresh token dies at once, its access tokens within a second.
#[utoipa::path(
    tag = "accounts",
    params(("id" = i64, Path, description = "The session's id.", minimum = 1, maximum = 9_007_199_254_740_991_i64, example = 1)),
    security(("OAuth2PasswordBearer" = ["profile"])),
    responses(
        (status = 204, description = "It has ended."),
        (status = 404, description = "You have no such session.", body = Problem, content_type = "application/problem+json"),
    )
)]
#[delete("/me/sessions/{id}")]
pub(crate) async fn end_session(
    user: CurrentUser<scopes::Profile>,
    PathId(id): PathId,
    sessions: Data<Sessions>,
) -> Result<HttpResponse, ApiError> {
    let which = Which::One { user_id: user.id(), id };
    match sessions.end_as(user.caller(), which, Timestamp::now()).await?? {
        0 => Err(ApiError::NotFound),
        _ => Ok(HttpResponse::NoContent().finish()),
    }
}

/// End all of one's own sessions but this one
///
/// Signs out everywhere else.
#[utoipa::path(
    tag = "accounts",
    security(("OAuth2PasswordBearer" = ["profile"])),
    responses((status = 204, description = "The others have ended."))
)]
#[delete("/me/sessions")]
pub(crate) async fn end_other_sessions(
    user: CurrentUser<scopes::Profile>,
    sessions: Data<Sessions>,
) -> Result<HttpResponse, ApiError> {
    let which = Which::AllOf { user_id: user.id(), except: Some(user.session_id()) };
    sessions.end_as(user.caller(), which, Timestamp::now()).await??;
    Ok(HttpResponse::NoContent().finish())
}
