//! `keyfob user create`

use super::{hash, read_new_password};
use crate::accounts::Email;
use crate::accounts::store::NewUser;
use crate::audit::Source;
use crate::cli::{CommandError, open_accounts, print};
use crate::config::Settings;
use crate::db::{StoreError, Timestamp};
use crate::sessions::acts::create_user;

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  keyfob user create --email mia@example.com
  keyfob user create --email root@example.com --admin <password.txt")]
pub(in crate::cli) struct Create {
    /// The e-mail address to log in with
    #[arg(long)]
    email: Email,
    /// Allow the scope `admin`
    #[arg(long)]
    admin: bool,
}

pub(super) async fn create(settings: &Settings, Create { email, admin }: Create) -> Result<(), CommandError> {
    let refused = |message: &str| CommandError::Refused(message.to_owned());
    let password = read_new_password(email.as_str(), None)?;
    let db = open_accounts(settings).await?;
    let password_hash = hash(password, settings).await?;
    let now = Timestamp::now();
    let user = NewUser {
        email_key: email.key(),
        email: email.as_str().to_owned(),
        password_hash,
        full_name: None,
        is_active: true,
        is_admin: admin,
        email_verified: false,
        created_at: now,
        updated_at: now,
    };
    let created = db.write(move |conn| create_user(conn, &user, &Source::command_line(), now));
    let row = created.await.map_err(|error| match error {
        StoreError::Taken => refused(&format!("an account with the e-mail address {} already exists", email.as_str())),
        other => other.into(),
    })?;
    print(&format!("created account {} ({}){}", row.id, row.email, if admin { ", an admin" } else { "" }))
}
