//! Posts in the database.

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool};

use super::model::{NewPost, PageQuery, Post, PostChange};
use crate::db::schema::posts;
use crate::db::{Conn, Id, StoreError, Timestamp, advance_sequence, execute_on_either, query};

type Result<T> = std::result::Result<T, StoreError>;

/// A row of the table of posts.
#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = posts)]
pub(crate) struct PostRow {
    pub id: Id,
    pub title: String,
    pub content: String,
    pub author_id: Id,
    pub revision: i64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl From<PostRow> for Post {
    fn from(row: PostRow) -> Self {
        let PostRow { id, title, content, author_id, revision, created_at, updated_at } = row;
        Self { id, title, content, author_id, created_at, updated_at, revision }
    }
}

/// How a change of a post ended.
pub(crate) enum Changed {
    Done(Post),
    Gone,
    NotAllowed,
    /// The change was meant for another version.
    Outdated,
}

pub(crate) fn find_post(conn: &mut Conn, id: Id) -> Result<Option<Post>> {
    let row: Option<PostRow> = query::find(conn, posts::table.find(id).select(query::columns_of::<PostRow>()))?;
    Ok(row.map(Post::from))
}

/// Those of the posts that exist.
pub(crate) fn list_posts_by_id(conn: &mut Conn, ids: &[Id]) -> Result<Vec<(Id, Post)>> {
    let found = posts::table.filter(posts::id.eq_any(ids)).select(query::columns_of::<PostRow>());
    let rows: Vec<PostRow> = query::load(conn, found)?;
    Ok(rows.into_iter().map(|row| (row.id, Post::from(row))).collect())
}

/// A page, newest first, with one extra post if there is a next page.
pub(crate) fn list_posts(conn: &mut Conn, page: PageQuery) -> Result<Vec<Post>> {
    let before = page.after.map_or(Id::MAX.get() + 1, Id::get);
    let posts = posts::table.select(query::columns_of::<PostRow>()).limit(page.limit + 1);
    let newest_first = posts.filter(posts::id.lt(before)).order(posts::id.desc());
    let rows: Vec<PostRow> = match (page.author_id, &*conn) {
        (None, _) => query::load(conn, newest_first)?,
        (Some(author_id), Conn::Sqlite(_)) => query::load(conn, newest_first.filter(posts::author_id.eq(author_id)))?,
        // With `author_id = ...`, PostgreSQL may scan the newest posts of all authors for those of an author who has
        // written many: the whole table if these are old. Only the author's index has this order. (SQLite searches an
        // index by the first column of such a pair only.)
        (Some(author_id), Conn::Postgres(_)) => {
            let pair = sql::<Bool>("(author_id, id) < (").bind::<BigInt, _>(author_id);
            let posts = posts
                .filter(posts::author_id.ge(author_id))
                .filter(pair.sql(", ").bind::<BigInt, _>(before).sql(")"))
                .order((posts::author_id.desc(), posts::id.desc()));
            query::load(conn, posts)?
        }
    };
    Ok(rows.into_iter().map(Post::from).collect())
}

/// Inserts a new post.
///
/// # Errors
/// [`StoreError::ReferenceGone`] if the author no longer exists.
pub(crate) fn insert_post(conn: &mut Conn, post: &NewPost, author_id: Id, now: Timestamp) -> Result<Post> {
    let row = (
        posts::title.eq(&post.title.0),
        posts::content.eq(&post.content.0),
        posts::author_id.eq(author_id),
        posts::revision.eq(1_i64),
        posts::created_at.eq(now),
        posts::updated_at.eq(now),
    );
    let id = query::one(conn, diesel::insert_into(posts::table).values(row).returning(posts::id))?;
    let (title, content) = (post.title.0.clone(), post.content.0.clone());
    Ok(Post { id, title, content, author_id, created_at: now, updated_at: now, revision: 1 })
}

/// Inserts posts that already have ids.
///
/// # Errors
/// [`StoreError::Taken`] if one of the ids exists, [`StoreError::ReferenceGone`] if an author does not.
pub(crate) fn insert_posts(conn: &mut Conn, rows: &[PostRow]) -> Result<()> {
    execute_on_either(conn, diesel::insert_into(posts::table).values(rows))?;
    Ok(())
}

/// Gives the next post an id beyond this one.
pub(crate) fn update_next_id(conn: &mut Conn, last: Id) -> Result<()> {
    advance_sequence(conn, "posts", "id", last.get())
}

/// Changes a post if `check` allows it for the current version.
pub(crate) fn update_post(
    conn: &mut Conn,
    id: Id,
    change: &PostChange,
    check: impl Fn(&Post) -> std::result::Result<(), Changed>,
    now: Timestamp,
) -> Result<Changed> {
    let Some(post) = find_post(conn, id)? else { return Ok(Changed::Gone) };
    if let Err(refused) = check(&post) {
        return Ok(refused);
    }
    let title = change.title.as_ref().map_or(&post.title, |title| &title.0);
    let content = change.content.as_ref().map_or(&post.content, |content| &content.0);
    // Compare the revision again in the statement: on PostgreSQL another replica may have changed the post meanwhile.
    let current = posts::table.find(id).filter(posts::revision.eq(post.revision));
    let update = diesel::update(current).set((
        posts::title.eq(title),
        posts::content.eq(content),
        posts::revision.eq(post.revision + 1),
        posts::updated_at.eq(now),
    ));
    if execute_on_either(conn, update)? == 0 {
        return Err(StoreError::Serialization);
    }
    Ok(find_post(conn, id)?.map_or(Changed::Gone, Changed::Done))
}

/// Deletes a post if `check` allows it.
pub(crate) fn delete_post(
    conn: &mut Conn,
    id: Id,
    check: impl Fn(&Post) -> std::result::Result<(), Changed>,
) -> Result<Changed> {
    let Some(post) = find_post(conn, id)? else { return Ok(Changed::Gone) };
    if let Err(refused) = check(&post) {
        return Ok(refused);
    }
    match diesel::delete(posts::table.find(id).filter(posts::revision.eq(post.revision))).execute(conn)? {
        0 => Err(StoreError::Serialization),
        _ => Ok(Changed::Done(post)),
    }
}
