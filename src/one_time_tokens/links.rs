//! The links that carry one-time tokens.

use secrecy::SecretString;

use super::{OneTimeToken, Purpose};
use crate::config::{AccountSettings, TokenSettings};

/// Makes links from the settings alone: a base that a request could choose would send tokens to strangers.
#[derive(Debug)]
pub(crate) struct Links {
    base: Base,
}

#[derive(Debug)]
enum Base {
    /// The pages of this service.
    Issuer(String),
    /// The operator's app, which calls the routes of this service.
    App(String),
}

impl Links {
    pub(crate) fn new(accounts: &AccountSettings, token: &TokenSettings) -> Self {
        let base = match &accounts.link_base_url {
            Some(app) => Base::App(app.clone()),
            None => Base::Issuer(token.issuer.clone()),
        };
        Self { base }
    }

    /// The link with a token.
    pub(crate) fn url(&self, purpose: Purpose, token: &OneTimeToken) -> SecretString {
        let place = match (&self.base, purpose) {
            (Base::Issuer(base), Purpose::PasswordReset) => format!("{base}/password-reset/confirm"),
            (Base::Issuer(base), Purpose::EmailVerification) => format!("{base}/email-verification/confirm"),
            (Base::App(base), Purpose::PasswordReset) => format!("{base}/password-reset"),
            (Base::App(base), Purpose::EmailVerification) => format!("{base}/email-verification"),
            (Base::Issuer(base), Purpose::SignUp) => format!("{base}/signup/confirm"),
            (Base::App(base), Purpose::SignUp) => format!("{base}/signup"),
            (Base::Issuer(base), Purpose::EmailChange) => format!("{base}/email-change/confirm"),
            (Base::Issuer(base), Purpose::EmailChangeUndo) => format!("{base}/email-change/undo"),
            (Base::App(base), Purpose::EmailChange) => format!("{base}/email-change"),
            (Base::App(base), Purpose::EmailChangeUndo) => format!("{base}/email-change-undo"),
            (Base::Issuer(base) | Base::App(base), Purpose::Invitation) => format!("{base}/invitation"),
        };
        format!("{place}?token={}", token.expose()).into()
    }
}
