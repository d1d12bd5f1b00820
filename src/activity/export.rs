//! The events in the export of an account.

use super::model::shown_to_owner;
use crate::audit::store::{Filter, list_events};
use crate::db::page::Page;
use crate::exports::{Batch, Part, shown};

/// Events to read at a time.
const BATCH: i64 = 100;

pub(crate) const EVENTS: Part = Part {
    name: "events",
    tables: &["events"],
    list: |conn, owner, after| {
        let page = Page { limit: BATCH, after };
        let rows = list_events(conn, Filter { user_id: Some(owner), ..Filter::default() }, page)?;
        Ok(Batch::of(page, rows, |event| event.id, |event| shown(&shown_to_owner(event, owner))))
    },
};
