//! Accounts that an admin creates.

use actix_web::http::header::LOCATION;
use actix_web::web::Data;
use actix_web::{HttpResponse, post};

use super::Admin;
use super::model::UserCreation;
use crate::accounts::User;
use crate::accounts::model::FullName;
use crate::accounts::store::NewUser;
use crate::audit::Origin;
use crate::db::{StoreError, Timestamp};
use crate::http::Json;
use crate::http::answer::json;
use crate::http::error::ApiError;
use crate::passwords::{NO_PASSWORD, Passwords};
use crate::sessions::Sessions;
use crate::sessions::acts::create_user as create;

/// Create an account
///
/// Also while sign-up is closed. Without a password, pass a reset link on to the owner.
#[utoipa::path(tag = "administration", params(Admin), responses(
    (status = 201, description = "The new account.", body = User, headers(("Location" = String, description = "`/users/{id}`"))),
    (status = 409, description = "An account with this e-mail address already exists."),
))]
#[post("/users")]
pub(super) async fn create_user(
    admin: Admin,
    body: Json<UserCreation>,
    passwords: Data<Passwords>,
    sessions: Data<Sessions>,
    origin: Origin,
) -> Result<HttpResponse, ApiError> {
    let Json(UserCreation { email, password, full_name, is_admin, email_verified }) = body;
    admin.check_again(&sessions)?;
    let password_hash = match password {
        Some(chosen) => passwords.hash(chosen, origin.ip).await.map_err(|fault| fault.in_field("password"))?,
        None => NO_PASSWORD.to_owned(),
    };
    let now = Timestamp::now();
    let user = NewUser {
        email_key: email.key(),
        email: email.as_str().to_owned(),
        password_hash,
        full_name: full_name.map(FullName::into_string),
        is_active: true,
        is_admin: is_admin.unwrap_or(false),
        email_verified: email_verified.unwrap_or(false),
        created_at: now,
        updated_at: now,
    };
    let source = admin.source(origin);
    let created = sessions.write_as_admin(admin.caller(), move |conn| create(conn, &user, &source, now));
    let row = match created.await {
        Err(StoreError::Taken) => {
            return Err(ApiError::Conflict("An account with this e-mail address already exists."));
        }
        created => created??,
    };
    let location = format!("/users/{}", row.id);
    Ok(json(HttpResponse::Created().insert_header((LOCATION, location)), &User::from(row)))
}
