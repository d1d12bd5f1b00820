//! Ids of accounts, posts and sessions.

use diesel::backend::Backend;
use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::serialize::{self, Output, ToSql};
use diesel::sql_types::BigInt;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::fields::{Field, Rejection, text};

/// A positive integer below 2^53, so that every JSON reader holds it exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, AsExpression, FromSqlRow, ToSchema)]
#[diesel(sql_type = BigInt)]
#[schema(minimum = 1, maximum = 9_007_199_254_740_991_i64, example = 1)]
#[serde(transparent)]
pub struct Id(i64);

impl Id {
    /// The largest id, 2^53 - 1.
    pub const MAX: Id = Id((1 << 53) - 1);

    /// Reads an id from decimal digits; `None` for anything else (a sign, a blank, a leading zero, zero, too large).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let canonical = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
        text.parse().ok().filter(|_| canonical).and_then(Self::from_number)
    }

    /// The id with that number; `None` unless it is positive and below 2^53.
    pub(crate) fn from_number(number: i64) -> Option<Self> {
        (1..=Self::MAX.0).contains(&number).then_some(Self(number))
    }

    /// The id as a number.
    #[must_use]
    pub fn get(self) -> i64 {
        self.0
    }
}

impl Field for Id {
    fn parse_field(value: &Value) -> Result<Self, Rejection> {
        let refused = || Rejection::new("int_parsing", "Input should be a positive integer below 2^53");
        Self::parse(text(value)?).ok_or_else(refused)
    }
}

impl std::fmt::Display for Id {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl<DB: Backend> FromSql<BigInt, DB> for Id
where
    i64: FromSql<BigInt, DB>,
{
    fn from_sql(bytes: DB::RawValue<'_>) -> deserialize::Result<Self> {
        i64::from_sql(bytes).map(Self)
    }
}

impl<DB: Backend> ToSql<BigInt, DB> for Id
where
    i64: ToSql<BigInt, DB>,
{
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, DB>) -> serialize::Result {
        self.0.to_sql(out)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(crate::testing::properties::config())]

        #[test]
        fn a_number_is_an_id_exactly_in_its_range_and_comes_back(number in prop_oneof![any::<i64>(), -3..1_i64 << 54]) {
            let id = Id::parse(&number.to_string());
            prop_assert_eq!(id.is_some(), (1..=Id::MAX.get()).contains(&number));
            prop_assert_eq!(id, Id::from_number(number));
            if let Some(id) = id {
                prop_assert_eq!((id.get(), id.to_string()), (number, number.to_string()));
                prop_assert_eq!(serde_json::to_string(&id).expect("JSON"), number.to_string());
            }
        }

        #[test]
        fn whatever_is_read_as_an_id_is_its_only_spelling(
            text in prop_oneof![any::<String>(), "[-+ ]?0?[0-9]{1,17}[ .٣]?"],
        ) {
            if let Some(id) = Id::parse(&text) {
                prop_assert_eq!(id.to_string(), text);
            }
        }
    }

    #[test]
    fn only_canonical_positive_integers_below_2_to_the_53_are_ids() {
        for text in ["1", "42", "9007199254740991"] {
            assert_eq!(Id::parse(text).map(|id| id.to_string()).as_deref(), Some(text));
        }
        for text in ["", "0", "-1", "+1", "01", " 1", "1.0", "1e3", "abc", "9007199254740992", "99999999999999999999"] {
            assert_eq!(Id::parse(text), None, "{text:?}");
        }
    }
}
