//! The sessions of an account, as admins see and end them.

use actix_web::web::Data;
use actix_web::{HttpResponse, delete, get};

use super::Admin;
use crate::accounts::store::UserRow;
use crate::audit::Origin;
use crate::db::{Lookup, Timestamp};
use crate::http::answer::json;
use crate::http::error::ApiError;
use crate::http::{PathId, Query};
use crate::sessions::Sessions;
use crate::sessions::acts::Act;
use crate::sessions::listing::{SessionList, SessionQuery};

/// List the sessions of an account
///
/// Newest first: one for each login that has not ended.
#[utoipa::path(tag = "administration", params(Admin, PathId, SessionQuery), responses((status = 200, description = "A page of sessions.", body = SessionList)))]
#[get("/users/{id}/sessions")]
pub(super) async fn list_user_sessions(
    admin: Admin,
    PathId(id): PathId,
    query: Query<SessionQuery>,
    users: Data<Lookup<UserRow>>,
    sessions: Data<Sessions>,
) -> Result<HttpResponse, ApiError> {
    let page = query.0.page();
    users.find(id).await?.ok_or(ApiError::NotFound)?;
    let rows = sessions.list(id, page, Timestamp::now()).await?;
    Ok(json(&mut HttpResponse::Ok(), &SessionList::new(rows, page, admin.session_id())))
}

/// End all sessions of an account
///
/// Logs the account out everywhere, and makes its links worthless. Its password does not change.
#[utoipa::path(tag = "administration", params(Admin, PathId), responses((status = 204, description = "All sessions have ended.")))]
#[delete("/users/{id}/sessions")]
pub(super) async fn end_user_sessions(
    admin: Admin,
    PathId(id): PathId,
    sessions: Data<Sessions>,
    origin: Origin,
) -> Result<HttpResponse, ApiError> {
    let source = admin.source(origin);
    let done = sessions.act_as(admin.caller(), id, Act::SignOut, source, Timestamp::now()).await??;
    done.map(|_| HttpResponse::NoContent().finish()).ok_or(ApiError::NotFound)
}
