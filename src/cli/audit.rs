//! `keyfob audit`

use std::pin::pin;
use std::time::Duration;

use futures_util::future::select;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;

use super::account::{Account, find_account, parse_account};
use super::{CommandError, note, print};
use crate::audit::feed::Feed;
use crate::audit::store::{Filter, find_first_id, list_events, list_from_id};
use crate::audit::{Event, EventType};
use crate::config::Settings;
use crate::db::page::Page;
use crate::db::{Db, Id, StoreError, Timestamp};

/// The events shown without `--since`.
const USUAL_EVENTS: i64 = 100;
/// Time between two looks for new events.
const LOOK_EVERY: Duration = Duration::from_millis(500);

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  keyfob audit
  keyfob audit --follow --type log_in_refused
  keyfob audit --user mia@example.com --since 2026-11-01T00:00:00Z --json

Without --since, the last 100 events are shown. Refused logins are recorded some seconds later, and many of them as one
event with their count.")]
pub(super) struct Audit {
    /// Go on with new events until Ctrl-C or SIGTERM
    #[arg(long)]
    follow: bool,
    /// Print each event as a line of JSON
    #[arg(long)]
    json: bool,
    /// Only what happened to this account
    #[arg(long, value_name = "EMAIL|ID", value_parser = parse_account)]
    user: Option<Account>,
    /// Only events of this type, such as log_in
    #[arg(long = "type", value_name = "TYPE", value_parser = parse_type)]
    kind: Option<EventType>,
    /// Only what happened at this time or later, such as 2026-11-21T20:58:00Z
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    since: Option<Timestamp>,
}

pub(super) async fn run(arguments: Audit, settings: &Settings) -> Result<(), CommandError> {
    let db = Db::open_to_read(&settings.database)?;
    let user_id = match arguments.user {
        // The events of an account outlive it.
        Some(Account::Id(id)) => Some(id),
        Some(account) => Some(find_account(&db, account).await?.id),
        None => None,
    };
    let filter = Filter { user_id, kind: arguments.kind, since: arguments.since };
    let show = Show { filter, as_json: arguments.json };
    // Before the events so far are read, so that there is no gap.
    let mut feed = Feed::begin(&db, Timestamp::now()).await?;
    show.history(&db, &mut feed).await?;
    if arguments.follow { show.follow(&db, &mut feed).await } else { Ok(()) }
}

/// What to show, and how.
struct Show {
    filter: Filter,
    as_json: bool,
}

impl Show {
    /// The events so far.
    async fn history(&self, db: &Db, feed: &mut Feed) -> Result<(), CommandError> {
        let filter = self.filter;
        let Some(since) = filter.since else {
            let page = Page { limit: USUAL_EVENTS, after: None };
            let mut events = db.read(move |conn| list_events(conn, filter, page)).await?;
            events.truncate(usize::try_from(USUAL_EVENTS).unwrap_or(usize::MAX));
            events.reverse();
            feed.skip(&events);
            return self.print(&events);
        };
        let mut next = db.read(move |conn| find_first_id(conn, since)).await?;
        loop {
            let events = db.read(move |conn| list_from_id(conn, next)).await?;
            let Some(last) = events.last() else { return Ok(()) };
            next = last.id.get() + 1;
            feed.skip(&events);
            self.print(&events)?;
        }
    }

    /// New events, until a signal.
    async fn follow(&self, db: &Db, feed: &mut Feed) -> Result<(), CommandError> {
        let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let terminated = pin!(terminate.recv());
        let interrupted = pin!(interrupt.recv());
        let mut stopped = select(terminated, interrupted);
        let mut is_away = false;
        while timeout(LOOK_EVERY, &mut stopped).await.is_err() {
            match feed.read(db, Timestamp::now()).await {
                Ok(events) => {
                    is_away = false;
                    self.print(&events)?;
                }
                Err(error @ StoreError::Unavailable(_)) => {
                    if !is_away {
                        note(&format!("keyfob: {error}; trying again"));
                    }
                    is_away = true;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn print(&self, events: &[Event]) -> Result<(), CommandError> {
        for event in events.iter().filter(|event| self.filter.accepts(event)) {
            let json = || serde_json::to_string(event).map_err(std::io::Error::other);
            print(&if self.as_json { json()? } else { line(event) })?;
        }
        Ok(())
    }
}

/// An event as a line of the log: its time, its type, and what else is known.
fn line(event: &Event) -> String {
    let id = |id: Option<Id>| id.map(|id| id.to_string());
    let known = [
        ("user_id", id(event.user_id)),
        ("actor_id", id(event.actor_id)),
        ("ip", event.ip.clone()),
        ("client_id", event.client_id.clone()),
        ("session_id", id(event.session_id)),
        ("request_id", event.request_id.clone()),
        ("user_agent", event.user_agent.as_ref().map(|text| format!("{text:?}"))),
    ];
    let known = known.into_iter().filter_map(|(name, value)| Some(format!(" {name}={}", value?)));
    let details = event.details.iter().map(|(name, value)| format!(" {name}={value}"));
    format!("{} {}{}", event.at.to_fixed_width().as_str(), event.kind, known.chain(details).collect::<String>())
}

fn parse_type(text: &str) -> Result<EventType, String> {
    EventType::parse(text)
        .ok_or_else(|| format!("expected one of {}", EventType::ALL.map(EventType::as_str).join(", ")))
}

fn parse_time(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse(text).ok_or_else(|| "expected a time such as 2026-11-21T20:58:00Z".to_owned())
}
