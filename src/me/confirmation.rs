//! The link that creates the account of a sign-up. It was sent to the address of the sign-up, and proves it.

use actix_web::{HttpRequest, HttpResponse, get, post};
use utoipa::ToSchema;

use super::registry::Registry;
use super::sign_up::created;
use crate::accounts::model::User;
use crate::fields::{Fields, FromFields};
use crate::http::body::posted::Posted;
use crate::http::error::ApiError;
use crate::http::page::link_page::LinkPage;
use crate::one_time_tokens::{OneTimeToken, Purpose};

const PAGE: LinkPage = LinkPage {
    is_token: |text| OneTimeToken::is_like(Purpose::SignUp, text),
    ask: [
        [
            "Confirm your sign-up",
            "Confirm it only if you signed up yourself. Your account is then ready. If you did not sign up, close this page.",
            "Create the account",
        ],
        [
            "Bestätigen Sie Ihre Registrierung",
            "Bitte nur, wenn Sie sich selbst registriert haben. Dann ist Ihr Konto bereit. Wenn nicht, schließen Sie diese Seite.",
            "Konto anlegen",
        ],
    ],
    inputs: &[],
    done: [
        ["Your account is ready", "Log in with your e-mail address and the password of your sign-up."],
        ["Ihr Konto ist bereit", "Melden Sie sich mit Ihrer E-Mail-Adresse und dem Passwort Ihrer Registrierung an."],
    ],
    taken: super::invitation::ACCOUNT_EXISTS,
    remedy: [
        "If you have confirmed your sign-up before, log in. Otherwise sign up again.",
        "Wenn Sie Ihre Registrierung schon bestätigt haben, melden Sie sich an. Sonst registrieren Sie sich bitte noch einmal.",
    ],
};

/// The token of the link.
#[derive(Debug, ToSchema)]
pub(super) struct SignUpConfirmation {
    /// The token of the link.
    #[schema(example = "kfn_nZ4Rr0cG7mXv1JtQ2bYw8uKdE5sLhA9oPfTiC6Vj3Wk")]
    token: OneTimeToken,
}

impl FromFields for SignUpConfirmation {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        Some(Self { token: fields.required("token")? })
    }
}

/// Page of a sign-up
///
/// The page that the link opens in a browser. It does not use the token; its button does.
#[utoipa::path(tag = "accounts", responses((status = 200, description = "The page.", body = String, content_type = "text/html", example = "<!doctype html>")))]
#[get("/signup/confirm")]
pub(super) async fn open_sign_up(req: HttpRequest) -> HttpResponse {
    PAGE.open(&req)
}

/// Confirm a sign-up
///
/// Creates the account of the sign-up that the link is for; its address counts as verified. Other sign-ups that wait for the
/// address end. (The page of the link posts a form to this path, and gets pages.)
#[utoipa::path(tag = "accounts", request_body = SignUpConfirmation, responses(
    (status = 201, description = "The new account.", body = User, headers(("Location" = String, description = "`/profile/{id}`"))),
    (status = 400, description = "The token is not valid, or the body is malformed."),
    (status = 403, description = "Sign-up is closed."),
    (status = 409, description = "An account with this e-mail address already exists."),
    (status = 429, description = "Too many attempts."),
))]
#[post("/signup/confirm")]
pub(super) async fn confirm_sign_up(
    req: HttpRequest,
    registry: Registry,
    posted: Posted<SignUpConfirmation>,
) -> Result<HttpResponse, ApiError> {
    let act = async |SignUpConfirmation { token }| registry.confirm(token).await;
    PAGE.submit(&req, posted, act, created).await
}
