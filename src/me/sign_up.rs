//! Sign-up: the new account, and how it is read from a request.

use actix_web::http::header::LOCATION;
use actix_web::web::Data;
use actix_web::{HttpResponse, post};
use utoipa::ToSchema;

use crate::accounts::model::{Email, FullName, User, password_is_email};
use crate::accounts::store::{self, NewUser};
use crate::attempts::{Attempt, Attempts};
use crate::audit::{EventType, NewEvent, Origin, Source, insert_event};
use crate::db::{Db, StoreError, Timestamp};
use crate::fields::{Fields, FromFields};
use crate::http::Json;
use crate::http::answer::json;
use crate::http::error::ApiError;
use crate::passwords::{NewPassword, Passwords};

/// A new account.
#[derive(Debug, ToSchema)]
pub(super) struct SignUp {
    /// The e-mail address to log in with; neither its case nor its Unicode form matters.
    email: Email,
    /// 8 to 72 bytes in UTF-8. Common passwords and the e-mail address are refused.
    password: NewPassword,
    /// The display name.
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

/// Sign up
///
/// Creates an account. Log in to it at `/login`.
#[utoipa::path(tag = "accounts", responses(
    (status = 201, description = "The new account.", body = User, headers(("Location" = String, description = "`/profile/{id}`"))),
    (status = 409, description = "An account with this e-mail address already exists."),
    (status = 429, description = "Too many attempts."),
))]
#[post("/signup")]
pub(super) async fn sign_up(
    body: Json<SignUp>,
    db: Data<Db>,
    passwords: Data<Passwords>,
    attempts: Data<Attempts>,
    origin: Origin,
) -> Result<HttpResponse, ApiError> {
    let begun = attempts.begin(&Attempt::to_sign_up(origin.ip), Timestamp::now()).await?;
    let Json(SignUp { email, password, full_name }) = body;
    let password_hash = passwords.hash(password, origin.ip).await?;
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
    let event = NewEvent::new(EventType::SignedUp, &Source::request(origin, None), now);
    let inserted = db.write(move |conn| {
        let row = store::insert_user(conn, &user)?;
        insert_event(conn, &event.clone().by_owner(row.id))?;
        Ok(row)
    });
    match inserted.await {
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
