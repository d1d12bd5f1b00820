//! `keyfob user`: what admins do by routes, without a running service or beside one. One file per command, where it is more
//! than an act on an account.

mod change;
mod create;
mod delete;
mod links;
mod list;
mod named;
mod password;
mod sessions;
mod set_password;
mod show;

use super::CommandError;
use super::import::{Import, import};
use crate::config::Settings;
use named::Named;
pub(super) use password::{hash, read_new_password};

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Create an account; reads the password from standard input, one line
    Create(create::Create),
    /// List the accounts, oldest first
    List(list::List),
    /// Show an account
    Show(show::Show),
    /// Set the password of an account and end its sessions; reads it from standard input, one line
    #[command(after_help = "\
Examples:
  keyfob user set-password mia@example.com
  keyfob user set-password 17 <password.txt")]
    SetPassword(Named),
    /// Disable an account and end its sessions; nobody can log in to it
    #[command(after_help = "Examples:\n  keyfob user disable mia@example.com\n  keyfob user disable 17")]
    Disable(Named),
    /// Enable a disabled account
    #[command(after_help = "Examples:\n  keyfob user enable mia@example.com\n  keyfob user enable 17")]
    Enable(Named),
    /// Make an account an admin's, from its next login on
    MakeAdmin(change::MakeAdmin),
    /// Mark the e-mail address of an account as verified
    #[command(after_help = "Examples:\n  keyfob user verify mia@example.com\n  keyfob user verify 17")]
    Verify(Named),
    /// List the sessions of an account, newest first
    Sessions(sessions::ListSessions),
    /// End all sessions of an account, on every running process; the password does not change
    #[command(after_help = "\
Examples:
  keyfob user sign-out mia@example.com
  keyfob user sign-out 17")]
    SignOut(Named),
    /// Print a link that sets a new password, to pass on to the owner of the account
    ResetLink(links::ResetLink),
    /// Print a link that creates the account of an address, to pass on to its owner
    Invite(links::Invite),
    /// Delete an account with its posts and sessions
    Delete(delete::Delete),
    /// Import accounts with their password hashes from another program's file
    Import(Import),
}

pub(super) async fn run(command: Command, settings: &Settings) -> Result<(), CommandError> {
    match command {
        Command::Create(arguments) => create::create(settings, arguments).await,
        Command::List(arguments) => list::list(settings, arguments).await,
        Command::Show(arguments) => show::show(settings, arguments).await,
        Command::SetPassword(named) => set_password::set_password(settings, named).await,
        Command::Disable(named) => change::disable(settings, named).await,
        Command::Enable(named) => change::enable(settings, named).await,
        Command::MakeAdmin(arguments) => change::make_admin(settings, arguments).await,
        Command::Verify(named) => change::verify(settings, named).await,
        Command::Sessions(arguments) => sessions::list_sessions(settings, arguments).await,
        Command::SignOut(named) => sessions::sign_out(settings, named).await,
        Command::ResetLink(arguments) => links::reset_link(settings, arguments).await,
        Command::Invite(arguments) => links::invite(settings, arguments).await,
        Command::Delete(arguments) => delete::delete(settings, arguments).await,
        Command::Import(arguments) => import(arguments, settings).await,
    }
}
