//! `keyfob key`

use super::table::print_table;
use super::{CommandError, print};
use crate::audit::Source;
use crate::config::{Algorithm, Settings};
use crate::db::{Db, Timestamp};
use crate::tokens::keyring::{Keyring, is_configured, rotate};

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Create a new signing key; running servers publish it within seconds, then sign with it
    #[command(after_help = "Examples:\n  keyfob key rotate\n  keyfob key rotate --algorithm ES256")]
    Rotate {
        /// EdDSA, ES256, RS256 or HS256; `token.algorithm` if absent
        #[arg(long)]
        algorithm: Option<Algorithm>,
    },
    /// List the signing keys: name, algorithm, when each starts to sign, until when each is accepted
    #[command(after_help = "Example:\n  keyfob key list")]
    List,
}

pub(super) async fn run(command: Command, settings: &Settings) -> Result<(), CommandError> {
    let (token, now) = (&settings.token, Timestamp::now());
    match command {
        Command::Rotate { algorithm } => {
            if is_configured(token) {
                let remedy =
                    "the key is configured (token.secret or token.private_key_file): change it there and restart";
                return Err(CommandError::Refused(remedy.into()));
            }
            let db = Db::open(&settings.database)?;
            // Create a first key if there is none, or the new one would sign before every replica knows it.
            Keyring::load(token, &db, now).await?;
            let algorithm = algorithm.unwrap_or(token.algorithm);
            print(&rotate(token, &db, algorithm, Source::command_line(), now).await?)
        }
        Command::List => {
            let db = Db::open_to_read(&settings.database)?;
            let keyring = Keyring::look(token, &db, now).await?;
            let keys = keyring.snapshot();
            let rows = keys.iter().map(|key| {
                let until = key.accepted_until.map_or_else(|| "-".to_owned(), |until| until.to_string());
                [key.kid.clone(), key.algorithm.to_string(), key.signs_from.to_string(), until]
            });
            print_table(["KEY", "ALGORITHM", "SIGNS FROM", "ACCEPTED UNTIL"], &rows.collect::<Vec<_>>())
        }
    }
}
