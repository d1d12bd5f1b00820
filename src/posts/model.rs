//! A post, and the parts of it that clients send.

use serde::Serialize;
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::db::page::Page;
use crate::db::{Id, Timestamp};
use crate::fields::{Field, Fields, FromFields, Rejection, text_of_length};

const MAX_TITLE_CHARS: usize = 200;
const MAX_CONTENT_CHARS: usize = 20_000;
/// The default page size.
const DEFAULT_LIMIT: i64 = 20;

/// A post.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Post {
    /// The post's id; never reused.
    pub id: Id,
    /// The title.
    #[schema(example = "On the Analytical Engine")]
    pub title: String,
    /// The text.
    #[schema(example = "It weaves algebraic patterns.")]
    pub content: String,
    /// The id of the author's account.
    pub author_id: Id,
    /// When the post was created, UTC.
    pub created_at: Timestamp,
    /// When the post was last changed, UTC.
    pub updated_at: Timestamp,
    /// Incremented by each change.
    #[serde(skip)]
    pub revision: i64,
}

impl Post {
    /// The entity tag of this version (RFC 9110 §8.8.3): a post has each revision once, and ids are never reused.
    pub(crate) fn etag(&self) -> String {
        let (mut id, mut revision) = (itoa::Buffer::new(), itoa::Buffer::new());
        ["\"", id.format(self.id.get()), "-", revision.format(self.revision), "\""].concat()
    }
}

/// A page of posts, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PostPage {
    /// The posts.
    pub items: Vec<Post>,
    /// Pass it as `cursor` to get the next page; `null` on the last page.
    #[schema(example = "MQ", required)]
    pub next_cursor: Option<String>,
}

/// A title: 1 to 200 characters.
#[derive(Clone, Debug, ToSchema)]
#[schema(min_length = 1, max_length = 200, example = "On the Analytical Engine")]
pub(crate) struct Title(pub String);

impl Field for Title {
    fn parse_field(value: &Value) -> Result<Self, Rejection> {
        text_of_length(value, 1, MAX_TITLE_CHARS).map(|text| Self(text.to_owned()))
    }
}

/// A text: 1 to 20,000 characters.
#[derive(Clone, Debug, ToSchema)]
#[schema(min_length = 1, max_length = 20_000, example = "It weaves algebraic patterns.")]
pub(crate) struct Content(pub String);

impl Field for Content {
    fn parse_field(value: &Value) -> Result<Self, Rejection> {
        text_of_length(value, 1, MAX_CONTENT_CHARS).map(|text| Self(text.to_owned()))
    }
}

/// A new post, or the complete replacement of one.
#[derive(Clone, Debug, ToSchema)]
pub(crate) struct NewPost {
    /// The title.
    pub title: Title,
    /// The text.
    pub content: Content,
}

impl FromFields for NewPost {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let (title, content) = (fields.required("title"), fields.required("content"));
        Some(Self { title: title?, content: content? })
    }
}

/// Changes to a post. Absent fields keep their value.
#[derive(Clone, Debug, ToSchema)]
#[schema(example = json!({ "title": "On the Engine", "content": "It weaves flowers and leaves." }))]
pub(crate) struct PostChange {
    /// The new title.
    #[schema(nullable = false)]
    pub title: Option<Title>,
    /// The new text.
    #[schema(nullable = false)]
    pub content: Option<Content>,
}

impl FromFields for PostChange {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let (title, content) = (fields.replacement("title"), fields.replacement("content"));
        Some(Self { title: title?, content: content? })
    }
}

impl From<NewPost> for PostChange {
    fn from(post: NewPost) -> Self {
        Self { title: Some(post.title), content: Some(post.content) }
    }
}

/// Which page of posts, and of which author.
#[derive(Clone, Copy, Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageQuery {
    /// Maximum number of posts, 1 to 100. Default: 20.
    #[param(required = false, minimum = 1, maximum = 100, example = 20)]
    pub limit: i64,
    /// The `next_cursor` of the previous page.
    // The page begins after this post. Ids never change, so concurrent writes do not disturb paging.
    #[param(rename = "cursor", value_type = Option<String>)]
    pub after: Option<Id>,
    /// Only posts by this account.
    pub author_id: Option<Id>,
}

impl PageQuery {
    pub(super) fn page(self) -> Page {
        Page { limit: self.limit, after: self.after }
    }
}

impl FromFields for PageQuery {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let (page, author_id) = (Page::read(fields, DEFAULT_LIMIT), fields.optional("author_id"));
        let Page { limit, after } = page?;
        Some(Self { limit, after, author_id: author_id? })
    }
}
