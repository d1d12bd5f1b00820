//! The one-time tokens in the export of an account.

use serde_json::json;

use crate::exports::{Batch, Part};
use crate::one_time_tokens::list_of_account;

/// What the tokens are for, and from when to when they are good. There are a few at a time.
pub(crate) const ONE_TIME_TOKENS: Part = Part {
    name: "one_time_tokens",
    tables: &["one_time_tokens"],
    list: |conn, owner, _| {
        let tokens = list_of_account(conn, owner)?.into_iter();
        let show = |(purpose, created_at, expires_at): (String, _, _)| json!({ "purpose": purpose, "created_at": created_at, "expires_at": expires_at });
        Ok(Batch::whole(tokens.map(show).collect()))
    },
};
