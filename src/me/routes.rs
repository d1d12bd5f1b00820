//! Sign-up, profiles and the caller's own account.

use actix_web::http::header::LOCATION;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, delete, get, patch, post};
use secrecy::SecretString;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::owner::{Owner, find_active};
use crate::accounts::model::{Email, FullName, User, password_is_email};
use crate::accounts::store::{self, NewUser, UserRow};
use crate::attempts::{Attempt, Attempts};
use crate::db::{Conn, Db, StoreError, Timestamp};
use crate::fields::{Change, Field, Fields, FromFields, Rejection, text};
use crate::guard::{AuthError, CurrentUser, bearer};
use crate::http::answer::json;
use crate::http::error::ApiError;
use crate::http::origin::client_address;
use crate::http::problem::Problem;
use crate::http::{Json, PathId};
use crate::passwords::{NewPassword, Passwords};
use crate::sessions::Sessions;
use crate::tokens::scopes;

/// A new account.
#[derive(Debug, ToSchema)]
pub(crate) struct SignUp {
    /// The e-mail address to log in with; neither its case nor its Unicode form matters.
    #[schema(value_type = String, format = "email", max_length = 254, example = "ada@example.com")]
    email: Email,
    /// 8 to 72 bytes in UTF-8. Common passwords and the e-mail address are refused.
    #[schema(value_type = String, format = Password, max_length = 72, example = "correct horse battery staple")]
    password: NewPassword,
    /// The display name.
    #[schema(value_type = Option<String>, max_length = 200, example = "Ada Lovelace")]
    full_name: Option<FullName>,
}

impl FromFields for SignUp {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let email: Option<Email> = fields.required("email");
        let password: Option<NewPassword> = fields.required("password");
        let full_name = fields.optional("full_name");
        let (email, password) = (email?, password?);
        if email.is_password(&password) {
            return fields.refuse("password", password_is_email());
        }
        Some(Self { email, password, full_name: full_name? })
    }
}

/// Changes to the current user's account. Absent fields keep their value.
#[derive(Debug, ToSchema)]
pub(crate) struct AccountChange {
    /// The new name; `null` clears it.
    #[schema(value_type = Option<String>, max_length = 200, example = "Countess of Lovelace")]
    full_name: Change<FullName>,
}

impl FromFields for AccountChange {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        Some(Self { full_name: fields.change("full_name")? })
    }
}

/// A password as typed, for comparison.
#[derive(Debug)]
struct TypedPassword(SecretString);

impl Field for TypedPassword {
    fn parse_field(value: &Value) -> Result<Self, Rejection> {
        text(value).map(|text| Self(text.into()))
    }
}

/// Deletion of the account, confirmed with its password.
#[derive(Debug, ToSchema)]
pub(crate) struct Deletion {
    /// The account's password.
    #[schema(value_type = String, format = Password, example = "correct horse battery staple")]
    password: TypedPassword,
}

impl FromFields for Deletion {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        Some(Self { password: fields.required("password")? })
    }
}

/// A new password, confirmed with the current one.
#[derive(Debug, ToSchema)]
pub(crate) struct PasswordChange {
    /// The current password.
    #[schema(value_type = String, format = Password, example = "correct horse battery staple")]
    current_password: TypedPassword,
    /// 8 to 72 bytes in UTF-8. Common passwords and the e-mail address are refused.
    #[schema(value_type = String, format = Password, max_length = 72, example = "even longer horse battery staple")]
    new_password: NewPassword,
}

impl FromFields for PasswordChange {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let (current_password, new_password) = (fields.required("current_password"), fields.required("new_password"));
        Some(Self { current_password: current_password?, new_password: new_password? })
    }
}

pub(crate) fn configure(cfg: &mut ServiceConfig<'_>) {
    cfg.service(sign_up)
        .service(read_profile)
        .service(read_me)
        .service(update_me)
        .service(delete_me)
        .service(change_password);
}

/// Sign up
///
/// Creates an account. Log in to it at `/login`.
#[utoipa::path(
    tag = "accounts",
    request_body = SignUp,
    responses(
        (status = 201, description = "The new account.", body = User, headers(("Location" = String, description = "`/profile/{id}`"))),
        (status = 409, description = "An account with this e-mail address already exists.", body = Problem, content_type = "application/problem+json"),
    )
)]
#[post("/signup")]
pub(crate) async fn sign_up(
    req: HttpRequest,
    body: Json<SignUp>,
    db: Data<Db>,
    passwords: Data<Passwords>,
    attempts: Data<Attempts>,
) -> Result<HttpResponse, ApiError> {
    let address = client_address(&req);
    let begun = attempts.begin(&Attempt::to_sign_up(address), Timestamp::now()).await?;
    let Json(SignUp { email, password, full_name }) = body;
    let password_hash = passwords.hash(password, address).await?;
    let now = Timestamp::now();
    let user = NewUser {
        email_key: email.key(),
        email: email.as_str().to_owned(),
        password_hash,
        full_name: full_name.map(FullName::into_string),
        is_active: true,
        is_admin: false,
        email_verified: false,
        created_at: now,
        updated_at: now,
    };
    match db.write(move |conn| store::insert_user(conn, &user)).await {
        // This reveals that the account exists, so it counts against the limit.
        Err(StoreError::Taken) => {
            begun.failed(now).await;
            Err(ApiError::Conflict("An account with this e-mail address already exists."))
        }
        result => {
            let row = result?;
            begun.signed_up(now).await;
            let location = format!("/profile/{}", row.id);
            Ok(json(HttpResponse::Created().insert_header((LOCATION, location)), &User::from(row)))
        }
    }
}

