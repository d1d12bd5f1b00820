//! `keyfob user export`: everything that is kept about an account.

use std::io::{Write, stdout};

use super::account::{Account, find_account, parse_account};
use super::{CommandError, open_accounts};
use crate::accounts::User;
use crate::app::EXPORTED;
use crate::audit::{EventType, NewEvent, Source, insert_event};
use crate::config::Settings;
use crate::db::Timestamp;
use crate::exports::{Export as Document, Exported};

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  keyfob user export mia@example.com >mia.json
  keyfob user export 17 | jq .posts")]
pub(super) struct Export {
    /// The e-mail address or id of the account
    #[arg(value_name = "EMAIL|ID", value_parser = parse_account)]
    account: Account,
}

pub(super) async fn export(settings: &Settings, Export { account }: Export) -> Result<(), CommandError> {
    let db = open_accounts(settings).await?;
    let user = find_account(&db, account).await?;
    let (id, now) = (user.id, Timestamp::now());
    let event = NewEvent::new(EventType::Exported, &Source::command_line(), now).of(id);
    db.write(move |conn| insert_event(conn, &event)).await?;
    let mut document = Document::new(&db, id, &User::from(user), &Exported(EXPORTED), now);
    while let Some(piece) = document.next().await? {
        stdout().write_all(piece.as_bytes())?;
    }
    Ok(stdout().flush()?)
}
