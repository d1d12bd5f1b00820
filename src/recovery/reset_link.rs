//! A link for an account whose owner cannot get one by mail.

use actix_web::web::Data;
use actix_web::{HttpResponse, post};
use secrecy::ExposeSecret;
use serde::Serialize;
use utoipa::ToSchema;

use crate::accounts::store as accounts;
use crate::audit::{EventType, NewEvent, Origin, insert_event};
use crate::db::Timestamp;
use crate::guard::CurrentUser;
use crate::http::PathId;
use crate::http::answer::json;
use crate::http::error::ApiError;
use crate::one_time_tokens::links::Links;
use crate::one_time_tokens::{Issued, Purpose, RESET_TTL_SECONDS, issue};
use crate::sessions::Sessions;
use crate::tokens::scopes;

/// Who may make such links.
type Admin = CurrentUser<scopes::Admin>;

/// A link that resets a password.
#[derive(Serialize, ToSchema)]
pub(super) struct ResetLink {
    /// The link. Anyone who has it can set a new password.
    #[schema(
        example = "https://id.example.com/password-reset/confirm?token=kfp_nZ4Rr0cG7mXv1JtQ2bYw8uKdE5sLhA9oPfTiC6Vj3Wk"
    )]
    url: String,
    /// When the link stops working, UTC.
    expires_at: Timestamp,
}

/// What became of the request.
enum Outcome {
    Made(Issued),
    NoAccount,
    Disabled,
}

/// Create a password reset link
///
/// For support without mail: pass the link on only to somebody you know to be the owner. It works once, for 30 minutes, and
/// changes nothing until it is used.
#[utoipa::path(tag = "administration", params(Admin, PathId), responses(
    (status = 201, description = "The link. It is not shown again.", body = ResetLink),
    (status = 409, description = "The account is disabled."),
))]
#[post("/users/{id}/reset-link")]
pub(super) async fn create_reset_link(
    user: Admin,
    PathId(id): PathId,
    sessions: Data<Sessions>,
    links: Data<Links>,
    origin: Origin,
) -> Result<HttpResponse, ApiError> {
    let now = Timestamp::now();
    let event = NewEvent::new(EventType::ResetLinkMade, &user.source(origin), now).of(id);
    let made = sessions.write_as_admin(user.caller(), move |conn| {
        Ok(match issue(conn, Purpose::PasswordReset, id, RESET_TTL_SECONDS, now)? {
            Some(issued) => {
                insert_event(conn, &event)?;
                Outcome::Made(issued)
            }
            None if accounts::find_user(conn, id)?.is_some() => Outcome::Disabled,
            None => Outcome::NoAccount,
        })
    });
    match made.await?? {
        Outcome::Made(Issued { token, expires_at, .. }) => {
            let url = links.url(Purpose::PasswordReset, &token).expose_secret().to_owned();
            Ok(json(&mut HttpResponse::Created(), &ResetLink { url, expires_at }))
        }
        Outcome::Disabled => Err(ApiError::Conflict("This account is disabled: enable it first.")),
        Outcome::NoAccount => Err(ApiError::NotFound),
    }
}
