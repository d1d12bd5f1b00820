//! The command line: one file a command. Exit status 0, or 1 with one line on standard error.

mod client;
mod key;
mod serve;
mod user;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::app::{Keyfob, StartError, openapi_document};
use crate::config::{ConfigError, Settings};
use crate::db::{Db, OpenError, StoreError};
use crate::tokens::KeyError;
use crate::tokens::keyring::KeyringError;

/// Sign-up, log-in and token-protected routes for first-party apps.
///
/// Settings come from config/default.toml, config/{KEYFOB_ENV}.toml, .env and the environment
/// (KEYFOB__SECTION__KEY); `keyfob config` shows the effective ones.
#[derive(Parser)]
#[command(name = "keyfob", version, about, long_about, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Serve until SIGTERM or Ctrl-C (what `keyfob` alone does)
    Serve,
    /// Bring the database's tables up to date (`serve` does so by itself)
    Migrate,
    /// Accounts
    #[command(subcommand)]
    User(user::Command),
    /// Signing keys
    #[command(subcommand)]
    Key(key::Command),
    /// OAuth2 clients
    #[command(subcommand)]
    Client(client::Command),
    /// Print the OpenAPI document
    Openapi,
    /// Print the effective settings, secrets masked
    Config,
}

/// Why a command failed: one line.
#[derive(Debug, thiserror::Error)]
enum CommandError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Database(#[from] OpenError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("keys: {0}")]
    Keyring(#[from] KeyringError),
    #[error("keys: {0}")]
    Key(#[from] KeyError),
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("{0}")]
    Refused(String),
}

/// Runs the command that the arguments name.
pub async fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            if !error.use_stderr() {
                let _ = error.print();
                return ExitCode::SUCCESS;
            }
            let text = error.to_string();
            let cause = text.lines().next().unwrap_or_default();
            eprintln!("keyfob: {} (keyfob --help tells more)", cause.trim_start_matches("error: "));
            return ExitCode::FAILURE;
        }
    };
    match execute(arguments.command.unwrap_or(Command::Serve)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("keyfob: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn execute(command: Command) -> Result<(), CommandError> {
    if matches!(command, Command::Openapi) {
        return print(&openapi_document().to_pretty_json().map_err(std::io::Error::other)?);
    }
    let settings = Settings::load()?;
    match command {
        Command::Serve => serve::serve(settings).await,
        Command::Config => print(settings.masked().trim_end()),
        Command::Migrate => {
            Db::open(&settings.database)?;
            print(&format!("{} is up to date", settings.database.url))
        }
        Command::User(command) => user::run(command, &settings).await,
        Command::Key(command) => key::run(command, &settings).await,
        Command::Client(command) => client::run(command, &settings).await,
        Command::Openapi => Ok(()),
    }
}

/// Writes to standard output; a reader that has gone away is no fault of ours to panic about.
fn print(text: &str) -> Result<(), CommandError> {
    use std::io::Write;
    writeln!(std::io::stdout(), "{text}")?;
    Ok(())
}

/// Opens the service without serving it.
async fn open(settings: Settings) -> Result<Keyfob, CommandError> {
    Ok(Keyfob::open(settings).await?)
}
