//! Sign-up: the new account, and how it is read from a request.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::header::LOCATION;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest, HttpResponse, post};
use utoipa::ToSchema;

use super::registry::{NewAccount, Registry, SIGN_UP_CLOSED, SignedUp};
use crate::accounts::model::{Email, FullName, User};
use crate::accounts::store::UserRow;
use crate::config::{AccountSettings, SignUpMode};
use crate::fields::{Fields, FromFields};
use crate::http::Json;
use crate::http::answer::{Accepted, accepted, json};
use crate::http::body::refuse_announced_size;
use crate::http::error::ApiError;
use crate::one_time_tokens::OneTimeToken;
use crate::passwords::{ChosenPassword, NewPassword};

/// A new account.
#[derive(Debug, ToSchema)]
#[schema(example = json!({
    "email": "ada@example.com", "password": "correct horse battery staple", "full_name": "Ada Lovelace",
}))]
pub(super) struct SignUp {
    /// The e-mail address to log in with; neither its case nor its Unicode form matters.
    email: Email,
    /// 8 to 72 bytes in UTF-8. What is easy to guess, or contains the name or the e-mail address, is refused.
    password: NewPassword,
    /// The display name.
    full_name: Option<FullName>,
    /// The token of an invitation for this address, which then counts as verified. Required if only invited people may
    /// sign up.
    #[schema(example = "kfi_nZ4Rr0cG7mXv1JtQ2bYw8uKdE5sLhA9oPfTiC6Vj3Wk")]
    invitation: Option<OneTimeToken>,
}

impl FromFields for SignUp {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let email: Option<Email> = fields.required("email");
        let password: Option<NewPassword> = fields.required("password");
        let full_name: Option<Option<FullName>> = fields.optional("full_name");
        let invitation = fields.optional("invitation");
        let (email, password) = (email?, password?);
        // Here already, to report it with the faults of other fields.
        let name = full_name.iter().flatten().next().map(FullName::as_str);
        if let Err(rejection) = ChosenPassword::of(email.as_str(), name, password.clone()) {
            return fields.refuse("password", rejection);
        }
        Some(Self { email, password, full_name: full_name?, invitation: invitation? })
    }
}

/// Refuses every sign-up if sign-up is closed, whatever the body holds.
pub(super) struct NotClosed;

impl FromRequest for NotClosed {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let settings = req.app_data::<Data<AccountSettings>>();
        let is_closed = settings.is_some_and(|settings| settings.signup == SignUpMode::Closed);
        let refused = if is_closed { Err(ApiError::Forbidden(SIGN_UP_CLOSED)) } else { Ok(Self) };
        ready(refuse_announced_size(req).and(refused))
    }
}

/// Sign up
///
/// Creates an account. Log in to it at `/login`. Unless there is an invitation, a mail with a link to confirm the address
/// goes out. If the operator has set `accounts.neutral_signup` or `accounts.require_verified_email`, the account is created
/// only by the link in the mail; with the former, the response is the same for every address.
#[utoipa::path(tag = "accounts", responses(
    (status = 201, description = "The new account.", body = User, headers(("Location" = String, description = "`/profile/{id}`"))),
    (status = 202, description = "The sign-up waits until its address is proven (depends on the settings).", body = Accepted),
    (status = 403, description = "Sign-up is closed, or needs an invitation for this address."),
    (status = 409, description = "An account with this e-mail address already exists."),
    (status = 429, description = "Too many attempts."),
))]
#[post("/signup")]
pub(super) async fn sign_up(_: NotClosed, registry: Registry, body: Json<SignUp>) -> Result<HttpResponse, ApiError> {
    let Json(SignUp { email, password, full_name, invitation }) = body;
    let row = registry.create(NewAccount { email: Some(email), password, full_name, invitation }).await;
    match row {
        // Without a good invitation the caller may not sign up at all.
        Err(ApiError::BadOneTimeToken) if registry.mode() == SignUpMode::Invited => {
            Err(ApiError::Forbidden("Sign-up needs a valid invitation for this address."))
        }
        Ok(SignedUp::Waiting) => Ok(accepted("A mail with the next step is on its way to this address.")),
        Ok(SignedUp::Account(row)) => Ok(created(row)),
        Err(error) => Err(error),
    }
}

/// The response with a new account.
pub(super) fn created(row: UserRow) -> HttpResponse {
    let location = format!("/profile/{}", row.id);
    json(HttpResponse::Created().insert_header((LOCATION, location)), &User::from(row))
}
