//! The command line: one file a command. Exit status 0, or 1 with one line on standard error.

mod account;
mod audit;
mod backup;
mod client;
mod copy;
mod doctor;
mod healthcheck;
mod http;
mod import;
mod key;
mod login;
mod mail;
mod misuse;
mod seed;
mod serve;
mod stdin;
mod table;
mod token;
mod user;

use std::ffi::OsString;
use std::io::IsTerminal;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::accounts::email_keys;
use crate::app::{Keyfob, StartError, openapi_document, postman_collection};
use crate::config::{ConfigError, Settings};
use crate::db::{BackupError, CopyError, Db, OpenError, StoreError};
use crate::tokens::KeyError;
use crate::tokens::keyring::KeyringError;

/// Sign-up, login and token-protected routes for first-party apps.
///
/// Settings come from config/default.toml, config/{KEYFOB_ENV}.toml, .env and the environment
/// (KEYFOB__SECTION__KEY); `keyfob config` shows the effective ones.
#[derive(Parser)]
#[command(
    name = "keyfob",
    version,
    about,
    long_about,
    max_term_width = 100,
    after_help = "\
Examples:
  keyfob                                          serve on 127.0.0.1:8000, with the data in keyfob.db
  keyfob user create --email mia@example.com      create an account
  keyfob login --email mia@example.com            log in to the service
  keyfob help user import                         explain a command"
)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Serve until SIGTERM or Ctrl-C (what `keyfob` alone does)
    #[command(after_help = "\
Examples:
  keyfob serve
  KEYFOB__SERVER__BIND=0.0.0.0:8000 KEYFOB__DATABASE__URL=postgres://keyfob@db.internal/keyfob keyfob serve")]
    Serve,
    /// Run pending migrations (`serve` does this automatically)
    #[command(after_help = "Example:\n  KEYFOB__DATABASE__URL=postgres://keyfob@db.internal/keyfob keyfob migrate")]
    Migrate,
    /// Manage accounts
    #[command(subcommand, arg_required_else_help = false)]
    User(user::Command),
    /// Manage signing keys
    #[command(subcommand, arg_required_else_help = false)]
    Key(key::Command),
    /// Manage OAuth2 clients
    #[command(subcommand, arg_required_else_help = false)]
    Client(client::Command),
    /// Show the audit trail: logins, refused logins and changes, oldest first
    Audit(audit::Audit),
    /// List mails that wait, were sent or failed, and try one again
    #[command(subcommand, arg_required_else_help = false)]
    Mail(mail::Command),
    /// Copy all data to another database, SQLite or PostgreSQL
    Copy(copy::Copy),
    /// Write a snapshot of a SQLite database to a file, even while the service runs
    Backup(backup::Backup),
    /// Report unsafe settings and how to fix them
    Doctor(doctor::Doctor),
    /// Check that the service responds (for container health checks)
    #[command(after_help = "Example:\n  keyfob healthcheck && echo healthy")]
    Healthcheck,
    /// Fill an empty database with generated accounts and posts, for measurements
    #[command(hide = true)]
    Seed(seed::Seed),
    /// Log in to a running service and print the tokens; reads the password from standard input, one line
    Login(login::Login),
    /// Inspect access tokens
    #[command(subcommand, arg_required_else_help = false)]
    Token(token::Command),
    /// Print the OpenAPI document
    #[command(after_help = "Example:\n  keyfob openapi >openapi.json")]
    Openapi,
    /// Print the Postman collection
    #[command(after_help = "Example:\n  keyfob postman >keyfob.postman_collection.json")]
    Postman,
    /// Print the effective settings, with secrets masked
    #[command(after_help = "Examples:\n  keyfob config\n  KEYFOB_ENV=production keyfob config")]
    Config,
    /// Generate shell completions
    #[command(after_help = "\
