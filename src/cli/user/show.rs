//! `keyfob user show`

use super::list::as_json;
use super::named::Named;
use crate::cli::account::find_account;
use crate::cli::table::one_line;
use crate::cli::{CommandError, print};
use crate::config::Settings;
use crate::db::Db;
use crate::passwords::NO_PASSWORD;

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  keyfob user show mia@example.com
  keyfob user show 17 --json")]
pub(in crate::cli) struct Show {
    #[command(flatten)]
    named: Named,
    /// Print the account as JSON, as the service returns it
    #[arg(long)]
    json: bool,
}

pub(super) async fn show(settings: &Settings, Show { named, json }: Show) -> Result<(), CommandError> {
    let db = Db::open_to_read(&settings.database)?;
    let user = find_account(&db, named.account).await?;
    if json {
        return print(&as_json(user)?);
    }
    let answer = |is_so: bool| if is_so { "yes" } else { "no" }.to_owned();
    let lines = [
        ("id", user.id.to_string()),
        ("email", user.email),
        ("full_name", user.full_name.as_deref().map_or_else(|| "-".to_owned(), one_line)),
        ("is_active", answer(user.is_active)),
        ("is_admin", answer(user.is_admin)),
        ("email_verified", answer(user.email_verified)),
        ("has_password", answer(user.password_hash != NO_PASSWORD)),
        ("created_at", user.created_at.to_rfc3339().as_str().to_owned()),
        ("updated_at", user.updated_at.to_rfc3339().as_str().to_owned()),
    ];
    lines.iter().try_for_each(|(name, value)| print(&format!("{name:14}  {value}")))
}
