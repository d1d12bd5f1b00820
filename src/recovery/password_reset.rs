//! The link that resets a password.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, get, post};
use utoipa::ToSchema;

use super::presenter::{Presenter, refuse};
use crate::accounts::store as accounts;
use crate::audit::{EventType, insert_event};
use crate::db::{Conn, Timestamp};
use crate::fields::{Fields, FromFields};
use crate::http::body::posted::Posted;
use crate::http::error::ApiError;
use crate::http::page::link_page::{Input, LinkPage};
use crate::mail::{Kind, NewMail};
use crate::one_time_tokens::{OneTimeToken, Purpose, use_for_account};
use crate::passwords::{ChosenPassword, NewPassword, Passwords};
use crate::sessions::Sessions;

const PAGE: LinkPage = LinkPage {
    is_token: |text| OneTimeToken::is_like(Purpose::PasswordReset, text),
    ask: [
        [
            "Choose a new password",
            "You will be logged out everywhere, and can log in with the new password.",
            "Save the new password",
        ],
        [
            "Wählen Sie ein neues Passwort",
            "Sie werden überall abgemeldet und können sich mit dem neuen Passwort anmelden.",
            "Neues Passwort speichern",
        ],
    ],
    inputs: &[Input {
        name: "new_password",
        kind: "password",
        autocomplete: "new-password",
        is_required: true,
        texts: [
            ["New password", "At least 8 characters. A few random words make a good one."],
            ["Neues Passwort", "Mindestens 8 Zeichen. Gut sind ein paar zufällige Wörter."],
        ],
    }],
    done: [
        ["Your new password is saved", "You have been logged out everywhere. Log in with the new password."],
        [
            "Ihr neues Passwort ist gespeichert",
            "Sie sind überall abgemeldet. Melden Sie sich mit dem neuen Passwort an.",
        ],
    ],
    taken: None,
    remedy: [
        "It has been used, has expired, or there is a newer one. Ask for a new link.",
        "Er wurde schon benutzt, ist abgelaufen oder es gibt einen neueren. Bitte fordern Sie einen neuen Link an.",
    ],
};

/// A new password, with the token of the link.
#[derive(Debug, ToSchema)]
pub(super) struct PasswordReset {
    /// The token of the link.
    token: OneTimeToken,
    /// 8 to 72 bytes in UTF-8. What is easy to guess, or contains the name or the e-mail address, is refused.
    new_password: NewPassword,
}

impl FromFields for PasswordReset {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let (token, new_password) = (fields.required("token"), fields.required("new_password"));
        Some(Self { token: token?, new_password: new_password? })
    }
}

/// Page of a password reset
///
/// The page that the link opens in a browser. It does not use the token; its button does.
#[utoipa::path(tag = "accounts", responses((status = 200, description = "The page.", body = String, content_type = "text/html", example = "<!doctype html>")))]
#[get("/password-reset/confirm")]
pub(super) async fn open_password_reset(req: HttpRequest) -> HttpResponse {
    PAGE.open(&req)
}

/// Reset the password
///
/// Sets a new password with the token of a link, and ends all sessions. The e-mail address then counts as verified. A
/// refused password does not use the token. (The page of the link posts a form to this path, and gets pages.)
#[utoipa::path(tag = "accounts", request_body = PasswordReset, responses(
    (status = 204, description = "The password is changed."),
    (status = 400, description = "The token is not valid, or the body is malformed."),
    (status = 429, description = "Too many attempts."),
))]
#[post("/password-reset/confirm")]
pub(super) async fn confirm_password_reset(
    req: HttpRequest,
    presenter: Presenter,
    posted: Posted<PasswordReset>,
    passwords: Data<Passwords>,
    sessions: Data<Sessions>,
) -> Result<HttpResponse, ApiError> {
    let act = async |body| reset_password(&presenter, body, &passwords, &sessions).await;
    PAGE.submit(&req, posted, act, |()| HttpResponse::NoContent().finish()).await
}

async fn reset_password(
    presenter: &Presenter,
    PasswordReset { token, new_password }: PasswordReset,
    passwords: &Passwords,
    sessions: &Sessions,
) -> Result<(), ApiError> {
    let (begun, user) = presenter.find(Purpose::PasswordReset, &token).await?;
    let chosen = ChosenPassword::of(&user.email, user.full_name.as_deref(), new_password);
    let chosen = chosen.map_err(|rejection| ApiError::refused("new_password", rejection))?;
    let hashed = passwords.hash(chosen, presenter.origin.ip).await;
    let hash = hashed.map_err(|fault| fault.in_field("new_password"))?;
    let now = Timestamp::now();
    let event = presenter.event(EventType::PasswordReset, now);
    let notice = NewMail::new(Kind::PasswordResetDone, presenter.language);
    let outbox = presenter.outbox.clone();
    let change = move |conn: &mut Conn| {
        let Some(user) = use_for_account(conn, Purpose::PasswordReset, &token, now)? else { return Ok(None) };
        accounts::update_password(conn, user.id, &hash, now)?;
        // The link came by mail to this address, or from somebody who vouches for its owner.
        accounts::update_email_verified(conn, user.id, now)?;
        insert_event(conn, &event.clone().by_owner(user.id))?;
        outbox.queue(conn, &notice.clone().of(user.id), now)?;
        Ok(Some(user.id))
    };
    if sessions.end_all_with(change, now).await? { Ok(()) } else { Err(refuse(begun).await) }
}
