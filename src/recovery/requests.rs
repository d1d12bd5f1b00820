//! Requests for mails with links.

use std::net::IpAddr;

use actix_web::web::Data;
use actix_web::{HttpResponse, post};
use utoipa::ToSchema;

use super::mails::ADDRESS;
use crate::accounts::Email;
use crate::accounts::store as accounts;
use crate::attempts::{Attempt, Attempts};
use crate::audit::Origin;
use crate::db::{Db, Timestamp};
use crate::fields::{Fields, FromFields};
use crate::guard::CurrentUser;
use crate::http::Json;
use crate::http::answer::{Accepted, accepted};
use crate::http::error::ApiError;
use crate::language::Language;
use crate::mail::{Kind, NewMail, Outbox};
use crate::sessions::Sessions;
use crate::tokens::scopes;

/// Who may ask for a mail to the own address.
type Caller = CurrentUser<scopes::Profile>;

/// The address of the account.
#[derive(Debug, ToSchema)]
pub(super) struct ResetRequest {
    /// The e-mail address of the account.
    email: Email,
}

impl FromFields for ResetRequest {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        Some(Self { email: fields.required("email")? })
    }
}

/// Request a password reset
///
/// Sends a mail with a link to the address, if an account has it and is not disabled. The link is good for 30 minutes, once.
/// The answer is the same for every address, and nothing is looked up for it. An address gets at most one such mail a
/// minute; the mail is in the language of `Accept-Language`, English or German.
#[utoipa::path(tag = "accounts", request_body = ResetRequest, responses(
    (status = 202, description = "The request is noted.", body = Accepted),
    (status = 429, description = "Too many attempts."),
))]
#[post("/password-reset")]
pub(super) async fn request_password_reset(
    origin: Origin,
    language: Language,
    body: Json<ResetRequest>,
    attempts: Data<Attempts>,
    db: Data<Db>,
    outbox: Data<Outbox>,
) -> Result<HttpResponse, ApiError> {
    let Json(ResetRequest { email }) = body;
    count(&attempts, &email.key(), origin.ip).await?;
    let now = Timestamp::now();
    let mail = NewMail::new(Kind::PasswordReset, language).with(ADDRESS, email.as_str());
    db.write(move |conn| outbox.queue(conn, &mail, now)).await?;
    Ok(accepted("If an account has this address, a mail with a link is on its way to it."))
}

/// Request a mail to confirm the e-mail address
///
/// Sends a mail with a link to the address of the account, unless it is verified. An address gets at most one such mail a
/// minute; the mail is in the language of `Accept-Language`, English or German.
#[utoipa::path(tag = "accounts", params(Caller), responses(
    (status = 202, description = "The request is noted.", body = Accepted),
    (status = 429, description = "Too many attempts."),
))]
#[post("/email-verification")]
pub(super) async fn request_email_verification(
    user: Caller,
    origin: Origin,
    language: Language,
    attempts: Data<Attempts>,
    sessions: Data<Sessions>,
    db: Data<Db>,
    outbox: Data<Outbox>,
) -> Result<HttpResponse, ApiError> {
    let id = user.id();
    let email = db.read(move |conn| accounts::find_user(conn, id)).await?.map(|user| user.email).unwrap_or_default();
    count(&attempts, &Email::key_of(&email), origin.ip).await?;
    let now = Timestamp::now();
    let mail = NewMail::new(Kind::EmailVerification, language).of(id);
    let queued =
        sessions.write_as(
            user.caller(),
            move |conn, user| {
                if user.email_verified { Ok(()) } else { outbox.queue(conn, &mail, now) }
            },
        );
    queued.await??;
    Ok(accepted("If the address is not verified yet, a mail with a link is on its way to it."))
}

/// Counts a request, for the address and for the network that it came from.
async fn count(attempts: &Attempts, key: &str, ip: IpAddr) -> Result<(), ApiError> {
    let begun = attempts.begin(&Attempt::to_be_mailed(key, ip), Timestamp::now()).await?;
    begun.made(Timestamp::now()).await;
    Ok(())
}
