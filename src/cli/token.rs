//! `keyfob token`

use serde_json::Value;

use super::http::Service;
use super::stdin::read_line;
use super::{CommandError, print};
use crate::config::Settings;
use crate::db::{Db, Timestamp};
use crate::tokens::inspect::{Expected, Inspected, inspect};
use crate::tokens::keyring::Keyring;

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Show what an access token says, and whether it is valid
    Inspect(Inspect),
}

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  keyfob login --email mia@example.com --token-only | keyfob token inspect
  keyfob token inspect --url https://id.example.com <token.txt

An access token is a secret while it is valid: anyone who has it can use it. As an argument it appears in the process
list and in the shell's history, so pass it on standard input instead. Its signature is not shown.
Without --url this reads the configured keys, issuer and audience. It does not check whether the session has ended.")]
pub(super) struct Inspect {
    /// The access token, with or without `Bearer`; `-` or nothing reads one line of standard input
    token: Vec<String>,
    /// Check it with the public keys of the service at this URL
    #[arg(long)]
    url: Option<String>,
}

pub(super) async fn run(command: Command, settings: &Settings) -> Result<(), CommandError> {
    match command {
        Command::Inspect(arguments) => show(arguments, settings).await,
    }
}

async fn show(arguments: Inspect, settings: &Settings) -> Result<(), CommandError> {
    let given = arguments.token.join(" ");
    let given = if given.is_empty() || given == "-" { read_line("Access token: ", true)? } else { given };
    let token = without_scheme(given.trim());
    // Taken after the wait for a line: a token from `keyfob login` may be younger than this process.
    let now = Timestamp::now();
    let inspected = match &arguments.url {
        Some(url) => inspect(token, &published(url)?, now),
        None => {
            let db = Db::open_to_read(&settings.database)?;
            let keyring = Keyring::look(&settings.token, &db, now).await?;
            inspect(token, &keyring.expected(now), now)
        }
    };
    let Inspected { lines, faults, verdict } = inspected;
    for line in lines {
        print(&line)?;
    }
    if faults.is_empty() {
        return print(&verdict);
    }
    Err(CommandError::Refused(format!("the token is not valid: {}", faults.join("; "))))
}

/// The token in text that may have been copied from an `Authorization` header.
fn without_scheme(text: &str) -> &str {
    match text.split_once(char::is_whitespace) {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim_start(),
        _ => text,
    }
}

/// What the service publishes about its tokens.
fn published(url: &str) -> Result<Expected, CommandError> {
    let service = Service::at(url)?;
    let read = |path: &str| {
        let answer = service.get(path)?;
        let missing = || CommandError::Refused(format!("{url}{path} answered {}: check the URL", answer.status));
        if answer.status == 200 { Ok(answer.body) } else { Err(missing()) }
    };
    let metadata = read("/.well-known/oauth-authorization-server")?;
    let keys = read("/.well-known/jwks.json")?;
    let issuer = metadata.get("issuer").and_then(Value::as_str).unwrap_or_default();
    Ok(Expected::published(issuer, &keys, url))
}
