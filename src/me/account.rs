//! The caller's account: read, change and delete it.

use actix_web::web::Data;
use actix_web::{HttpResponse, delete, get, patch};
use utoipa::ToSchema;

use super::Caller;
use super::owner::{Owner, TypedPassword, find_active};
use crate::accounts::admins;
use crate::accounts::model::{FullName, User};
use crate::accounts::store::{self, UserRow};
use crate::audit::{EventType, NewEvent, insert_event};
use crate::db::{Conn, Lookup, Timestamp};
use crate::fields::{Change, Fields, FromFields};
use crate::guard::AuthError;
use crate::http::Json;
use crate::http::answer::json;
use crate::http::error::ApiError;
use crate::sessions::Sessions;

/// Get the current user
///
/// The account that the access token was issued to.
#[utoipa::path(tag = "accounts", params(Caller), responses((status = 200, description = "The account.", body = User)))]
#[get("/me")]
pub(super) async fn read_me(user: Caller, users: Data<Lookup<UserRow>>) -> Result<HttpResponse, ApiError> {
    let row = find_active(&users, user.id()).await?;
    Ok(json(&mut HttpResponse::Ok(), &User::from(row)))
}

/// Changes to the current user's account. Absent fields keep their value.
#[derive(Debug, ToSchema)]
#[schema(example = json!({ "full_name": "Countess of Lovelace" }))]
pub(super) struct AccountChange {
    /// The new name; `null` clears it.
    #[schema(value_type = Option<FullName>)]
    full_name: Change<FullName>,
}

impl FromFields for AccountChange {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        Some(Self { full_name: fields.change("full_name")? })
    }
}

/// Update the current user
///
/// Absent fields keep their value.
#[utoipa::path(tag = "accounts", params(Caller), responses((status = 200, description = "The updated account.", body = User)))]
#[patch("/me")]
pub(super) async fn update_me(
    user: Caller,
    body: Json<AccountChange>,
    users: Data<Lookup<UserRow>>,
    sessions: Data<Sessions>,
) -> Result<HttpResponse, ApiError> {
    let row = match body.0.full_name {
        Change::Keep => find_active(&users, user.id()).await?,
        change => {
            let full_name = match change {
                Change::Set(name) => Some(name.into_string()),
                Change::Clear | Change::Keep => None,
            };
            let now = Timestamp::now();
            let update =
                move |conn: &mut Conn, user: UserRow| store::update_full_name(conn, user.id, full_name.as_deref(), now);
            sessions.write_as(user.caller(), update).await??.ok_or(AuthError::AccountGone)?
        }
    };
    Ok(json(&mut HttpResponse::Ok(), &User::from(row)))
}

/// Deletion of the account, confirmed with its password.
#[derive(Debug, ToSchema)]
pub(super) struct Deletion {
    /// The account's password.
    password: TypedPassword,
}

impl FromFields for Deletion {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        Some(Self { password: fields.required("password")? })
    }
}

/// Delete the current user
///
/// Deletes the account and its posts, and ends all its sessions. Requires the account's password. The last active admin
/// stays.
#[utoipa::path(tag = "accounts", params(Caller), responses((status = 204, description = "The account is deleted."), (status = 409, description = "The account is the last active admin's."), (status = 429, description = "Too many attempts.")))]
#[delete("/me")]
pub(super) async fn delete_me(owner: Owner, body: Json<Deletion>) -> Result<HttpResponse, ApiError> {
    let (id, source) = (owner.caller.user_id, owner.source.clone());
    let password = body.0.password;
    let row = owner.find().await?;
    owner.confirm(&row, &password).await?;
    let delete = move |conn: &mut Conn, now| {
        admins::keep_one(conn, id)?;
        // Before the deletion, which clears what the account's events tell of its owner.
        insert_event(conn, &NewEvent::new(EventType::UserDeleted, &source, now).of(id))?;
        store::delete_user(conn, id)
    };
    owner.change(row, &password, None, delete).await?;
    Ok(HttpResponse::NoContent().finish())
}
