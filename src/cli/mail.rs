//! `keyfob mail`

use serde_json::json;

use super::table::print_table;
use super::{CommandError, print};
use crate::config::Settings;
use crate::db::{Conn, Db, Id, StoreError, Timestamp};
use crate::mail::is_repeatable;
use crate::mail::store::{MailRow, list_mails, lock_mail, update_queued_again};

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// List the mails that wait, and those of the last 7 days: id, kind, state, when queued, next attempt, attempts, error
    #[command(after_help = "\
Examples:
  keyfob mail list
  keyfob mail list --json | jq 'select(.state == \"failed\")'

The state is waiting, sending, sent or failed. Addresses and texts are not shown: they are deleted once a mail has been
sent or given up.")]
    List {
        /// Print each mail as a line of JSON
        #[arg(long)]
        json: bool,
    },
    /// Try a mail again at once, whether it waits or has failed
    #[command(after_help = "Example:\n  keyfob mail retry 7")]
    Retry {
        /// The id of the mail
        #[arg(value_parser = parse_id)]
        id: Id,
    },
}

/// Why a mail cannot be tried again.
enum Refusal {
    Unknown,
    Sent,
    Sending,
    Wiped,
}

pub(super) async fn run(command: Command, settings: &Settings) -> Result<(), CommandError> {
    match command {
        Command::List { json } => list(&Db::open_to_read(&settings.database)?, json).await,
        Command::Retry { id } => retry(&Db::open(&settings.database)?, id).await,
    }
}

async fn list(db: &Db, as_json: bool) -> Result<(), CommandError> {
    let (mut rows, mut after, now) = (Vec::new(), 0, Timestamp::now());
    loop {
        let batch = db.read(move |conn| list_mails(conn, after)).await?;
        let Some(last) = batch.last() else { break };
        after = last.id.get();
        match as_json {
            true => batch.iter().try_for_each(|mail| print(&line(mail, now)))?,
            false => rows.extend(batch.iter().map(|mail| columns(mail, now))),
        }
    }
    let header = ["ID", "KIND", "STATE", "QUEUED", "NEXT ATTEMPT", "ATTEMPTS", "ERROR"];
    if as_json { Ok(()) } else { print_table(header, &rows) }
}

async fn retry(db: &Db, id: Id) -> Result<(), CommandError> {
    let now = Timestamp::now();
    let refused = |text: String| Err(CommandError::Refused(text));
    match db.write(move |conn| queue_again(conn, id, now)).await? {
        Ok(()) => Ok(()),
        Err(Refusal::Unknown) => refused(format!("no mail has the id {id}")),
        Err(Refusal::Sent) => refused(format!("mail {id} has been sent")),
        Err(Refusal::Sending) => refused(format!("mail {id} is being sent at the moment")),
        Err(Refusal::Wiped) => refused(format!(
            "mail {id} cannot be tried again: what it held was deleted when it was given up, so it must be requested again"
        )),
    }
}

fn queue_again(conn: &mut Conn, id: Id, now: Timestamp) -> Result<Result<(), Refusal>, StoreError> {
    let Some(mail) = lock_mail(conn, id)? else { return Ok(Err(Refusal::Unknown)) };
    match state(&mail, now) {
        "sent" => Ok(Err(Refusal::Sent)),
        "sending" => Ok(Err(Refusal::Sending)),
        "failed" if !is_repeatable(&mail.kind, mail.user_id.is_some()) => Ok(Err(Refusal::Wiped)),
        _ => update_queued_again(conn, id, now).map(Ok),
    }
}

fn state(mail: &MailRow, now: Timestamp) -> &'static str {
    match (mail.ended_at, mail.is_sent) {
        (Some(_), true) => "sent",
        (Some(_), false) => "failed",
        (None, _) if mail.lease.is_some() && mail.due_at > now => "sending",
        (None, _) => "waiting",
    }
}

fn columns(mail: &MailRow, now: Timestamp) -> [String; 7] {
    let next = if mail.ended_at.is_some() { "-".to_owned() } else { mail.due_at.to_string() };
    let error = mail.last_error.clone().unwrap_or_else(|| "-".to_owned());
    let (queued_at, tries) = (mail.queued_at.to_string(), mail.tries.to_string());
    [mail.id.to_string(), mail.kind.clone(), state(mail, now).to_owned(), queued_at, next, tries, error]
}

fn line(mail: &MailRow, now: Timestamp) -> String {
    json!({
        "id": mail.id,
        "kind": mail.kind,
        "state": state(mail, now),
        "user_id": mail.user_id,
        "queued_at": mail.queued_at,
        "next_attempt_at": mail.ended_at.is_none().then_some(mail.due_at),
        "ended_at": mail.ended_at,
        "attempts": mail.tries,
        "error": mail.last_error,
    })
    .to_string()
}

fn parse_id(text: &str) -> Result<Id, String> {
    Id::parse(text).ok_or_else(|| "expected a number of the first column of `keyfob mail list`".to_owned())
}
