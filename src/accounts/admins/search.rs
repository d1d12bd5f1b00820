//! Finds accounts by a part of their address.

use tokio::task::yield_now;

pub(crate) use super::store::Part;
use super::store::search_users;
use crate::accounts::store::UserRow;
use crate::db::page::Page;
use crate::db::{Db, Id, StoreError};
use crate::unicode::without_case;

/// Windows that a search looks at, so half a million accounts. One that goes on beyond them returns what it has found, and
/// where to continue.
const MAX_WINDOWS: usize = 100;

impl Part {
    /// What to look for; `None` if nothing was typed.
    pub(crate) fn of(typed: &str) -> Option<Self> {
        let typed = typed.trim();
        let part = || Self { of_key: without_case(typed), of_address: typed.to_owned() };
        (!typed.is_empty()).then(part)
    }
}

/// A page of the accounts whose address has that part, oldest first, and the id after which the next page begins.
pub(crate) async fn search(db: &Db, part: &Part, page: Page) -> Result<(Vec<UserRow>, Option<Id>), StoreError> {
    let mut found: Vec<UserRow> = Vec::new();
    let mut after = page.after;
    for _ in 0..MAX_WINDOWS {
        let missing = page.limit - i64::try_from(found.len()).unwrap_or(page.limit);
        let (part, window) = (part.clone(), Page { limit: missing, after });
        let (rows, last) = db.read(move |conn| search_users(conn, &part, window)).await?;
        found.extend(rows);
        let next = page.cut(&mut found, |row| row.id);
        if next.is_some() || last.is_none() {
            return Ok((found, next));
        }
        after = last;
        // On SQLite a read occupies the worker.
        yield_now().await;
    }
    Ok((found, after))
}
