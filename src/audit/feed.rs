//! Follows the events: each is read, however late its transaction commits.

use std::collections::HashSet;

use super::model::Event;
use super::store;
use crate::db::{Conn, Db, Id, Place, StoreError, Timestamp, find_place_of};

/// How far back to read when the positions of the feed are no longer the same ones, in seconds.
const LOOK_BACK_SECONDS: u64 = 3600;

/// A reader of the events that are recorded from now on.
pub(crate) struct Feed {
    place: Place,
    read_at: Timestamp,
    /// The events of the last read, which may be found once more while a transaction that began before them is open.
    seen: HashSet<Id>,
}

impl Feed {
    /// Begins to follow.
    pub(crate) async fn begin(db: &Db, now: Timestamp) -> Result<Self, StoreError> {
        let place = db.read(find_place).await?;
        Ok(Self { place, read_at: now, seen: HashSet::new() })
    }

    /// Leaves out events that the caller has already.
    pub(crate) fn skip(&mut self, events: &[Event]) {
        let earliest = self.read_at.minus_seconds(LOOK_BACK_SECONDS);
        self.seen.extend(events.iter().filter(|event| event.at >= earliest).map(|event| event.id));
    }

    /// The events that have appeared since the last call, oldest first. After a failover some may come twice.
    pub(crate) async fn read(&mut self, db: &Db, now: Timestamp) -> Result<Vec<Event>, StoreError> {
        let (last_place, read_at) = (self.place, self.read_at);
        let (place, events) = db
            .read(move |conn| {
                let place = find_place(conn)?;
                let events = match last_place.first_unread(place) {
                    0 => list_since(conn, read_at.minus_seconds(LOOK_BACK_SECONDS))?,
                    position => store::list_from_position(conn, position)?,
                };
                Ok((place, events))
            })
            .await?;
        let seen = std::mem::replace(&mut self.seen, events.iter().map(|event| event.id).collect());
        (self.place, self.read_at) = (place, now);
        Ok(events.into_iter().filter(|event| !seen.contains(&event.id)).collect())
    }
}

fn find_place(conn: &mut Conn) -> Result<Place, StoreError> {
    find_place_of(conn, "events", "id")
}

fn list_since(conn: &mut Conn, since: Timestamp) -> Result<Vec<Event>, StoreError> {
    let mut next = store::find_first_id(conn, since)?;
    let mut found = Vec::new();
    loop {
        let events = store::list_from_id(conn, next)?;
        let Some(last) = events.last() else { return Ok(found) };
        next = last.id.get() + 1;
        found.extend(events);
    }
}
