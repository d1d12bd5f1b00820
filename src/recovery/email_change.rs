//! The link that gives an account a new address. It was sent to that address.

use actix_web::{HttpRequest, HttpResponse, get, post};
use utoipa::ToSchema;

use super::mails::{CHANGED_AT, EARLIER_EMAIL};
use super::presenter::{Presenter, refuse};
use crate::accounts::store as accounts;
use crate::audit::{EventType, insert_event};
use crate::db::{Conn, StoreError, Timestamp};
use crate::fields::{Fields, FromFields};
use crate::http::body::posted::Posted;
use crate::http::error::ApiError;
use crate::http::page::link_page::LinkPage;
use crate::mail::{Kind, NewMail};
use crate::one_time_tokens::email_change::{insert_undo, use_change};
use crate::one_time_tokens::{OneTimeToken, Purpose};

const PAGE: LinkPage = LinkPage {
    is_token: |text| OneTimeToken::is_like(Purpose::EmailChange, text),
    ask: [
        [
            "Use this address for your account",
            "Confirm it only if you asked for this change yourself. The earlier address of the account can undo it for 7 days.",
            "Change the address",
        ],
        [
            "Diese Adresse für Ihr Konto verwenden",
            "Bitte nur, wenn Sie die Änderung selbst veranlasst haben. Die bisherige Adresse des Kontos kann sie 7 Tage lang rückgängig machen.",
            "Adresse ändern",
        ],
    ],
    inputs: &[],
    done: [
        ["Your e-mail address is changed", "Log in with the new address from now on."],
        ["Ihre E-Mail-Adresse ist geändert", "Melden Sie sich ab jetzt mit der neuen Adresse an."],
    ],
    taken: Some([
        ["This address has another account", "Your address was not changed. Choose another one for your account."],
        [
            "Zu dieser Adresse gibt es ein anderes Konto",
            "Ihre Adresse wurde nicht geändert. Wählen Sie für Ihr Konto eine andere.",
        ],
    ]),
    remedy: [
        "It has been used, has expired, or your account has changed since. If your address is still the earlier one, ask for the change again.",
        "Er wurde schon benutzt, ist abgelaufen oder Ihr Konto hat sich seither geändert. Wenn Sie noch die bisherige Adresse haben, veranlassen Sie die Änderung bitte noch einmal.",
    ],
};

/// The token of the link.
#[derive(Debug, ToSchema)]
pub(super) struct EmailChangeConfirmation {
    /// The token of the link.
    #[schema(example = "kfe_nZ4Rr0cG7mXv1JtQ2bYw8uKdE5sLhA9oPfTiC6Vj3Wk")]
    token: OneTimeToken,
}

impl FromFields for EmailChangeConfirmation {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        Some(Self { token: fields.required("token")? })
    }
}

/// Page of a change of address
///
/// The page that the link opens in a browser. It does not use the token; its button does.
#[utoipa::path(tag = "accounts", responses((status = 200, description = "The page.", body = String, content_type = "text/html", example = "<!doctype html>")))]
#[get("/email-change/confirm")]
pub(super) async fn open_email_change(req: HttpRequest) -> HttpResponse {
    PAGE.open(&req)
}

/// Confirm a change of address
///
/// Gives the account the address that the link was sent to, which then counts as verified. Sessions go on; older links of
/// the account stop working. The earlier address gets a link that undoes the change for 7 days. (The page of the link posts
/// a form to this path, and gets pages.)
#[utoipa::path(tag = "accounts", request_body = EmailChangeConfirmation, responses(
    (status = 204, description = "The address is changed."),
    (status = 400, description = "The token is not valid, or the body is malformed."),
    (status = 409, description = "Another account has the address by now. The token stays valid."),
    (status = 429, description = "Too many attempts."),
))]
#[post("/email-change/confirm")]
pub(super) async fn confirm_email_change(
    req: HttpRequest,
    presenter: Presenter,
    posted: Posted<EmailChangeConfirmation>,
) -> Result<HttpResponse, ApiError> {
    let act = async |body| change_email(&presenter, body).await;
    PAGE.submit(&req, posted, act, |()| HttpResponse::NoContent().finish()).await
}

async fn change_email(
    presenter: &Presenter,
    EmailChangeConfirmation { token }: EmailChangeConfirmation,
) -> Result<(), ApiError> {
    let (begun, _) = presenter.find(Purpose::EmailChange, &token).await?;
    let now = Timestamp::now();
    let event = presenter.event(EventType::EmailChanged, now);
    let (outbox, language) = (presenter.outbox.clone(), presenter.language);
    let change = move |conn: &mut Conn| {
        let Some((user, new_email)) = use_change(conn, &token, now)? else { return Ok(false) };
        accounts::update_email(conn, user.id, &new_email, now)?;
        insert_undo(conn, &user, now)?;
        let mail = NewMail::new(Kind::EmailChanged, language).of(user.id).with(EARLIER_EMAIL, &user.email);
        outbox.queue(conn, &mail.with(CHANGED_AT, now.millis().to_string()), now)?;
        insert_event(conn, &event.clone().by_owner(user.id)).map(|()| true)
    };
    match presenter.db.write(change).await {
        Err(StoreError::Taken) => Err(ApiError::Conflict("Another account has this e-mail address.")),
        Ok(false) => Err(refuse(begun).await),
        changed => Ok(changed.map(drop)?),
    }
}
