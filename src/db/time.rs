//! The only clock, and the only time format.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use diesel::backend::Backend;
use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::serialize::{self, Output, ToSql};
use diesel::sql_types::BigInt;
use serde::{Serialize, Serializer};
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use utoipa::ToSchema;

use crate::fields::{Field, Rejection, text};

/// A point in time in whole milliseconds since the Unix epoch, UTC; RFC 3339 in JSON.
///
/// Milliseconds in a `BIGINT` are the same on SQLite and PostgreSQL, whose own time types differ in precision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, AsExpression, FromSqlRow, ToSchema)]
#[diesel(sql_type = BigInt)]
#[schema(value_type = String, format = DateTime, example = "2026-11-21T20:58:00Z")]
pub struct Timestamp(i64);

impl Timestamp {
    /// The system clock. Only the outer layers call it; inner code takes the time as a parameter.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one reader of the clock")]
    pub fn now() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Self(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
    }

    /// Whole seconds since the Unix epoch, a JWT's NumericDate (RFC 7519 §2).
    #[must_use]
    pub fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// The time this many milliseconds after the Unix epoch.
    #[must_use]
    pub fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub fn millis(self) -> i64 {
        self.0
    }

    /// Reads RFC 3339, in any time zone; `None` for anything else.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let time = OffsetDateTime::parse(text, &Rfc3339).ok()?;
        i64::try_from(time.unix_timestamp_nanos().div_euclid(1_000_000)).ok().map(Self)
    }

    /// RFC 3339 in UTC, with a fraction if there is one.
    pub(crate) fn to_rfc3339(self) -> Text {
        self.to_fixed_width().without_zeros()
    }

    /// RFC 3339 in UTC, always with milliseconds: 24 characters.
    pub(crate) fn to_fixed_width(self) -> Text {
        Text::of_fixed_width(self).unwrap_or(Text::LAST)
    }

    /// The time this many seconds later.
    #[must_use]
    pub fn plus_seconds(self, seconds: u64) -> Self {
        let millis = i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1000);
        Self(self.0.saturating_add(millis))
    }

    /// The time this many seconds earlier.
    #[must_use]
    pub fn minus_seconds(self, seconds: u64) -> Self {
        let millis = i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1000);
        Self(self.0.saturating_sub(millis))
    }
}

impl Field for Timestamp {
    fn parse_field(value: &Value) -> Result<Self, Rejection> {
        let refused = || Rejection::new("datetime_parsing", "Input should be a time such as 2026-11-21T20:58:00Z");
        Self::parse(text(value)?).ok_or_else(refused)
    }
}

impl std::fmt::Display for Timestamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.to_rfc3339().as_str())
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.to_rfc3339().as_str())
    }
}

/// A time as text. A response holds up to two hundred of them, so it needs no allocation and does not use `fmt`.
pub(crate) struct Text {
    digits: [u8; 24],
    length: usize,
}

impl Text {
    /// Stands for a time after the year 9999.
    const LAST: Self = Self { digits: *b"9999-12-31T23:59:59.999Z", length: 24 };

    /// With all three digits of the milliseconds.
    fn of_fixed_width(time: Timestamp) -> Option<Self> {
        let millis = u32::try_from(time.0.rem_euclid(1000)).ok()?;
        let (date, time) = OffsetDateTime::from_unix_timestamp(time.seconds()).ok().map(|t| (t.date(), t.time()))?;
        let (year, month, day) = date.to_calendar_date();
        let year = u32::try_from(year).ok()?;
        let (month, day) = (u32::from(u8::from(month)), u32::from(day));
        let (h, m, s) = (u32::from(time.hour()), u32::from(time.minute()), u32::from(time.second()));
        let digit = |number: u32| b'0' + u8::try_from(number % 10).unwrap_or(0);
        #[rustfmt::skip]
        let digits = [
            digit(year / 1000), digit(year / 100), digit(year / 10), digit(year), b'-',
            digit(month / 10), digit(month), b'-', digit(day / 10), digit(day), b'T',
            digit(h / 10), digit(h), b':', digit(m / 10), digit(m), b':', digit(s / 10), digit(s), b'.',
            digit(millis / 100), digit(millis / 10), digit(millis), b'Z',
        ];
        Some(Self { digits, length: digits.len() })
    }

