//! Accounts, as admins see and change them.

use actix_web::web::Data;
use actix_web::{HttpResponse, delete, get, patch};

use super::Admin;
use super::model::{UserPage, UserQuery, UserUpdate};
use crate::accounts::User;
use crate::accounts::admins::search::search;
use crate::accounts::admins::store::list_users as list;
use crate::accounts::store::UserRow;
use crate::audit::Origin;
use crate::db::page::cursor;
use crate::db::{Db, Lookup, Timestamp};
use crate::http::answer::json;
use crate::http::error::ApiError;
use crate::http::{Json, PathId, Query};
use crate::sessions::Sessions;
use crate::sessions::acts::Act;

/// List accounts
///
/// Oldest first. A search for a part of the address looks at half a million accounts at most, and then continues on the next
/// page: a page may have few items, or none, although there is a next one.
#[utoipa::path(tag = "administration", params(Admin, UserQuery), responses((status = 200, description = "A page of accounts.", body = UserPage)))]
#[get("/users")]
pub(super) async fn list_users(_admin: Admin, query: Query<UserQuery>, db: Data<Db>) -> Result<HttpResponse, ApiError> {
    let page = query.0.page();
    let (rows, next) = match query.0.part() {
        Some(part) => search(&db, &part, page).await?,
        None => {
            let mut rows = db.read(move |conn| list(conn, page)).await?;
            let next = page.cut(&mut rows, |row| row.id);
            (rows, next)
        }
    };
    let items = rows.into_iter().map(User::from).collect();
    Ok(json(&mut HttpResponse::Ok(), &UserPage { items, next_cursor: next.map(cursor) }))
}

/// Get an account
///
/// Any account, whether or not it is active.
#[utoipa::path(tag = "administration", params(Admin, PathId), responses((status = 200, description = "The account.", body = User)))]
#[get("/users/{id}")]
pub(super) async fn read_user(
    _admin: Admin,
    PathId(id): PathId,
    users: Data<Lookup<UserRow>>,
) -> Result<HttpResponse, ApiError> {
    let row = users.find(id).await?.ok_or(ApiError::NotFound)?;
    Ok(json(&mut HttpResponse::Ok(), &User::from(row)))
}

/// Update an account
///
/// Absent fields keep their value. Disabling an account, and taking admin rights away, ends all its sessions and makes its
/// links worthless. The last active admin stays.
#[utoipa::path(tag = "administration", params(Admin, PathId), responses(
    (status = 200, description = "The updated account.", body = User),
    (status = 409, description = "The account is the last active admin's."),
))]
#[patch("/users/{id}")]
pub(super) async fn update_user(
    admin: Admin,
    PathId(id): PathId,
    body: Json<UserUpdate>,
    sessions: Data<Sessions>,
    origin: Origin,
) -> Result<HttpResponse, ApiError> {
    let (act, source) = (Act::Change(body.0.into()), admin.source(origin));
    let done = sessions.act_as(admin.caller(), id, act, source, Timestamp::now()).await??;
    let row = done.and_then(|done| done.user).ok_or(ApiError::NotFound)?;
    Ok(json(&mut HttpResponse::Ok(), &User::from(row)))
}

/// Delete an account
///
/// Deletes the account and its posts, and ends all its sessions. The last active admin stays.
#[utoipa::path(tag = "administration", params(Admin, PathId), responses(
    (status = 204, description = "The account is deleted."),
    (status = 409, description = "The account is the last active admin's."),
))]
#[delete("/users/{id}")]
pub(super) async fn delete_user(
    admin: Admin,
    PathId(id): PathId,
    sessions: Data<Sessions>,
    origin: Origin,
) -> Result<HttpResponse, ApiError> {
    let source = admin.source(origin);
    let done = sessions.act_as(admin.caller(), id, Act::Delete, source, Timestamp::now()).await??;
    done.map(|_| HttpResponse::NoContent().finish()).ok_or(ApiError::NotFound)
}
