//! The link that gives an account its earlier address back. It was sent to that address when the address was changed.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, get, post};
use utoipa::ToSchema;

use super::mails::ADDRESS;
use super::presenter::{Presenter, refuse};
use crate::accounts::store as accounts;
use crate::audit::{EventType, insert_event};
use crate::db::{Conn, StoreError, Timestamp};
use crate::fields::{Fields, FromFields};
use crate::http::body::posted::Posted;
use crate::http::error::ApiError;
use crate::http::page::link_page::LinkPage;
use crate::mail::{Kind, NewMail};
use crate::one_time_tokens::email_change::use_undo;
use crate::one_time_tokens::{OneTimeToken, Purpose};
use crate::passwords::NO_PASSWORD;
use crate::sessions::Sessions;

const PAGE: LinkPage = LinkPage {
    is_token: |text| OneTimeToken::is_like(Purpose::EmailChangeUndo, text),
    ask: [
        [
            "Undo the change of your e-mail address",
            "If you did not make the change: your account gets this address back, everyone is logged out, and the password \
             stops working. You then choose a new one.",
            "Undo the change",
        ],
        [
            "Die Änderung Ihrer E-Mail-Adresse rückgängig machen",
            "Wenn die Änderung nicht von Ihnen war: Ihr Konto bekommt diese Adresse zurück, alle werden abgemeldet, und das \
             Passwort gilt nicht mehr. Danach wählen Sie ein neues.",
            "Rückgängig machen",
        ],
    ],
    inputs: &[],
    done: [
        [
            "Your account has its earlier address again",
            "Everyone is logged out, and the password no longer works. We have sent you a link to choose a new one.",
        ],
        [
            "Ihr Konto hat wieder die bisherige Adresse",
            "Alle sind abgemeldet, und das Passwort gilt nicht mehr. Wir haben Ihnen einen Link geschickt, mit dem Sie ein neues wählen.",
        ],
    ],
    taken: Some([
        [
            "This address has another account by now",
            "Nothing was changed. Reset the password of that account with this address, delete the account, and open this link once more.",
        ],
        [
            "Zu dieser Adresse gibt es inzwischen ein anderes Konto",
            "Es wurde nichts geändert. Setzen Sie das Passwort jenes Kontos mit dieser Adresse zurück, löschen Sie das Konto und öffnen Sie diesen Link noch einmal.",
        ],
    ]),
    remedy: [
        "It has been used, or is older than 7 days. If you cannot log in any more, ask the people who run this service.",
        "Er wurde schon benutzt oder ist älter als 7 Tage. Wenn Sie sich nicht mehr anmelden können, wenden Sie sich an die Betreiber dieses Dienstes.",
    ],
};

/// The token of the link.
#[derive(Debug, ToSchema)]
pub(super) struct EmailChangeUndo {
    /// The token of the link.
    #[schema(example = "kfu_nZ4Rr0cG7mXv1JtQ2bYw8uKdE5sLhA9oPfTiC6Vj3Wk")]
    token: OneTimeToken,
}

impl FromFields for EmailChangeUndo {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        Some(Self { token: fields.required("token")? })
    }
}

/// Page to undo a change of address
///
/// The page that the link opens in a browser. It does not use the token; its button does.
#[utoipa::path(tag = "accounts", responses((status = 200, description = "The page.", body = String, content_type = "text/html", example = "<!doctype html>")))]
#[get("/email-change/undo")]
pub(super) async fn open_email_undo(req: HttpRequest) -> HttpResponse {
    PAGE.open(&req)
}

/// Undo a change of address
///
/// Gives the account its earlier address back, ends all sessions, and makes the password unusable until it is reset: a link
/// for that goes to the address. (The page of the link posts a form to this path, and gets pages.)
#[utoipa::path(tag = "accounts", request_body = EmailChangeUndo, responses(
    (status = 204, description = "The account has its earlier address again."),
    (status = 400, description = "The token is not valid, or the body is malformed."),
    (status = 409, description = "Another account has the address by now. The token stays valid."),
    (status = 429, description = "Too many attempts."),
))]
#[post("/email-change/undo")]
pub(super) async fn undo_email_change(
    req: HttpRequest,
    presenter: Presenter,
    posted: Posted<EmailChangeUndo>,
    sessions: Data<Sessions>,
) -> Result<HttpResponse, ApiError> {
    let act = async |body| undo_change(&presenter, body, &sessions).await;
    PAGE.submit(&req, posted, act, |()| HttpResponse::NoContent().finish()).await
}

async fn undo_change(
    presenter: &Presenter,
    EmailChangeUndo { token }: EmailChangeUndo,
    sessions: &Sessions,
) -> Result<(), ApiError> {
    let (begun, _) = presenter.find(Purpose::EmailChangeUndo, &token).await?;
    let now = Timestamp::now();
    let event = presenter.event(EventType::EmailChanged, now).with("undone", true);
    let (outbox, language) = (presenter.outbox.clone(), presenter.language);
    let undo = move |conn: &mut Conn| {
        let Some((user, earlier_email)) = use_undo(conn, &token, now)? else { return Ok(None) };
        accounts::update_email(conn, user.id, &earlier_email, now)?;
        // Whoever changed the address may have changed the password as well.
        accounts::update_password(conn, user.id, NO_PASSWORD, now)?;
        insert_event(conn, &event.clone().by_owner(user.id))?;
        outbox.queue(conn, &NewMail::new(Kind::PasswordReset, language).with(ADDRESS, earlier_email), now)?;
        Ok(Some(user.id))
    };
    match sessions.end_all_with(undo, now).await {
        Err(StoreError::Taken) => Err(ApiError::Conflict("Another account has this e-mail address.")),
        Ok(false) => Err(refuse(begun).await),
        undone => Ok(undone.map(drop)?),
    }
}
