//! A page of events, and which one is requested.

use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use crate::audit::store::Filter;
use crate::audit::{Event, EventType};
use crate::db::page::Page;
use crate::db::{Id, Timestamp};
use crate::fields::{Fields, FromFields};

/// The default page size.
const DEFAULT_LIMIT: i64 = 20;

/// A page of events, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EventPage {
    /// The events.
    pub items: Vec<Event>,
    /// Pass it as `cursor` to get the next page; `null` on the last page.
    #[schema(example = "MQ", required)]
    pub next_cursor: Option<String>,
}

/// Which page of the caller's events.
#[derive(Clone, Copy, Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ActivityQuery {
    /// Maximum number of events, 1 to 100. Default: 20.
    #[param(required = false, minimum = 1, maximum = 100, example = 20)]
    pub limit: i64,
    /// The `next_cursor` of the previous page.
    #[param(rename = "cursor", value_type = Option<String>)]
    pub after: Option<Id>,
}

impl FromFields for ActivityQuery {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let Page { limit, after } = Page::read(fields, DEFAULT_LIMIT)?;
        Some(Self { limit, after })
    }
}

/// Which page of all events, and which of them.
#[derive(Clone, Copy, Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct AuditQuery {
    /// Maximum number of events, 1 to 100. Default: 20.
    #[param(required = false, minimum = 1, maximum = 100, example = 20)]
    pub limit: i64,
    /// The `next_cursor` of the previous page.
    #[param(rename = "cursor", value_type = Option<String>)]
    pub after: Option<Id>,
    /// Only what happened to this account.
    pub user_id: Option<Id>,
    /// Only events of this type.
    #[param(rename = "type", inline)]
    pub kind: Option<EventType>,
    /// Only what happened at this time or later, in RFC 3339.
    pub since: Option<Timestamp>,
}

impl FromFields for AuditQuery {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let page = Page::read(fields, DEFAULT_LIMIT);
        let (user_id, kind, since) = (fields.optional("user_id"), fields.optional("type"), fields.optional("since"));
        let Page { limit, after } = page?;
        Some(Self { limit, after, user_id: user_id?, kind: kind?, since: since? })
    }
}

impl AuditQuery {
    pub(super) fn filter(self) -> Filter {
        Filter { user_id: self.user_id, kind: self.kind, since: self.since }
    }
}

/// An event as the owner of the account sees it. What another account did shows nothing of that other but its id.
pub(super) fn shown_to_owner(event: Event, owner: Id) -> Event {
    match event.actor_id {
        Some(actor_id) if actor_id != owner => {
            Event { ip: None, user_agent: None, client_id: None, session_id: None, request_id: None, ..event }
        }
        _ => event,
    }
}
