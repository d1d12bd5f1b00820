//! `keyfob user list`

use crate::accounts::User;
use crate::accounts::admins::search::{Part, search};
use crate::accounts::admins::store::list_users;
use crate::accounts::store::UserRow;
use crate::cli::table::{one_line, print_table};
use crate::cli::{CommandError, print};
use crate::config::Settings;
use crate::db::page::Page;
use crate::db::{Db, Id, StoreError};

/// Accounts read at a time.
const BATCH: i64 = 500;

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  keyfob user list
  keyfob user list --email example.com
  keyfob user list --json | jq 'select(.is_admin)'")]
pub(in crate::cli) struct List {
    /// Only accounts whose e-mail address has this part, in any case
    #[arg(long, value_name = "PART")]
    email: Option<String>,
    /// Print each account as a line of JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn list(settings: &Settings, List { email, json }: List) -> Result<(), CommandError> {
    let db = Db::open_to_read(&settings.database)?;
    let part = email.as_deref().and_then(Part::of);
    let mut after = None;
    loop {
        let (rows, next) = read(&db, part.as_ref(), after).await?;
        if json {
            rows.into_iter().try_for_each(|row| print(&as_json(row)?))?;
        } else if !rows.is_empty() {
            print_table(["ID", "EMAIL", "STATE", "NAME"], &rows.into_iter().map(as_row).collect::<Vec<_>>())?;
        }
        match next {
            Some(next) => after = Some(next),
            None => return Ok(()),
        }
    }
}

/// The next accounts, and the id after which to continue.
async fn read(db: &Db, part: Option<&Part>, after: Option<Id>) -> Result<(Vec<UserRow>, Option<Id>), StoreError> {
    let page = Page { limit: BATCH, after };
    if let Some(part) = part {
        return search(db, part, page).await;
    }
    let mut rows = db.read(move |conn| list_users(conn, page)).await?;
    let next = page.cut(&mut rows, |row| row.id);
    Ok((rows, next))
}

/// An account as JSON, as the routes return it.
pub(super) fn as_json(row: UserRow) -> Result<String, CommandError> {
    Ok(serde_json::to_string(&User::from(row)).map_err(std::io::Error::other)?)
}

fn as_row(row: UserRow) -> [String; 4] {
    let states = [(!row.is_active, "disabled"), (row.is_admin, "admin"), (row.email_verified, "verified")];
    let states: Vec<&str> = states.into_iter().filter_map(|(is_so, state)| is_so.then_some(state)).collect();
    let state = if states.is_empty() { "-".to_owned() } else { states.join(",") };
    let name = row.full_name.as_deref().map_or_else(|| "-".to_owned(), one_line);
    [row.id.to_string(), row.email, state, name]
}
