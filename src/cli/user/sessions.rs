//! `keyfob user sessions` and `keyfob user sign-out`

use super::named::{Named, act, named};
use crate::cli::account::find_account;
use crate::cli::table::{one_line, print_table};
use crate::cli::{CommandError, open_accounts, print};
use crate::config::Settings;
use crate::db::page::Page;
use crate::db::{Db, Timestamp};
use crate::sessions::acts::Act;
use crate::sessions::listing::Session;
use crate::sessions::store::{SessionRow, list_sessions as list};

/// More than an account may have.
const LIMIT: i64 = 10_000;

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  keyfob user sessions mia@example.com
  keyfob user sessions 17 --json")]
pub(in crate::cli) struct ListSessions {
    #[command(flatten)]
    named: Named,
    /// Print each session as a line of JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn list_sessions(
    settings: &Settings,
    ListSessions { named, json }: ListSessions,
) -> Result<(), CommandError> {
    let db = Db::open_to_read(&settings.database)?;
    let user = find_account(&db, named.account).await?;
    let (page, now) = (Page { limit: LIMIT, after: None }, Timestamp::now());
    let rows = db.read(move |conn| list(conn, user.id, page, now)).await?;
    if json {
        return rows.into_iter().try_for_each(|row| {
            print(&serde_json::to_string(&Session::new(row, None)).map_err(std::io::Error::other)?)
        });
    }
    let header = ["ID", "CLIENT", "IP", "CREATED", "LAST USED", "USER AGENT"];
    print_table(header, &rows.into_iter().map(as_row).collect::<Vec<_>>())
}

fn as_row(row: SessionRow) -> [String; 6] {
    let text = |text: Option<String>| text.as_deref().map_or_else(|| "-".to_owned(), one_line);
    let [created_at, last_used_at] = [row.created_at, row.last_used_at].map(|at| at.to_rfc3339().as_str().to_owned());
    [row.id.to_string(), row.client_id, text(row.ip), created_at, last_used_at, text(row.user_agent)]
}

pub(super) async fn sign_out(settings: &Settings, Named { account }: Named) -> Result<(), CommandError> {
    let db = open_accounts(settings).await?;
    let user = find_account(&db, account).await?;
    act(&db, &user, Act::SignOut).await?;
    print(&format!("ended all sessions of {}", named(&user)))
}
