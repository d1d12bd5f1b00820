//! Events in the database.

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::query_builder::{BoxedSqlQuery, SqlQuery};
use diesel::sql_query;
use diesel::sql_types::{BigInt, Bool, Text};

use super::model::{Event, EventType, NewEvent};
use crate::db::page::Page;
use crate::db::schema::events;
use crate::db::{Conn, Id, StoreError, Timestamp, execute_on_either};

type Result<T> = std::result::Result<T, StoreError>;
type Statement = BoxedSqlQuery<'static, <Conn as diesel::Connection>::Backend, SqlQuery>;

/// How far the times of events may be out of the order of their ids, in seconds: clocks of replicas differ, and
/// transactions wait.
const DISORDER_SECONDS: u64 = 600;
/// Most events to read or delete at once.
const BATCH: i64 = 500;

/// An event as stored.
#[derive(Queryable, QueryableByName, Selectable)]
#[diesel(table_name = events)]
struct EventRow {
    id: Id,
    at: Timestamp,
    kind: String,
    user_id: Option<Id>,
    actor_id: Option<Id>,
    ip: Option<String>,
    user_agent: Option<String>,
    client_id: Option<String>,
    session_id: Option<Id>,
    request_id: Option<String>,
    details: String,
}

/// An event to insert. Every column has a value, so that all these statements have the same text.
#[derive(Insertable)]
#[diesel(table_name = events, treat_none_as_default_value = false)]
struct NewEventRow<'e> {
    at: Timestamp,
    kind: &'static str,
    user_id: Option<Id>,
    actor_id: Option<Id>,
    ip: Option<String>,
    user_agent: Option<&'e str>,
    client_id: Option<&'e str>,
    session_id: Option<Id>,
    request_id: Option<&'e str>,
    details: String,
}

/// Which events to list.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Filter {
    pub user_id: Option<Id>,
    pub kind: Option<EventType>,
    pub since: Option<Timestamp>,
}

impl Filter {
    /// Whether an event is one of them.
    pub(crate) fn accepts(&self, event: &Event) -> bool {
        self.user_id.is_none_or(|id| event.user_id == Some(id))
            && self.kind.is_none_or(|kind| event.kind == kind.as_str())
            && self.since.is_none_or(|since| event.at >= since)
    }
}

impl From<EventRow> for Event {
    fn from(row: EventRow) -> Self {
        Self {
            id: row.id,
            kind: row.kind,
            at: row.at,
            user_id: row.user_id,
            actor_id: row.actor_id,
            ip: row.ip,
            user_agent: row.user_agent,
            client_id: row.client_id,
            session_id: row.session_id,
            request_id: row.request_id,
            details: serde_json::from_str(&row.details).unwrap_or_default(),
        }
    }
}

impl<'e> From<&'e NewEvent> for NewEventRow<'e> {
    fn from(event: &'e NewEvent) -> Self {
        let (source, origin) = (&event.source, event.source.origin.as_ref());
        Self {
            at: event.at,
            kind: event.kind.as_str(),
            user_id: event.user_id,
            actor_id: source.actor_id,
            ip: origin.map(|origin| origin.ip.to_string()),
            user_agent: origin.and_then(|origin| origin.user_agent.as_deref()),
            client_id: source.client_id.as_deref(),
            session_id: source.session_id,
            request_id: origin.and_then(|origin| origin.request_id.as_deref()),
            details: serde_json::to_string(&event.details).unwrap_or_else(|_| "{}".to_owned()),
        }
    }
}

/// Records an event. Call it in the transaction of the change that the event tells of.
pub(crate) fn insert_event(conn: &mut Conn, event: &NewEvent) -> Result<()> {
    execute_on_either(conn, diesel::insert_into(events::table).values(NewEventRow::from(event)))?;
    Ok(())
}

/// Records many events.
pub(crate) fn insert_events(conn: &mut Conn, events: &[NewEvent]) -> Result<()> {
    let rows: Vec<NewEventRow<'_>> = events.iter().map(NewEventRow::from).collect();
    if !rows.is_empty() {
        execute_on_either(conn, diesel::insert_into(events::table).values(rows))?;
    }
    Ok(())
}

