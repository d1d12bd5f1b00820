//! New passwords, read from standard input.

use std::net::Ipv4Addr;

use crate::cli::CommandError;
use crate::cli::stdin::{self, read_line};
use crate::config::Settings;
use crate::passwords::{ChosenPassword, NewPassword, Passwords};

/// Reads a new password for the owner of an account, and checks all that takes no time.
pub(in crate::cli) fn read_new_password(email: &str, full_name: Option<&str>) -> Result<ChosenPassword, CommandError> {
    let chosen = NewPassword::parse(&read_password()?).and_then(|new| ChosenPassword::of(email, full_name, new));
    chosen.map_err(|rejection| CommandError::Refused(rejection.message))
}

/// Checks the rest, and hashes the password for storage.
pub(in crate::cli) async fn hash(chosen: ChosenPassword, settings: &Settings) -> Result<String, CommandError> {
    let passwords = Passwords::start(&settings.password, &settings.token.issuer)?;
    let hashed = passwords.hash(chosen, Ipv4Addr::LOCALHOST.into()).await;
    hashed.map_err(|fault| CommandError::Refused(fault.to_string()))
}

/// Reads one line of standard input. On a terminal it prompts twice, without echo.
fn read_password() -> Result<String, CommandError> {
    let password = read_line("Password: ", true)?;
    if password.is_empty() {
        return Err(CommandError::Refused("the password is empty: expected one line on standard input".into()));
    }
    if stdin::is_terminal() && read_line("Repeat the password: ", true)? != password {
        return Err(CommandError::Refused("the passwords do not match".into()));
    }
    Ok(password)
}
