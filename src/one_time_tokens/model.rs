//! What a one-time token looks like.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use utoipa::ToSchema;

use crate::db::Timestamp;
use crate::fields::{Field, Rejection, text};
use crate::tokens::keys::{KeyError, random_bytes};

/// Length of the random part, in bytes.
const BYTES: usize = 32;

/// What a token is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    PasswordReset,
    EmailVerification,
    /// To create an account: the only purpose that has none yet.
    Invitation,
    /// To create the account of a sign-up, whose address it proves.
    SignUp,
    /// To give an account the address that the token was sent to.
    EmailChange,
    /// To give an account its earlier address back, which the token was sent to.
    EmailChangeUndo,
}

impl Purpose {
    /// The name in the database.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::PasswordReset => "password_reset",
            Self::EmailVerification => "email_verification",
            Self::Invitation => "invitation",
            Self::SignUp => "sign_up",
            Self::EmailChange => "email_change",
            Self::EmailChangeUndo => "email_change_undo",
        }
    }

    /// How its tokens begin, so that people and programs that look for leaked secrets recognise them.
    fn prefix(self) -> &'static str {
        match self {
            Self::PasswordReset => "kfp_",
            Self::EmailVerification => "kfv_",
            Self::Invitation => "kfi_",
            Self::SignUp => "kfn_",
            Self::EmailChange => "kfe_",
            Self::EmailChangeUndo => "kfu_",
        }
    }
}

/// A one-time token, or what somebody sent as one.
#[derive(Clone, Debug, ToSchema)]
#[schema(value_type = String, example = "kfp_nZ4Rr0cG7mXv1JtQ2bYw8uKdE5sLhA9oPfTiC6Vj3Wk")]
pub(crate) struct OneTimeToken(SecretString);

impl OneTimeToken {
    /// Whether a text has the form of a token for that purpose. It may still be none.
    pub(crate) fn is_like(purpose: Purpose, text: &str) -> bool {
        let bits = text.strip_prefix(purpose.prefix()).unwrap_or_default();
        URL_SAFE_NO_PAD.decode(bits).is_ok_and(|bits| bits.len() == BYTES)
    }

    pub(super) fn generate(purpose: Purpose) -> Result<Self, KeyError> {
        let bits = URL_SAFE_NO_PAD.encode(random_bytes::<BYTES>()?);
        Ok(Self(format!("{}{bits}", purpose.prefix()).into()))
    }

    /// The token as it stands in a link. It has only characters that stand for themselves in a URL.
    pub(super) fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// The SHA-256 that the database keeps.
    pub(super) fn hash(&self) -> Vec<u8> {
        digest(&SHA256, self.expose().as_bytes()).as_ref().to_vec()
    }
}

impl Field for OneTimeToken {
    fn parse_field(value: &Value) -> Result<Self, Rejection> {
        text(value).map(|text| Self(text.into()))
    }
}

/// A new token. Only its link ever shows it.
#[derive(Debug)]
pub(crate) struct Issued {
    pub token: OneTimeToken,
    pub expires_at: Timestamp,
}