/// A page, newest first, with one extra event if there is a next page.
pub(crate) fn list_events(conn: &mut Conn, filter: Filter, page: Page) -> Result<Vec<Event>> {
    let before = page.after.map_or(Id::MAX.get() + 1, Id::get);
    let (first, since) = match filter.since {
        Some(since) => (find_first_id(conn, since)?, since),
        None => (0, Timestamp::from_millis(i64::MIN)),
    };
    // SQLite numbers parameters in the order in which they appear.
    let by_id = "id < $1 AND id >= $2 AND at + 0 >= $3";
    let (range, order) = match (index_of(filter), &*conn) {
        (None, _) => (by_id.to_owned(), "id DESC".to_owned()),
        (Some(column), Conn::Sqlite(_)) => (format!("{by_id} AND {column} = $4"), "id DESC".to_owned()),
        // As for the posts of an author: with `=`, PostgreSQL may walk the newest events of all for those of one.
        (Some(column), Conn::Postgres(_)) => {
            let range = format!("({column}, id) < ($4, $1) AND ({column}, id) >= ($4, $2) AND at + 0 >= $3");
            (range, format!("{column} DESC, id DESC"))
        }
    };
    // Neither `COALESCE(kind = ...)` nor `at + 0` uses an index: that of the account, or of the ids, has fewer rows to look
    // at. PostgreSQL guesses that every other event has the type, and so reads them in the order of the index until the
    // page is full; of a plain comparison it guesses that few have it, and collects and sorts all events of the account.
    let also = if filter.user_id.is_some() && filter.kind.is_some() { "AND COALESCE(kind = $5, FALSE)" } else { "" };
    let limit = page.limit + 1;
    let text = format!("SELECT * FROM events WHERE {range} {also} ORDER BY {order} LIMIT {limit}");
    let mut statement: Statement = sql_query(text).into_boxed();
    statement = statement.bind::<BigInt, _>(before).bind::<BigInt, _>(first).bind::<BigInt, _>(since);
    if let Some(user_id) = filter.user_id {
        statement = statement.bind::<BigInt, _>(user_id);
    }
    if let Some(kind) = filter.kind {
        statement = statement.bind::<Text, _>(kind.as_str());
    }
    Ok(statement.load::<EventRow>(conn)?.into_iter().map(Event::from).collect())
}

/// The column whose index leads to the events of a filter.
fn index_of(filter: Filter) -> Option<&'static str> {
    match (filter.user_id, filter.kind) {
        (Some(_), _) => Some("user_id"),
        (None, Some(_)) => Some("kind"),
        (None, None) => None,
    }
}

/// An id that no event since then is below: that of the first event since then, or the one after the last before. Where
/// they differ by much, the clock was set back.
pub(crate) fn find_first_id(conn: &mut Conn, since: Timestamp) -> Result<i64> {
    let since = since.minus_seconds(DISORDER_SECONDS);
    let (before, after) = (events::table.filter(events::at.lt(since)), events::table.filter(events::at.ge(since)));
    let last: Option<Id> = before.order(events::at.desc()).select(events::id).first(conn).optional()?;
    let first: Option<Id> = after.order(events::at).select(events::id).first(conn).optional()?;
    Ok(first.map_or(i64::MAX, |first| first.get().min(last.map_or(0, |last| last.get() + 1))))
}

/// A batch of events from that id on, oldest first.
pub(crate) fn list_from_id(conn: &mut Conn, id: i64) -> Result<Vec<Event>> {
    let events = events::table.filter(events::id.ge(id)).order(events::id).limit(BATCH);
    let rows: Vec<EventRow> = events.select(EventRow::as_select()).load(conn)?;
    Ok(rows.into_iter().map(Event::from).collect())
}

/// The events from a position of the feed on, oldest first.
pub(super) fn list_from_position(conn: &mut Conn, position: i64) -> Result<Vec<Event>> {
    let events = events::table.order(events::id).select(EventRow::as_select());
    let rows: Vec<EventRow> = match &*conn {
        Conn::Sqlite(_) => events.filter(events::id.ge(position)).load(conn)?,
        Conn::Postgres(_) => events.filter(sql::<Bool>("local_position >= ").bind::<BigInt, _>(position)).load(conn)?,
    };
    Ok(rows.into_iter().map(Event::from).collect())
}

/// Deletes a batch of events from before then. Returns whether there may be more.
pub(crate) fn delete_old_events(conn: &mut Conn, before: Timestamp) -> Result<bool> {
    let old = events::table.filter(events::at.lt(before)).order(events::at).select(events::id).limit(BATCH);
    let old: Vec<Id> = old.load(conn)?;
    diesel::delete(events::table.filter(events::id.eq_any(&old))).execute(conn)?;
    Ok(i64::try_from(old.len()).is_ok_and(|found| found >= BATCH))
}