    /// Without trailing zeros in the fraction, and without an empty fraction.
    fn without_zeros(mut self) -> Self {
        let [.., dot, a, b, c, z] = &mut self.digits;
        let (kept, end) = match (*a, *b, *c) {
            (b'0', b'0', b'0') => (dot, 20),
            (_, b'0', b'0') => (b, 22),
            (_, _, b'0') => (c, 23),
            _ => (z, 24),
        };
        *kept = b'Z';
        self.length = end;
        self
    }

    pub(crate) fn as_str(&self) -> &str {
        let written = self.digits.get(..self.length).unwrap_or_default();
        std::str::from_utf8(written).unwrap_or_default()
    }
}

impl<DB: Backend> FromSql<BigInt, DB> for Timestamp
where
    i64: FromSql<BigInt, DB>,
{
    fn from_sql(bytes: DB::RawValue<'_>) -> deserialize::Result<Self> {
        i64::from_sql(bytes).map(Self)
    }
}

impl<DB: Backend> ToSql<BigInt, DB> for Timestamp
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

    /// The first and the last millisecond that RFC 3339 can write: the years 0 to 9999.
    const WRITABLE: std::ops::RangeInclusive<i64> = -62_167_219_200_000..=253_402_300_799_999;

    fn millis() -> impl Strategy<Value = i64> {
        let edges = [i64::MIN, *WRITABLE.start() - 1, *WRITABLE.start(), -1, 0, *WRITABLE.end(), *WRITABLE.end() + 1];
        prop_oneof![WRITABLE, any::<i64>(), prop::sample::select(edges.to_vec())]
    }

    proptest! {
        #![proptest_config(crate::testing::properties::config())]

        #[test]
        fn every_time_that_can_be_written_is_read_back_to_the_millisecond(millis in millis()) {
            let text = Timestamp(millis).to_string();
            let read = OffsetDateTime::parse(&text, &Rfc3339).expect("RFC 3339");
            if WRITABLE.contains(&millis) {
                prop_assert_eq!(read.unix_timestamp_nanos(), i128::from(millis) * 1_000_000);
                prop_assert_eq!(Timestamp::parse(&text), Some(Timestamp(millis)));
                prop_assert!(text.ends_with('Z') && text.len() <= "2026-11-21T20:58:00.123Z".len());
            }
            prop_assert_eq!(serde_json::to_string(&Timestamp(millis)).expect("JSON"), format!("\"{text}\""));
        }

        #[test]
        fn seconds_are_added_up_to_the_ends_of_time(
            millis in millis(), seconds in 0..=i64::MAX / 1000, any in any::<u64>(),
        ) {
            let time = Timestamp(millis);
            prop_assert_eq!(time.seconds(), millis.div_euclid(1000));
            prop_assert_eq!(time.plus_seconds(seconds.unsigned_abs()).millis(), millis.saturating_add(seconds * 1000));
            prop_assert_eq!(time.minus_seconds(seconds.unsigned_abs()).millis(), millis.saturating_sub(seconds * 1000));
            prop_assert!(time.minus_seconds(any) <= time && time <= time.plus_seconds(any));
        }
    }

    #[test]
    fn times_are_written_as_rfc_3339_in_utc() {
        assert_eq!(Timestamp(1_795_294_680_000).to_string(), "2026-11-21T20:58:00Z");
        assert_eq!(Timestamp(1_795_294_680_120).to_string(), "2026-11-21T20:58:00.12Z");
    }
}
