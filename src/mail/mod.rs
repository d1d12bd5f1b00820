//! Mails. A change queues its mail in its own transaction, so that the mail goes out exactly if the change was made:
//!
//! ```text
//! let mail = NewMail::new(Kind::PasswordChanged, language).of(user_id);
//! db.write(move |conn| {
//!     accounts::update_password(conn, user_id, &hash, now)?;
//!     outbox.queue(conn, &mail, now)
//! })
//! ```
//!
//! A worker in every replica takes one queued mail at a time. In one transaction it leases the mail, has the feature
//! write the letter as things are by then ([`Composers`]), checks how many mails the address has had, and makes the link.
//! It sends outside of any transaction. A mail whose sender dies is sent again when its lease is over; the `Message-ID`
//! stays the same.

mod folder;
mod kind;
mod limits;
mod mailer;
mod message;
mod model;
mod outbox;
mod smtp;
pub(crate) mod store;
mod templates;
mod turn;

pub(crate) use kind::Kind;
pub(crate) use mailer::{Mailer, Told};
pub(crate) use model::{Compose, Composers, Desk, Letter, NewMail, Queued, in_words, to_owner};
pub(crate) use outbox::{Outbox, is_repeatable};
