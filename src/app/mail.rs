//! Who writes the letters of each kind of mail.

use crate::mail::{Compose, Composers, Kind, to_owner};
use crate::me::mails as me;
use crate::recovery::mails;

/// All kinds. Add a new one here.
pub(super) const COMPOSERS: Composers = Composers(composer);

fn composer(kind: Kind) -> Compose {
    match kind {
        Kind::PasswordReset => mails::compose_reset,
        Kind::EmailVerification => mails::compose_verification,
        Kind::PasswordChanged | Kind::PasswordResetDone => to_owner,
        Kind::SignUp => me::compose_sign_up,
        Kind::SignUpTaken => me::compose_taken,
        Kind::EmailChange => me::compose_change,
        Kind::EmailChangeAsked => me::compose_asked,
        Kind::EmailChanged => mails::compose_changed,
    }
}
