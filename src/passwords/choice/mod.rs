//! Which passwords an owner may choose: beyond what [`NewPassword`] says of every password, none that is close to what
//! others know of the owner, easy to guess, or on a list of breached passwords.

mod breached;
mod personal;
mod strength;

use std::io;

use secrecy::{ExposeSecret, SecretString};

use super::policy::NewPassword;
use super::queue::Busy;
use crate::config::PasswordSettings;
use crate::fields::Rejection;
use breached::BreachedPasswords;
use personal::words_of;

/// A password that somebody has chosen for an account. Only this can be hashed for storage, so no way to a new password
/// leads around the rules. It has no `Debug`: it also holds what is known of the owner.
#[derive(Clone)]
pub(crate) struct ChosenPassword {
    password: SecretString,
    /// What attackers know of the owner, and so try.
    known: Vec<String>,
}

impl ChosenPassword {
    /// Checks all that takes no time; [`Passwords::hash`](super::Passwords::hash) checks the rest.
    ///
    /// # Errors
    /// A [`Rejection`] that says what is wrong, without the password.
    pub(crate) fn of(email: &str, full_name: Option<&str>, password: NewPassword) -> Result<Self, Rejection> {
        personal::check(email, full_name, password.expose().expose_secret())?;
        let known = [email, full_name.unwrap_or_default()].into_iter().flat_map(words_of).collect();
        Ok(Self { password: password.into_secret(), known })
    }

    pub(super) fn into_parts(self) -> (SecretString, Vec<String>) {
        (self.password, self.known)
    }
}

/// Why a password was not hashed for storage.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotHashed {
    /// The queue is full.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// The password breaks a rule.
    #[error("{}", .0.message)]
    Refused(Rejection),
    /// The list of breached passwords cannot be read.
    #[error("password.breached_file: {0}")]
    Unreadable(#[from] io::Error),
}

/// The rules that take time: a thread that hashes applies them before it hashes.
pub(super) struct Rules {
    min_score: u8,
    /// The name of the service, which its users try as a password.
    service: Vec<String>,
    breached: Option<BreachedPasswords>,
}

impl Rules {
    /// `service` is the URL of the service.
    ///
    /// # Errors
    /// When the list of breached passwords cannot be used: one line that names the setting.
    pub(super) fn new(settings: &PasswordSettings, service: &str) -> io::Result<Self> {
        let address = service.split_once("://").map_or(service, |(_, address)| address);
        Ok(Self {
            min_score: settings.min_score,
            service: words_of(address).chain(["keyfob".to_owned()]).collect(),
            breached: settings.breached_file.as_deref().map(BreachedPasswords::open).transpose()?,
        })
    }

    /// Checks a password in NFC of an owner of whom so much is known.
    pub(super) fn check(&self, password: &str, known: &[String]) -> Result<(), NotHashed> {
        let known: Vec<&str> = known.iter().chain(&self.service).map(String::as_str).collect();
        strength::check(password, &known, self.min_score).map_err(NotHashed::Refused)?;
        match &self.breached {
            Some(breached) if breached.contains(password)? => Err(NotHashed::Refused(breached::refusal())),
            _ => Ok(()),
        }
    }
}
