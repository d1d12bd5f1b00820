//! `keyfob user set-password`

use super::named::{Named, act, and_sessions, named};
use super::{hash, read_new_password};
use crate::cli::account::find_account;
use crate::cli::{CommandError, open_accounts, print};
use crate::config::Settings;
use crate::sessions::acts::Act;

pub(super) async fn set_password(settings: &Settings, Named { account }: Named) -> Result<(), CommandError> {
    let db = open_accounts(settings).await?;
    let user = find_account(&db, account).await?;
    let chosen = read_new_password(&user.email, user.full_name.as_deref())?;
    let hash = hash(chosen, settings).await?;
    let done = act(&db, &user, Act::SetPassword(hash)).await?;
    print(&format!("set the password of {}{}", named(&user), and_sessions(&done)))
}
