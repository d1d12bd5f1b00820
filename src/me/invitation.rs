//! The link that invites somebody to sign up.

use actix_web::{HttpRequest, HttpResponse, get, post};
use utoipa::ToSchema;

use super::registry::{NewAccount, Registry, SignedUp};
use super::sign_up::created;
use crate::accounts::model::{FullName, User};
use crate::fields::{Fields, FromFields};
use crate::http::body::posted::Posted;
use crate::http::error::ApiError;
use crate::http::page::link_page::{Input, LinkPage};
use crate::one_time_tokens::{OneTimeToken, Purpose};
use crate::passwords::NewPassword;

/// What a page says if the account is there already.
pub(super) const ACCOUNT_EXISTS: Option<[[&str; 2]; 2]> = Some([
    [
        "You already have an account",
        "An account with this e-mail address already exists. Log in, or reset its password.",
    ],
    [
        "Sie haben schon ein Konto",
        "Zu dieser E-Mail-Adresse gibt es bereits ein Konto. Melden Sie sich an oder setzen Sie das Passwort zurück.",
    ],
]);

const PAGE: LinkPage = LinkPage {
    is_token: |text| OneTimeToken::is_like(Purpose::Invitation, text),
    ask: [
        ["Create your account", "You are invited. Your account gets the address of the invitation.", "Create account"],
        [
            "Legen Sie Ihr Konto an",
            "Sie sind eingeladen. Ihr Konto bekommt die Adresse der Einladung.",
            "Konto anlegen",
        ],
    ],
    inputs: &[
        Input {
            name: "full_name",
            kind: "text",
            autocomplete: "name",
            is_required: false,
            texts: [["Name", "Optional."], ["Name", "Freiwillig."]],
        },
        Input {
            name: "password",
            kind: "password",
            autocomplete: "new-password",
            is_required: true,
            texts: [
                ["Password", "At least 8 characters. A few random words make a good one."],
                ["Passwort", "Mindestens 8 Zeichen. Gut sind ein paar zufällige Wörter."],
            ],
        },
    ],
    done: [
        ["Your account is ready", "Log in with your e-mail address and the password."],
        ["Ihr Konto ist bereit", "Melden Sie sich mit Ihrer E-Mail-Adresse und dem Passwort an."],
    ],
    taken: ACCOUNT_EXISTS,
    remedy: [
        "It has been used, has expired, or there is a newer one. Ask for a new invitation.",
        "Er wurde schon benutzt, ist abgelaufen oder es gibt einen neueren. Bitten Sie um eine neue Einladung.",
    ],
};

/// A new account for whoever was invited.
#[derive(Debug, ToSchema)]
pub(super) struct InvitedSignUp {
    /// The token of the invitation.
    #[schema(example = "kfi_nZ4Rr0cG7mXv1JtQ2bYw8uKdE5sLhA9oPfTiC6Vj3Wk")]
    token: OneTimeToken,
    /// 8 to 72 bytes in UTF-8. What is easy to guess, or contains the name or the e-mail address, is refused.
    password: NewPassword,
    /// The display name.
    full_name: Option<FullName>,
}

impl FromFields for InvitedSignUp {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let (token, password) = (fields.required("token"), fields.required("password"));
        let full_name = fields.optional("full_name");
        Some(Self { token: token?, password: password?, full_name: full_name? })
    }
}

/// Page of an invitation
///
/// The page that the link opens in a browser. It does not use the token; its button does.
#[utoipa::path(tag = "accounts", responses((status = 200, description = "The page.", body = String, content_type = "text/html", example = "<!doctype html>")))]
#[get("/invitation")]
pub(super) async fn open_invitation(req: HttpRequest) -> HttpResponse {
    PAGE.open(&req)
}

/// Sign up with an invitation
///
/// Creates the account with the address of the invitation, which counts as verified. (The page of the link posts a form to
/// this path, and gets pages.)
#[utoipa::path(tag = "accounts", request_body = InvitedSignUp, responses(
    (status = 201, description = "The new account.", body = User, headers(("Location" = String, description = "`/profile/{id}`"))),
    (status = 400, description = "The token is not valid, or the body is malformed."),
    (status = 403, description = "Sign-up is closed."),
    (status = 409, description = "An account with this e-mail address already exists."),
    (status = 429, description = "Too many attempts."),
))]
#[post("/invitation")]
pub(super) async fn accept_invitation(
    req: HttpRequest,
    registry: Registry,
    posted: Posted<InvitedSignUp>,
) -> Result<HttpResponse, ApiError> {
    let act = async |InvitedSignUp { token, password, full_name }| {
        let wanted = NewAccount { email: None, password, full_name, invitation: Some(token) };
        match registry.create(wanted).await? {
            SignedUp::Account(row) => Ok(row),
            SignedUp::Waiting => Err(ApiError::internal("an invitation proves its address")),
        }
    };
    PAGE.submit(&req, posted, act, created).await
}
