//! Mail: where it is queued, what sends it, and who writes the letters of each kind.

use std::sync::Arc;

use actix_web::web::Data;

use crate::config::{Environment, Settings};
use crate::db::Db;
use crate::mail::{Compose, Composers, Desk, Kind, Mailer, Outbox, Told, to_owner};
use crate::me::mails as me;
use crate::one_time_tokens::links::Links;
use crate::recovery::mails;
use crate::sessions::Sessions;

/// Opens the outbox and what sends from it. The error is one line.
pub(super) fn open(settings: &Settings, db: &Db, sessions: &Sessions) -> Result<(Data<Outbox>, Arc<Mailer>), String> {
    let outbox = Data::new(Outbox::new(&settings.token).map_err(|error| error.to_string())?);
    let told = Told {
        outbox: outbox.clone().into_inner(),
        desk: Desk { links: Links::new(&settings.accounts, &settings.token), accounts: settings.accounts.clone() },
        composers: Composers(composer),
        recipients_key: sessions.derive_key("recipients of mails"),
        shows_links: settings.environment == Environment::Development,
    };
    let mailer = Mailer::open(&settings.mail, db, told).map_err(|error| error.to_string())?;
    Ok((outbox, Arc::new(mailer)))
}

/// Writes the letters of a kind. Add a new one here.
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
