//! The posts in the export of an account.

use super::model::PageQuery;
use super::store::list_posts;
use crate::exports::{Batch, Part, shown};

/// Posts to read at a time: one may have 20,000 characters.
const BATCH: i64 = 10;

pub(crate) const POSTS: Part = Part {
    name: "posts",
    tables: &["posts"],
    list: |conn, owner, after| {
        let query = PageQuery { limit: BATCH, after, author_id: Some(owner) };
        let rows = list_posts(conn, query)?;
        Ok(Batch::of(query.page(), rows, |post| post.id, |post| shown(&post)))
    },
};
