//! The audit trail: who did what to which account, when, and from where.
//!
//! A change records its event in its own transaction with [`store::insert_event`], so that one is there exactly if the
//! other is:
//!
//! ```text
//! let event = NewEvent::new(EventType::UserDisabled, &user.source(origin), now).of(id);
//! sessions.write_as(user.caller(), move |conn, _| {
//!     accounts::update_is_active(conn, id, false, now)?;
//!     insert_event(conn, &event)
//! })
//! ```

pub(crate) mod feed;
pub(crate) mod model;
pub(crate) mod source;
pub(crate) mod store;

pub(crate) use model::{Event, EventType, NewEvent};
pub(crate) use source::{Origin, Source};
pub(crate) use store::{insert_event, insert_events};
