//! The link that confirms an e-mail address.

use actix_web::{HttpRequest, HttpResponse, get, post};
use utoipa::ToSchema;

use super::presenter::{Presenter, refuse};
use crate::accounts::store as accounts;
use crate::audit::{EventType, insert_event};
use crate::db::{Conn, Timestamp};
use crate::fields::{Fields, FromFields};
use crate::http::body::posted::Posted;
use crate::http::error::ApiError;
use crate::http::page::link_page::LinkPage;
use crate::one_time_tokens::{OneTimeToken, Purpose, use_for_account};

const PAGE: LinkPage = LinkPage {
    is_token: |text| OneTimeToken::is_like(Purpose::EmailVerification, text),
    ask: [
        [
            "Confirm your e-mail address",
            "Confirm it only if the account is yours. If you did not sign up, close this page.",
            "Confirm",
        ],
        [
            "Bestätigen Sie Ihre E-Mail-Adresse",
            "Bitte nur, wenn das Konto Ihnen gehört. Wenn Sie keines angelegt haben, schließen Sie diese Seite.",
            "Bestätigen",
        ],
    ],
    inputs: &[],
    done: [
        ["Your e-mail address is confirmed", "You can close this page."],
        ["Ihre E-Mail-Adresse ist bestätigt", "Sie können diese Seite schließen."],
    ],
    taken: None,
    remedy: [
        "If you have confirmed your address before, there is nothing left to do. Otherwise ask for a new link.",
        "Wenn Sie die Adresse schon bestätigt haben, ist alles erledigt. Sonst fordern Sie bitte einen neuen Link an.",
    ],
};

/// The token of the link.
#[derive(Debug, ToSchema)]
pub(super) struct EmailVerification {
    /// The token of the link.
    token: OneTimeToken,
}

impl FromFields for EmailVerification {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        Some(Self { token: fields.required("token")? })
    }
}

/// Page of an e-mail confirmation
///
/// The page that the link opens in a browser. It does not use the token; its button does.
#[utoipa::path(tag = "accounts", responses((status = 200, description = "The page.", body = String, content_type = "text/html", example = "<!doctype html>")))]
#[get("/email-verification/confirm")]
pub(super) async fn open_email_verification(req: HttpRequest) -> HttpResponse {
    PAGE.open(&req)
}

/// Confirm the e-mail address
///
/// Marks the address as verified, with the token of a link that was sent there. (The page of the link posts a form to
/// this path, and gets pages.)
#[utoipa::path(tag = "accounts", request_body = EmailVerification, responses(
    (status = 204, description = "The address is verified."),
    (status = 400, description = "The token is not valid, or the body is malformed."),
    (status = 429, description = "Too many attempts."),
))]
#[post("/email-verification/confirm")]
pub(super) async fn confirm_email_verification(
    req: HttpRequest,
    presenter: Presenter,
    posted: Posted<EmailVerification>,
) -> Result<HttpResponse, ApiError> {
    let act = async |body| verify_email(&presenter, body).await;
    PAGE.submit(&req, posted, act, |()| HttpResponse::NoContent().finish()).await
}

async fn verify_email(presenter: &Presenter, EmailVerification { token }: EmailVerification) -> Result<(), ApiError> {
    let (begun, _) = presenter.find(Purpose::EmailVerification, &token).await?;
    let now = Timestamp::now();
    let event = presenter.event(EventType::EmailVerified, now);
    let verify = move |conn: &mut Conn| {
        let Some(user) = use_for_account(conn, Purpose::EmailVerification, &token, now)? else { return Ok(false) };
        accounts::update_email_verified(conn, user.id, now)?;
        insert_event(conn, &event.clone().by_owner(user.id)).map(|()| true)
    };
    if presenter.db.write(verify).await? { Ok(()) } else { Err(refuse(begun).await) }
}
