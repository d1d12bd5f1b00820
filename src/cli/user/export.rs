//! `keyfob user export`: everything that is kept about an account.

use std::io::{Write, stdout};

use super::named::Named;
use crate::accounts::User;
use crate::app::EXPORTED;
use crate::audit::{EventType, NewEvent, Source, insert_event};
use crate::cli::account::find_account;
use crate::cli::{CommandError, open_accounts};
use crate::config::Settings;
use crate::db::Timestamp;
use crate::exports::{Export as Document, Exported};

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  keyfob user export mia@example.com >mia.json
  keyfob user export 17 | jq .posts")]
pub(in crate::cli) struct Export {
    #[command(flatten)]
    named: Named,
}

pub(super) async fn export(settings: &Settings, Export { named }: Export) -> Result<(), CommandError> {
    let db = open_accounts(settings).await?;
    let user = find_account(&db, named.account).await?;
    let (id, now) = (user.id, Timestamp::now());
    let event = NewEvent::new(EventType::Exported, &Source::command_line(), now).of(id);
    db.write(move |conn| insert_event(conn, &event)).await?;
    let mut document = Document::new(&db, id, &User::from(user), &Exported(EXPORTED), now);
    while let Some(piece) = document.next().await? {
        stdout().write_all(piece.as_bytes())?;
    }
    Ok(stdout().flush()?)
}
