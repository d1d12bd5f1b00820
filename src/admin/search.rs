//! Finds accounts by a part of their address.

use tokio::task::yield_now;

use crate::accounts::admins::store::{Part, search_users};
use crate::accounts::store::UserRow;
use crate::db::page::{Cursor, Page, next_cursor};
use crate::db::{Db, Id, StoreError};

/// Windows that a request looks at, so half a million accounts. A search that goes on beyond them returns what it has found,
/// and a cursor to continue with.
const MAX_WINDOWS: usize = 100;

/// A page of the accounts whose address has that part, oldest first, and the cursor of the next.
pub(super) async fn search(db: &Db, part: Part, page: Page) -> Result<(Vec<UserRow>, Option<String>), StoreError> {
    let mut found: Vec<UserRow> = Vec::new();
    let mut after: Option<Id> = page.after;
    for _ in 0..MAX_WINDOWS {
        let missing = page.limit - i64::try_from(found.len()).unwrap_or(page.limit);
        let (part, window) = (part.clone(), Page { limit: missing, after });
        let (rows, last) = db.read(move |conn| search_users(conn, &part, window)).await?;
        found.extend(rows);
        let cursor = next_cursor(&mut found, page.limit, |row| row.id);
        if cursor.is_some() || last.is_none() {
            return Ok((found, cursor));
        }
        after = last;
        // On SQLite a read occupies the worker.
        yield_now().await;
    }
    Ok((found, after.map(|id| Cursor(id).encode())))
}
