//! A post and what clients send of it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::db::{Id, Timestamp};
use crate::fields::{Field, Fields, FromFields, Rejection, text, text_of_length};

const MAX_TITLE_CHARS: usize = 200;
const MAX_CONTENT_CHARS: usize = 20_000;
/// The page size where none is asked for, and the largest.
const DEFAULT_LIMIT: i64 = 20;
const MAX_LIMIT: i64 = 100;

/// A post.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Post {
    /// Its id; never given out twice.
    #[schema(value_type = i64, example = 1, minimum = 1, maximum = 9_007_199_254_740_991_i64)]
    pub id: Id,
    /// Its title.
    #[schema(example = "On the Analytical Engine")]
    pub title: String,
    /// Its text.
    #[schema(example = "It weaves algebraic patterns.")]
    pub content: String,
    /// The account that wrote it.
    #[schema(value_type = i64, example = 1)]
    pub author_id: Id,
    /// When it was written, UTC.
    #[schema(value_type = String, format = DateTime, example = "2026-11-21T20:58:00Z")]
    pub created_at: Timestamp,
    /// When it was last changed, UTC.
    #[schema(value_type = String, format = DateTime, example = "2026-11-21T20:58:00Z")]
    pub updated_at: Timestamp,
    /// Counts its changes.
    #[serde(skip)]
    pub revision: i64,
}

impl Post {
    /// The entity tag of this version (RFC 9110 §8.8.3): a post has each revision once, and no two posts have one id.
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
    /// What to ask for the next page with; `null` on the last one.
    #[schema(example = "MQ", required)]
    pub next_cursor: Option<String>,
}

/// A title: 1 to 200 characters.
#[derive(Clone, Debug)]
pub(crate) struct Title(pub String);

impl Field for Title {
    fn parse_field(value: &Value) -> Result<Self, Rejection> {
        text_of_length(value, 1, MAX_TITLE_CHARS).map(|text| Self(text.to_owned()))
    }
}

/// A text: 1 to 20,000 characters.
#[derive(Clone, Debug)]
pub(crate) struct Content(pub String);

impl Field for Content {
    fn parse_field(value: &Value) -> Result<Self, Rejection> {
        text_of_length(value, 1, MAX_CONTENT_CHARS).map(|text| Self(text.to_owned()))
    }
}

/// A post to be written, or to take another's place as a whole.
#[derive(Clone, Debug, ToSchema)]
pub(crate) struct NewPost {
    /// Its title.
    #[schema(value_type = String, min_length = 1, max_length = 200, example = "On the Analytical Engine")]
    pub title: Title,
    /// Its text.
    #[schema(value_type = String, min_length = 1, max_length = 20_000, example = "It weaves algebraic patterns.")]
    pub content: Content,
}

impl FromFields for NewPost {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let (title, content) = (fields.required("title"), fields.required("content"));
        Some(Self { title: title?, content: content? })
    }
}

/// A change of a post; what is absent stays.
#[derive(Clone, Debug, ToSchema)]
pub(crate) struct PostChange {
    /// Its new title.
    #[schema(value_type = Option<String>, nullable = false, min_length = 1, max_length = 200, example = "On the Engine")]
    pub title: Option<Title>,
    /// Its new text.
    #[schema(value_type = Option<String>, nullable = false, min_length = 1, max_length = 20_000, example = "It weaves flowers and leaves.")]
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

/// Which page of which posts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PageQuery {
    pub limit: i64,
    /// The page begins after this post; posts are never renumbered, so writers do not disturb the walk.
    pub after: Option<Id>,
    pub author_id: Option<Id>,
}

impl FromFields for PageQuery {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let (limit, after, author_id) =
            (fields.optional("limit"), fields.optional("cursor"), fields.optional("author_id"));
        let limit = limit?.map_or(DEFAULT_LIMIT, |Limit(limit)| limit);
        Some(Self { limit, after: after?.map(|Cursor(id)| id), author_id: author_id?.map(|Author(id)| id) })
    }
}

struct Limit(i64);

impl Field for Limit {
    fn parse_field(value: &Value) -> Result<Self, Rejection> {
        let limit = text(value)?.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
        let refused = || Rejection::new("int_parsing", format!("Input should be an integer from 1 to {MAX_LIMIT}"));
        limit.map(Self).ok_or_else(refused)
    }
}

struct Author(Id);

impl Field for Author {
    fn parse_field(value: &Value) -> Result<Self, Rejection> {
        let refused = || Rejection::new("int_parsing", "Input should be a positive integer below 2^53");
        Id::parse(text(value)?).map(Self).ok_or_else(refused)
    }
}

/// The last post of the page before, as clients are given it: opaque.
pub(crate) struct Cursor(pub Id);

impl Cursor {
    pub(crate) fn encode(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0.to_string())
    }
}

impl Field for Cursor {
    fn parse_field(value: &Value) -> Result<Self, Rejection> {
        let decoded = URL_SAFE_NO_PAD.decode(text(value)?).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let refused = || Rejection::new("value_error", "Input should be a next_cursor of an earlier page");
        decoded.as_deref().and_then(Id::parse).map(Self).ok_or_else(refused)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    proptest! {
        #![proptest_config(crate::testing::properties::config())]

        #[test]
        fn every_cursor_is_read_back(number in 1..=Id::MAX.get()) {
            let id = Id::from_number(number).expect("an id");
            let read = Cursor::parse_field(&json!(Cursor(id).encode())).map(|cursor| cursor.0);
            prop_assert_eq!(read, Ok(id));
        }

        #[test]
        fn whatever_is_read_as_a_cursor_is_one_that_we_wrote(
            text in prop_oneof![
                any::<String>(),
                "[A-Za-z0-9_=-]{0,24}",
                ("[-+0-9]{0,17}", "={0,2}").prop_map(|(text, end)| URL_SAFE_NO_PAD.encode(text) + &end),
            ],
        ) {
            if let Ok(cursor) = Cursor::parse_field(&json!(text)) {
                prop_assert_eq!(cursor.encode(), text);
            }
        }

        #[test]
        fn a_changed_cursor_is_another_one_or_none(
            number in 1..=Id::MAX.get(), at in any::<prop::sample::Index>(), other in "[A-Za-z0-9_=-]",
        ) {
            let text = Cursor(Id::from_number(number).expect("an id")).encode();
            let at = at.index(text.len());
            let changed = format!("{}{other}{}", &text[..at], &text[at + 1..]);
            let read = Cursor::parse_field(&json!(changed)).map(|cursor| cursor.0.get());
            prop_assert!(changed == text || read != Ok(number));
        }
    }

    #[test]
    fn a_cursor_is_read_back_and_nothing_else_is_one() {
        let id = Id::parse("9007199254740991").expect("id");
        let read = Cursor::parse_field(&json!(Cursor(id).encode())).map(|cursor| cursor.0);
        assert_eq!(read, Ok(id));
        for text in ["", "!", "MQ==", "MA", "LTE", "bm9uc2Vuc2U"] {
            assert!(Cursor::parse_field(&json!(text)).is_err(), "{text:?}");
        }
    }
}
