//! Profiles: one's own, and everyone's for admins.

use actix_web::web::Data;
use actix_web::{HttpResponse, get};

use super::Caller;
use crate::accounts::model::User;
use crate::accounts::store::UserRow;
use crate::db::{Id, Lookup};
use crate::guard::{AuthError, bearer};
use crate::http::PathId;
use crate::http::answer::json;
use crate::http::error::ApiError;

/// Get a profile
///
/// Your own profile; admins can read every profile. Any other id gives 403, whether or not the account exists.
#[utoipa::path(
    tag = "accounts",
    params(Caller, ("id" = Id, Path, description = "The account's id.", example = 1)),
    responses((status = 200, description = "The account.", body = User), (status = 404, description = "There is no such account (admins only).")),
)]
#[get("/profile/{id}", wrap = "bearer()")]
pub(super) async fn read_profile(
    user: Caller,
    PathId(id): PathId,
    users: Data<Lookup<UserRow>>,
) -> Result<HttpResponse, ApiError> {
    if id != user.id() && !user.is_admin() {
        return Err(ApiError::Forbidden("This is not your profile."));
    }
    match users.find(id).await? {
        Some(row) if id != user.id() || row.is_active => Ok(json(&mut HttpResponse::Ok(), &User::from(row))),
        _ if id == user.id() => Err(AuthError::AccountGone.into()),
        _ => Err(ApiError::NotFound),
    }
}
