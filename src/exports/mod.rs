//! Everything that is kept about an account, as one JSON document, piece by piece: however much it is, a part of it is in
//! memory at a time. Each feature tells its own part, and `app/` lists them.

use serde::Serialize;
use serde_json::{Value, json};

use crate::db::page::Page;
use crate::db::{Conn, Db, Id, StoreError, Timestamp};

/// The name of the format.
const FORMAT: &str = "keyfob-export-1";

/// A list of the document, and how to read it.
pub(crate) struct Part {
    /// Its name in the document.
    pub name: &'static str,
    /// The tables whose rows about the account it has.
    #[cfg_attr(not(test), expect(dead_code, reason = "a test compares them with the tables that there are"))]
    pub tables: &'static [&'static str],
    pub list: fn(&mut Conn, Id, Option<Id>) -> Result<Batch, StoreError>,
}

/// Some items of a list, and after which one the next batch begins, if there is one.
pub(crate) struct Batch {
    items: Vec<Value>,
    next: Option<Id>,
}

/// The parts of every document.
pub(crate) struct Exported(pub &'static [Part]);

impl Batch {
    /// The rows of a page, which has one more if there is a next page.
    pub(crate) fn of<R>(page: Page, mut rows: Vec<R>, id: impl Fn(&R) -> Id, show: impl Fn(R) -> Value) -> Self {
        let limit = usize::try_from(page.limit).unwrap_or_default();
        let is_last = rows.len() <= limit;
        rows.truncate(limit);
        let next = rows.last().map(id).filter(|_| !is_last);
        Self { items: rows.into_iter().map(show).collect(), next }
    }

    /// A list that is never long.
    pub(crate) fn whole(items: Vec<Value>) -> Self {
        Self { items, next: None }
    }
}

/// An item as JSON.
pub(crate) fn shown(item: &impl Serialize) -> Value {
    serde_json::to_value(item).unwrap_or_default()
}

/// A document that is being written.
pub(crate) struct Export {
    db: Db,
    owner: Id,
    begin: Option<String>,
    parts: std::slice::Iter<'static, Part>,
    open: Option<Open>,
    is_over: bool,
}

/// A list that has begun.
struct Open {
    part: &'static Part,
    after: Option<Id>,
    has_items: bool,
}

impl Export {
    /// The document of an account; `user` is what is shown of it.
    pub(crate) fn new(db: &Db, owner: Id, user: &impl Serialize, exported: &Exported, now: Timestamp) -> Self {
        let begin = json!({ "format": FORMAT, "exported_at": now, "user": shown(user) }).to_string();
        let begin = begin.strip_suffix('}').unwrap_or(&begin).to_owned();
        Self { db: db.clone(), owner, begin: Some(begin), parts: exported.0.iter(), open: None, is_over: false }
    }

    /// The next piece; `None` after the last one.
    pub(crate) async fn next(&mut self) -> Result<Option<String>, StoreError> {
        if let Some(begin) = self.begin.take() {
            return Ok(Some(begin));
        }
        match self.open.take() {
            Some(open) => self.go_on(open).await.map(Some),
            None if self.is_over => Ok(None),
            None => Ok(Some(match self.parts.next() {
                Some(part) => {
                    self.open = Some(Open { part, after: None, has_items: false });
                    format!(",\"{}\":[", part.name)
                }
                None => {
                    self.is_over = true;
                    "}\n".to_owned()
                }
            })),
        }
    }

    async fn go_on(&mut self, open: Open) -> Result<String, StoreError> {
        let Open { part, after, mut has_items } = open;
        let (list, owner) = (part.list, self.owner);
        let batch = self.db.read(move |conn| list(conn, owner, after)).await?;
        let mut text = String::new();
        for item in batch.items {
            text.push_str(if has_items { ",\n" } else { "\n" });
            text.push_str(&item.to_string());
            has_items = true;
        }
        match batch.next {
            Some(last) => self.open = Some(Open { part, after: Some(last), has_items }),
            None => text.push(']'),
        }
        Ok(text)
    }
}
