//! Sessions as their owners and admins see them.

use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::store::SessionRow;
use crate::db::page::{MAX_LIMIT, Page, next_cursor};
use crate::db::{Id, Timestamp};
use crate::fields::{Fields, FromFields};

/// A session, which begins with a login.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Session {
    /// The session's id, the `sid` claim of its access tokens.
    id: Id,
    /// The client that logged in.
    #[schema(example = "keyfob")]
    client_id: String,
    /// The `User-Agent` header of the login.
    #[schema(example = "Mozilla/5.0", required)]
    user_agent: Option<String>,
    /// The IP address of the login.
    #[schema(example = "127.0.0.1", required)]
    ip: Option<String>,
    /// Time of the login, UTC.
    created_at: Timestamp,
    /// Time of the last use, UTC; updated with a delay of some seconds.
    last_used_at: Timestamp,
    /// Whether this request belongs to the session.
    #[schema(example = true)]
    current: bool,
}

impl Session {
    /// The session of a row, seen from another one or itself.
    pub(crate) fn new(row: SessionRow, seen_from: Option<Id>) -> Self {
        Self {
            id: row.id,
            client_id: row.client_id,
            user_agent: row.user_agent,
            ip: row.ip,
            created_at: row.created_at,
            last_used_at: row.last_used_at,
            current: seen_from == Some(row.id),
        }
    }
}

/// A page of the sessions that have not ended, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SessionList {
    /// The sessions.
    items: Vec<Session>,
    /// Pass it as `cursor` to get the next page; `null` on the last page.
    #[schema(required = true, example = "MQ")]
    next_cursor: Option<String>,
}

/// Which page of an account's sessions.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct SessionQuery {
    /// Maximum number of sessions, 1 to 100. Default: 100.
    #[param(required = false, minimum = 1, maximum = 100, example = 100)]
    limit: i64,
    /// The `next_cursor` of the previous page.
    #[param(rename = "cursor", value_type = Option<String>)]
    after: Option<Id>,
}

impl FromFields for SessionQuery {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        // The maximum by default: a client that does not page should see all sessions, or nearly all.
        let Page { limit, after } = Page::read(fields, MAX_LIMIT)?;
        Some(Self { limit, after })
    }
}

impl SessionQuery {
    pub(crate) fn page(&self) -> Page {
        Page { limit: self.limit, after: self.after }
    }
}

impl SessionList {
    /// The page that these rows begin, seen from a session.
    pub(crate) fn new(mut rows: Vec<SessionRow>, page: Page, seen_from: Id) -> Self {
        let next_cursor = next_cursor(&mut rows, page.limit, |row| row.id);
        let items = rows.into_iter().map(|row| Session::new(row, Some(seen_from)));
        Self { items: items.collect(), next_cursor }
    }
}
