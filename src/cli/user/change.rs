//! `keyfob user disable`, `enable`, `make-admin` and `verify`

use super::named::{Named, act, and_sessions, named};
use crate::accounts::store::UserRow;
use crate::cli::account::find_account;
use crate::cli::{CommandError, open_accounts, print};
use crate::config::Settings;
use crate::sessions::acts::{Act, Changes};

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  keyfob user make-admin mia@example.com
  keyfob user make-admin 17 --revoke")]
pub(in crate::cli) struct MakeAdmin {
    #[command(flatten)]
    named: Named,
    /// Take the rights away again, and end the sessions
    #[arg(long)]
    revoke: bool,
}

/// What a command does: the change, whether an account is so already, and the words for both.
struct Change {
    changes: Changes,
    is_so: fn(&UserRow) -> bool,
    done: &'static str,
    already: &'static str,
}

pub(super) async fn disable(settings: &Settings, named: Named) -> Result<(), CommandError> {
    let changes = Changes { is_active: Some(false), ..Changes::NONE };
    let is_so = |user: &UserRow| !user.is_active;
    change(settings, named, Change { changes, is_so, done: "disabled", already: "is already disabled" }).await
}

pub(super) async fn enable(settings: &Settings, named: Named) -> Result<(), CommandError> {
    let changes = Changes { is_active: Some(true), ..Changes::NONE };
    let is_so = |user: &UserRow| user.is_active;
    change(settings, named, Change { changes, is_so, done: "enabled", already: "is not disabled" }).await
}

pub(super) async fn make_admin(
    settings: &Settings,
    MakeAdmin { named, revoke }: MakeAdmin,
) -> Result<(), CommandError> {
    let changes = Changes { is_admin: Some(!revoke), ..Changes::NONE };
    let wanted = if revoke {
        let is_so = |user: &UserRow| !user.is_admin;
        Change { changes, is_so, done: "took the admin rights away from", already: "is no admin" }
    } else {
        let is_so = |user: &UserRow| user.is_admin;
        Change { changes, is_so, done: "gave admin rights to", already: "is already an admin" }
    };
    change(settings, named, wanted).await
}

pub(super) async fn verify(settings: &Settings, named: Named) -> Result<(), CommandError> {
    let changes = Changes { email_verified: Some(true), ..Changes::NONE };
    let is_so = |user: &UserRow| user.email_verified;
    let (done, already) = ("verified the e-mail address of", "already has a verified e-mail address");
    change(settings, named, Change { changes, is_so, done, already }).await
}

async fn change(settings: &Settings, Named { account }: Named, wanted: Change) -> Result<(), CommandError> {
    let db = open_accounts(settings).await?;
    let user = find_account(&db, account).await?;
    if (wanted.is_so)(&user) {
        return print(&format!("{} {}", named(&user), wanted.already));
    }
    let done = act(&db, &user, Act::Change(wanted.changes)).await?;
    print(&format!("{} {}{}", wanted.done, named(&user), and_sessions(&done)))
}
