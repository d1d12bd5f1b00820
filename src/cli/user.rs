//! `keyfob user`

use std::net::Ipv4Addr;

use super::account::{Account, find_account, parse_account};
use super::import::{Import, import};
use super::links::{Invite, ResetLink, invite, reset_link};
use super::stdin::{self, read_line};
use super::{CommandError, open_accounts, print};
use crate::accounts::Email;
use crate::accounts::store::NewUser;
use crate::audit::Source;
use crate::config::Settings;
use crate::db::{StoreError, Timestamp};
use crate::passwords::{ChosenPassword, NewPassword, Passwords};
use crate::sessions::acts::{Act, act_on, create_user};

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Create an account; reads the password from standard input, one line
    #[command(after_help = "\
Examples:
  keyfob user create --email mia@example.com
  keyfob user create --email root@example.com --admin <password.txt")]
    Create {
        /// The e-mail address to log in with
        #[arg(long)]
        email: Email,
        /// Allow the scope `admin`
        #[arg(long)]
        admin: bool,
    },
    /// End all sessions of an account, on every running process; the password does not change
    #[command(after_help = "\
Examples:
  keyfob user sign-out mia@example.com
  keyfob user sign-out 17")]
    SignOut {
        /// The e-mail address or id of the account
        #[arg(value_name = "EMAIL|ID", value_parser = parse_account)]
        account: Account,
    },
    /// Print a link that sets a new password, to pass on to the owner of the account
    ResetLink(ResetLink),
    /// Print a link that creates the account of an address, to pass on to its owner
    Invite(Invite),
    /// Import accounts with their password hashes from another program's file
    Import(Import),
}

pub(super) async fn run(command: Command, settings: &Settings) -> Result<(), CommandError> {
    match command {
        Command::Create { email, admin } => create(settings, email, admin).await,
        Command::SignOut { account } => sign_out(settings, account).await,
        Command::ResetLink(arguments) => reset_link(settings, arguments).await,
        Command::Invite(arguments) => invite(settings, arguments).await,
        Command::Import(arguments) => import(arguments, settings).await,
    }
}

async fn create(settings: &Settings, email: Email, is_admin: bool) -> Result<(), CommandError> {
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
        is_admin,
        email_verified: false,
        created_at: now,
        updated_at: now,
    };
    let created = db.write(move |conn| create_user(conn, &user, &Source::command_line(), now));
    let row = created.await.map_err(|error| match error {
        StoreError::Taken => refused(&format!("an account with the e-mail address {} already exists", email.as_str())),
        other => other.into(),
    })?;
    print(&format!("created account {} ({}){}", row.id, row.email, if is_admin { ", an admin" } else { "" }))
}

async fn sign_out(settings: &Settings, account: Account) -> Result<(), CommandError> {
    let db = open_accounts(settings).await?;
    let user = find_account(&db, account).await?;
    let (source, now) = (Source::command_line(), Timestamp::now());
    db.write(move |conn| act_on(conn, user.id, &Act::SignOut, &source, now).map(drop)).await?;
    print(&format!("ended all sessions of account {} ({})", user.id, user.email))
}

/// Reads a new password for the owner of an account, and checks all that takes no time.
pub(super) fn read_new_password(email: &str, full_name: Option<&str>) -> Result<ChosenPassword, CommandError> {
    let chosen = NewPassword::parse(&read_password()?).and_then(|new| ChosenPassword::of(email, full_name, new));
    chosen.map_err(|rejection| CommandError::Refused(rejection.message))
}

/// Checks the rest, and hashes the password for storage.
pub(super) async fn hash(chosen: ChosenPassword, settings: &Settings) -> Result<String, CommandError> {
    let passwords = Passwords::start(&settings.password, &settings.token.issuer)?;
    let hashed = passwords.hash(chosen, Ipv4Addr::LOCALHOST.into()).await;
    hashed.map_err(|fault| CommandError::Refused(fault.to_string()))
}

/// Reads one line of standard input. On a terminal it prompts twice, without echo.
fn read_password() -> Result<String, CommandError> {
    let password = read_line("Password: ", true)?;
    if password.is_empty() {
        return Err(CommandError::Refused("the password is empty: expected one line on standard input".into()));
    }
    if stdin::is_terminal() && read_line("Repeat the password: ", true)? != password {
        return Err(CommandError::Refused("the passwords do not match".into()));
    }
    Ok(password)
}