/// Get a profile
///
/// Your own profile; admins can read every profile. Any other id gives 403, whether or not the account exists.
#[utoipa::path(
    tag = "accounts",
    params(("id" = i64, Path, description = "The account's id.", minimum = 1, maximum = 9_007_199_254_740_991_i64, example = 1)),
    security(("OAuth2PasswordBearer" = ["profile"])),
    responses(
        (status = 200, description = "The account.", body = User),
        (status = 404, description = "There is no such account (admins only).", body = Problem, content_type = "application/problem+json"),
    )
)]
#[get("/profile/{id}", wrap = "bearer()")]
pub(crate) async fn read_profile(
    user: CurrentUser<scopes::Profile>,
    PathId(id): PathId,
    db: Data<Db>,
) -> Result<HttpResponse, ApiError> {
    if id != user.id() && !user.is_admin() {
        return Err(ApiError::Forbidden("This is not your profile."));
    }
    let row = db.read(move |conn| store::find_user(conn, id)).await?;
    match row {
        Some(row) if id != user.id() || row.is_active => Ok(json(&mut HttpResponse::Ok(), &User::from(row))),
        _ if id == user.id() => Err(AuthError::AccountGone.into()),
        _ => Err(ApiError::NotFound),
    }
}

/// Get the current user
///
/// The account that the access token was issued to.
#[utoipa::path(
    tag = "accounts",
    security(("OAuth2PasswordBearer" = ["profile"])),
    responses((status = 200, description = "The account.", body = User))
)]
#[get("/me")]
pub(crate) async fn read_me(user: CurrentUser<scopes::Profile>, db: Data<Db>) -> Result<HttpResponse, ApiError> {
    let row = find_active(&db, user.id()).await?;
    Ok(json(&mut HttpResponse::Ok(), &User::from(row)))
}

/// Update the current user
///
/// Absent fields keep their value.
#[utoipa::path(
    tag = "accounts",
    request_body = AccountChange,
    security(("OAuth2PasswordBearer" = ["profile"])),
    responses((status = 200, description = "The updated account.", body = User))
)]
#[patch("/me")]
pub(crate) async fn update_me(
    user: CurrentUser<scopes::Profile>,
    body: Json<AccountChange>,
    db: Data<Db>,
    sessions: Data<Sessions>,
) -> Result<HttpResponse, ApiError> {
    let row = match body.0.full_name {
        Change::Keep => find_active(&db, user.id()).await?,
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

/// Delete the current user
///
/// Deletes the account and its posts, and ends all its sessions. Requires the account's password.
#[utoipa::path(
    tag = "accounts",
    request_body = Deletion,
    security(("OAuth2PasswordBearer" = ["profile"])),
    responses((status = 204, description = "The account is deleted."))
)]
#[delete("/me")]
pub(crate) async fn delete_me(
    req: HttpRequest,
    user: CurrentUser<scopes::Profile>,
    body: Json<Deletion>,
    db: Data<Db>,
    passwords: Data<Passwords>,
    attempts: Data<Attempts>,
    sessions: Data<Sessions>,
) -> Result<HttpResponse, ApiError> {
    let id = user.id();
    let (caller, address) = (user.caller(), client_address(&req));
    let owner = Owner { caller, address, db: &db, passwords: &passwords, attempts: &attempts, sessions: &sessions };
    let password = body.0.password.0;
    let row = owner.find().await?;
    owner.confirm(&row, &password).await?;
    owner.change(row, &password, None, move |conn, _| store::delete_user(conn, id)).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Change the password
///
/// Ends all other sessions.
#[utoipa::path(
    tag = "accounts",
    request_body = PasswordChange,
    security(("OAuth2PasswordBearer" = ["profile"])),
    responses((status = 204, description = "The password is changed."))
)]
#[post("/me/password")]
pub(crate) async fn change_password(
    req: HttpRequest,
    user: CurrentUser<scopes::Profile>,
    body: Json<PasswordChange>,
    db: Data<Db>,
    passwords: Data<Passwords>,
    attempts: Data<Attempts>,
    sessions: Data<Sessions>,
) -> Result<HttpResponse, ApiError> {
    let (caller, address) = (user.caller(), client_address(&req));
    let owner = Owner { caller, address, db: &db, passwords: &passwords, attempts: &attempts, sessions: &sessions };
    let row = owner.find().await?;
    let Json(PasswordChange { current_password, new_password }) = body;
    if Email::parse(&row.email).is_ok_and(|email| email.is_password(&new_password)) {
        let Rejection { kind, message } = password_is_email();
        return Err(ApiError::invalid("body", "new_password", kind, &message));
    }
    owner.confirm(&row, &current_password.0).await?;
    let hash = passwords.hash(new_password, owner.address).await?;
    let id = user.id();
    let change = move |conn: &mut Conn, now| store::update_password(conn, id, &hash, now);
    owner.change(row, &current_password.0, Some(user.session_id()), change).await?;
    Ok(HttpResponse::NoContent().finish())
}
