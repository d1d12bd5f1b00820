//! The one-time tokens and the mails in the export of an account.

use serde_json::json;

use crate::exports::{Batch, Part};
use crate::mail::store::{MailRow, list_of_account as list_mails};
use crate::one_time_tokens::list_of_account as list_tokens;

/// What the tokens are for, and from when to when they are good. There are a few at a time.
pub(crate) const ONE_TIME_TOKENS: Part = Part {
    name: "one_time_tokens",
    tables: &["one_time_tokens"],
    list: |conn, owner, _| {
        let tokens = list_tokens(conn, owner)?.into_iter();
        let show = |(purpose, created_at, expires_at): (String, _, _)| json!({ "purpose": purpose, "created_at": created_at, "expires_at": expires_at });
        Ok(Batch::whole(tokens.map(show).collect()))
    },
};

/// The mails that wait, and those of the last days, without what they say. They are limited.
pub(crate) const MAILS: Part = Part {
    name: "mails",
    tables: &["local_mail_outbox"],
    list: |conn, owner, _| {
        let mails = list_mails(conn, owner)?.into_iter();
        let show = |mail: MailRow| {
            let MailRow { kind, queued_at, ended_at, is_sent, .. } = mail;
            json!({ "kind": kind, "queued_at": queued_at, "ended_at": ended_at, "is_sent": is_sent })
        };
        Ok(Batch::whole(mails.map(show).collect()))
    },
};
