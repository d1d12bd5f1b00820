//! Settings, read once at startup.
//!
//! Only this module reads configuration files, `.env` and the environment. Layers, later ones win: the built-in
//! `config/default.toml`, the same file in the working directory, `config/{KEYFOB_ENV}.toml`, `.env`, the environment
//! (`KEYFOB__SECTION__KEY`). The result is checked: code that holds a [`Settings`] need not check again.

mod check;
mod choices;
mod database_url;
mod dotenv;
mod error;
mod files;
mod keys;
mod layers;
mod mail;
mod masked;
mod postgres_url;
mod read;
pub(crate) mod safety;
mod settings;
mod smtp_url;
#[cfg(test)]
mod tests;
mod url;
mod values;

use std::path::Path;

pub use choices::{Algorithm, Environment, RevocationFail, SignUpMode};
pub use database_url::DatabaseUrl;
pub use error::ConfigError;
pub(crate) use layers::log_filter;
pub(crate) use postgres_url::PostgresUrl;
use safety::Finding;
pub use settings::{
    AccountSettings, AuditSettings, BootstrapSettings, DatabaseSettings, LogSettings, MailSettings, PasswordSettings,
    RateLimitSettings, Sender, ServerSettings, SessionSettings, Settings, TokenSettings,
};
pub use smtp_url::{SmtpSecurity, SmtpUrl};
use values::Values;

impl Settings {
    /// Reads the settings from the working directory and the process environment.
    ///
    /// # Errors
    /// The first unreadable file, unknown key, invalid value or, in production, unsafe value.
    pub fn load() -> Result<Settings, ConfigError> {
        // The empty path joins to relative ones, so messages and settings keep paths as the operator wrote them.
        Self::load_from(Path::new(""), layers::process_variables()?)
    }

    /// Reads the settings from the files in `dir`, and from `env` instead of the process environment.
    ///
    /// # Errors
    /// Those of [`Settings::load`].
    pub fn load_from(dir: &Path, env: impl IntoIterator<Item = (String, String)>) -> Result<Settings, ConfigError> {
        let (settings, values) = Self::read(dir, env)?;
        if settings.environment == Environment::Production {
            safety::refuse(&settings, &values, dir)?;
        }
        Ok(settings)
    }

    /// Like [`Settings::load`], but reports unsafe settings, even those that production would refuse.
    pub(crate) fn examine() -> Result<(Settings, Vec<Finding>), ConfigError> {
        let dir = Path::new("");
        let (settings, values) = Self::read(dir, layers::process_variables()?)?;
        let findings = safety::findings(&settings, &values, dir);
        Ok((settings, findings))
    }

    fn read(dir: &Path, env: impl IntoIterator<Item = (String, String)>) -> Result<(Settings, Values), ConfigError> {
        let (environment, values) = layers::gather(dir, env)?;
        let settings = read::settings(environment, &values)?;
        check::check(&settings, &values, dir)?;
        Ok((settings, values))
    }

    /// The effective settings as TOML: secrets that are set appear as `********`, unset keys are commented out.
    #[must_use]
    pub fn masked(&self) -> String {
        masked::masked(self)
    }
}
