//! The caller's e-mail address.

use actix_web::web::Data;
use actix_web::{HttpResponse, post};
use utoipa::ToSchema;

use super::Caller;
use super::mails::{NEW_EMAIL, PRESENT_EMAIL};
use super::owner::{Owner, TypedPassword};
use crate::accounts::Email;
use crate::accounts::store::UserRow;
use crate::config::AccountSettings;
use crate::db::{Conn, Timestamp};
use crate::fields::{Fields, FromFields, Rejection};
use crate::http::Json;
use crate::http::answer::{Accepted, accepted};
use crate::http::error::ApiError;
use crate::http::failure::Failure;
use crate::mail::{Kind, NewMail};
use crate::one_time_tokens::email_change::{TooManyChanges, insert_change};

/// A new address, confirmed with the password.
#[derive(Debug, ToSchema)]
#[schema(example = json!({ "new_email": "countess@example.com", "current_password": "correct horse battery staple" }))]
pub(super) struct EmailChange {
    /// The address that the account is to have.
    new_email: Email,
    /// The current password.
    current_password: TypedPassword,
}

impl FromFields for EmailChange {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let (new_email, current_password) =
            (fields.required::<Email>("new_email"), fields.required::<TypedPassword>("current_password"));
        let (new_email, current_password) = (new_email?, current_password?);
        if current_password.is(&new_email) {
            return fields.refuse("new_email", Rejection::new("value_error", "The address should not be the password"));
        }
        Some(Self { new_email, current_password })
    }
}

/// Change the e-mail address
///
/// Sends a link to the new address, and a notice to the present one. Nothing changes until the link is used. A second
/// request replaces the first. The response is the same if another account has the address.
#[utoipa::path(tag = "accounts", params(Caller), responses(
    (status = 202, description = "A mail is on its way, unless another account has the address.", body = Accepted),
    (status = 429, description = "Too many attempts, or too many changes: 5 in 7 days."),
))]
#[post("/me/email")]
pub(super) async fn change_email(
    owner: Owner,
    body: Json<EmailChange>,
    settings: Data<AccountSettings>,
) -> Result<HttpResponse, ApiError> {
    let row = owner.find().await?;
    let Json(EmailChange { new_email, current_password }) = body;
    owner.confirm(&row, &current_password).await?;
    let (ttl_seconds, now) = (settings.verification_ttl_seconds, Timestamp::now());
    let (outbox, language) = (owner.outbox.clone(), owner.language);
    let ask = move |conn: &mut Conn, user: UserRow| {
        let outcome = insert_change(conn, &user, &new_email, ttl_seconds, now)?;
        if outcome.is_ok() {
            let mail = |kind, name, address: &str| NewMail::new(kind, language).of(user.id).with(name, address);
            outbox.queue(conn, &mail(Kind::EmailChange, NEW_EMAIL, new_email.as_str()), now)?;
            outbox.queue(conn, &mail(Kind::EmailChangeAsked, PRESENT_EMAIL, &user.email), now)?;
        }
        Ok(outcome)
    };
    match owner.write(row, &current_password, ask).await? {
        Ok(()) => Ok(accepted("If no other account has the new address, a mail with a link is on its way to it.")),
        Err(TooManyChanges { until }) => {
            let retry_after_seconds =
                u64::try_from(until.millis() - now.millis()).unwrap_or_default().div_ceil(1000).max(1);
            Err(Failure::TooManyAttempts { retry_after_seconds }.into())
        }
    }
}
