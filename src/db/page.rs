//! Pages of a list, newest first, by size and last item. Ids are never renumbered, so writes do not disturb a client
//! that reads page after page.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::Id;
use crate::fields::{Field, Fields, Rejection, text};

/// Most items on a page.
pub(crate) const MAX_LIMIT: i64 = 100;

/// The requested page of a list.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Page {
    /// Most items on the page.
    pub limit: i64,
    /// The page begins after this item.
    pub after: Option<Id>,
}

impl Page {
    /// Reads `limit` and `cursor`; `None` if either is invalid, with the fault added to `fields`.
    pub(crate) fn read(fields: &mut Fields, default_limit: i64) -> Option<Self> {
        let (limit, after) = (fields.optional("limit"), fields.optional("cursor"));
        let limit = limit?.map_or(default_limit, |Limit(limit)| limit);
        Some(Self { limit, after: after?.map(|Cursor(id)| id) })
    }

    /// The item after which the next page begins, if there is one: then `items` has one more than the limit, which this
    /// removes.
    pub(crate) fn cut<T>(&self, items: &mut Vec<T>, id: impl Fn(&T) -> Id) -> Option<Id> {
        let has_more = i64::try_from(items.len()).is_ok_and(|found| found > self.limit);
        if has_more {
            items.pop();
        }
        items.last().filter(|_| has_more).map(id)
    }
}

/// The cursor of the next page, if there is one: then `items` has one more than the limit, which this removes.
pub(crate) fn next_cursor<T>(items: &mut Vec<T>, limit: i64, id: impl Fn(&T) -> Id) -> Option<String> {
    Page { limit, after: None }.cut(items, id).map(cursor)
}

/// The cursor of the page that begins after an item.
pub(crate) fn cursor(after: Id) -> String {
    Cursor(after).encode()
}

struct Limit(i64);

impl Field for Limit {
    fn parse_field(value: &Value) -> Result<Self, Rejection> {
        let limit = text(value)?.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
        let refused = || Rejection::new("int_parsing", format!("Input should be an integer from 1 to {MAX_LIMIT}"));
        limit.map(Self).ok_or_else(refused)
    }
}

/// The last item of the previous page, in the opaque form that clients get.
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