Examples:
  keyfob completions bash >~/.local/share/bash-completion/completions/keyfob
  keyfob completions zsh >~/.zfunc/_keyfob
  keyfob completions fish >~/.config/fish/completions/keyfob.fish")]
    Completions {
        /// The shell
        shell: Shell,
    },
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
    #[error(transparent)]
    Copy(#[from] CopyError),
    #[error(transparent)]
    Backup(#[from] BackupError),
    #[error("keys: {0}")]
    Keyring(#[from] KeyringError),
    #[error("keys: {0}")]
    Key(#[from] KeyError),
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("{0}")]
    Refused(String),
    /// Already reported, line by line.
    #[error("reported")]
    Reported,
}

/// Runs the command that the arguments name.
pub async fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let given: Vec<OsString> = arguments.into_iter().collect();
    let arguments = match Arguments::try_parse_from(&given) {
        Ok(arguments) => arguments,
        Err(error) => {
            if !error.use_stderr() {
                let _ = error.print();
                return ExitCode::SUCCESS;
            }
            note(&format!("keyfob: {}", misuse::explain(&error, &Arguments::command(), &given)));
            return ExitCode::FAILURE;
        }
    };
    match execute(arguments.command.unwrap_or(Command::Serve)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(CommandError::Reported) => ExitCode::FAILURE,
        Err(error) => {
            note(&format!("keyfob: {error}"));
            ExitCode::FAILURE
        }
    }
}

async fn execute(command: Command) -> Result<(), CommandError> {
    match command {
        Command::Openapi => return print(&openapi_document().to_pretty_json().map_err(std::io::Error::other)?),
        Command::Completions { shell } => return print(completions(shell).trim_end()),
        _ => {}
    }
    if let Command::Doctor(doctor) = &command {
        return doctor::examine(doctor).await;
    }
    let settings = Settings::load()?;
    match command {
        Command::Serve => serve::serve(settings).await,
        Command::Config => print(settings.masked().trim_end()),
        Command::Postman => print(&postman_collection(&settings.token.issuer)?),
        Command::Migrate => {
            open_accounts(&settings).await?;
            print(&format!("{} is up to date", settings.database.url))
        }
        Command::User(command) => user::run(command, &settings).await,
        Command::Key(command) => key::run(command, &settings).await,
        Command::Client(command) => client::run(command, &settings).await,
        Command::Audit(arguments) => audit::run(arguments, &settings).await,
        Command::Mail(command) => mail::run(command, &settings).await,
        Command::Copy(command) => copy::copy(&command, &settings),
        Command::Backup(arguments) => backup::run(&arguments, &settings),
        Command::Healthcheck => healthcheck::check(&settings),
        Command::Seed(arguments) => seed::seed(&arguments, &settings).await,
        Command::Login(command) => login::login(&command, &settings),
        Command::Token(command) => token::run(command, &settings).await,
        Command::Openapi | Command::Completions { .. } | Command::Doctor(_) => Ok(()),
    }
}

/// Opens the database, with the lookup keys of accounts brought up to date.
async fn open_accounts(settings: &Settings) -> Result<Db, CommandError> {
    let db = Db::open(&settings.database)?;
    email_keys::update(&db).await?;
    Ok(db)
}

fn completions(shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "keyfob", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

/// Writes to standard output. Returns an error if the reader has gone away, where `println!` would panic.
fn print(text: &str) -> Result<(), CommandError> {
    use std::io::Write;
    writeln!(std::io::stdout(), "{text}")?;
    Ok(())
}

/// Writes a line to standard error.
fn note(text: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// A progress bar on standard error; hidden if that is not a terminal.
fn progress(steps: u64) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {human_pos} of {human_len}, {eta} left {msg}");
    let bar = ProgressBar::with_draw_target(Some(steps), ProgressDrawTarget::stderr());
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// Opens the service without serving it.
async fn open(settings: Settings) -> Result<Keyfob, CommandError> {
    Ok(Keyfob::open(settings).await?)
}
