//! `keyfob user reset-link` and `keyfob user invite`: links to pass on without mail.

use secrecy::ExposeSecret;

use super::named::Named;
use crate::accounts::Email;
use crate::accounts::store::find_id_by_email_key;
use crate::audit::{EventType, NewEvent, Source, insert_event};
use crate::cli::account::find_account;
use crate::cli::{CommandError, open_accounts, print};
use crate::config::{Settings, SignUpMode};
use crate::db::Timestamp;
use crate::one_time_tokens::links::Links;
use crate::one_time_tokens::{self as tokens, Issued, Purpose, RESET_TTL_SECONDS, issue};

/// The longest life of a link, in seconds: 30 days.
const MAX_TTL_SECONDS: u64 = 30 * 86_400;

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  keyfob user reset-link mia@example.com
  keyfob user reset-link 17 --ttl 24h")]
pub(in crate::cli) struct ResetLink {
    #[command(flatten)]
    named: Named,
    /// How long the link works: a number with s, m, h or d, at most 30d; 30m if absent
    #[arg(long, value_parser = parse_ttl)]
    ttl: Option<u64>,
}

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  keyfob user invite mia@example.com
  keyfob user invite mia@example.com --ttl 14d")]
pub(in crate::cli) struct Invite {
    /// The e-mail address of the new account
    email: Email,
    /// How long the link works: a number with s, m, h or d, at most 30d; accounts.invitation_ttl_seconds if absent
    #[arg(long, value_parser = parse_ttl)]
    ttl: Option<u64>,
}

pub(super) async fn reset_link(settings: &Settings, ResetLink { named, ttl }: ResetLink) -> Result<(), CommandError> {
    let db = open_accounts(settings).await?;
    let user = find_account(&db, named.account).await?;
    let (ttl, now) = (ttl.unwrap_or(RESET_TTL_SECONDS), Timestamp::now());
    let event = NewEvent::new(EventType::ResetLinkMade, &Source::command_line(), now).of(user.id);
    let made = db.write(move |conn| {
        let issued = issue(conn, Purpose::PasswordReset, user.id, ttl, now)?;
        if issued.is_some() {
            insert_event(conn, &event)?;
        }
        Ok(issued)
    });
    match made.await? {
        Some(issued) => print_link(settings, Purpose::PasswordReset, &issued),
        None => Err(CommandError::Refused(format!("account {} ({}) is disabled", user.id, user.email))),
    }
}

pub(super) async fn invite(settings: &Settings, Invite { email, ttl }: Invite) -> Result<(), CommandError> {
    if settings.accounts.signup == SignUpMode::Closed {
        let refused = "accounts.signup is closed: set it to invited, or create the account with `keyfob user create`";
        return Err(CommandError::Refused(refused.to_owned()));
    }
    let db = open_accounts(settings).await?;
    let (ttl, now) = (ttl.unwrap_or(settings.accounts.invitation_ttl_seconds), Timestamp::now());
    let address = email.as_str().to_owned();
    let invited = db.write(move |conn| match find_id_by_email_key(conn, &email.key())? {
        Some(id) => Ok(Err(id)),
        None => tokens::invite(conn, &email, ttl, now).map(Ok),
    });
    match invited.await? {
        Ok(issued) => print_link(settings, Purpose::Invitation, &issued),
        Err(id) => Err(CommandError::Refused(format!(
            "account {id} already has the e-mail address {address}: use `keyfob user reset-link {id}`"
        ))),
    }
}

/// Prints the link alone, so that it can be piped.
fn print_link(settings: &Settings, purpose: Purpose, issued: &Issued) -> Result<(), CommandError> {
    let links = Links::new(&settings.accounts, &settings.token);
    print(links.url(purpose, &issued.token).expose_secret())
}

/// Reads a duration in seconds.
fn parse_ttl(text: &str) -> Result<u64, String> {
    let units = [("s", 1), ("m", 60), ("h", 3600), ("d", 86_400)];
    let seconds = units.into_iter().find_map(|(unit, seconds)| {
        let count: u64 = text.strip_suffix(unit)?.parse().ok()?;
        count.checked_mul(seconds)
    });
    let fits = seconds.filter(|seconds| (1..=MAX_TTL_SECONDS).contains(seconds));
    fits.ok_or_else(|| "expected a number with s, m, h or d, such as 24h, at most 30d".to_owned())
}
