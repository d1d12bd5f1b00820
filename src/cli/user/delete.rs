//! `keyfob user delete`

use super::named::{Named, act, and_sessions, named};
use crate::cli::account::find_account;
use crate::cli::stdin::{is_terminal, read_line};
use crate::cli::{CommandError, open_accounts, print};
use crate::config::Settings;
use crate::sessions::acts::Act;

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  keyfob user delete mia@example.com
  keyfob user delete 17 --yes")]
pub(in crate::cli) struct Delete {
    #[command(flatten)]
    named: Named,
    /// Do not ask; without a terminal there is no question
    #[arg(long)]
    yes: bool,
}

pub(super) async fn delete(settings: &Settings, Delete { named: of, yes }: Delete) -> Result<(), CommandError> {
    let db = open_accounts(settings).await?;
    let user = find_account(&db, of.account).await?;
    if is_terminal() && !yes {
        let question = format!("Delete {} with its posts, for good? Type yes: ", named(&user));
        if read_line(&question, false)?.trim() != "yes" {
            return Err(CommandError::Refused("nothing was deleted".to_owned()));
        }
    }
    let done = act(&db, &user, Act::Delete).await?;
    print(&format!("deleted {}{}", named(&user), and_sessions(&done)))
}
