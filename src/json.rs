//! JSON as serde_json writes it, for the values in our responses: objects, lists, texts, whole numbers.
//!
//! serde_json 1.0 checks each byte of texts and names for escapes, one after another: half of the work for a list of
//! posts (docs/performance.md). This writer checks each text as a whole, and names of fields, which in Rust need no
//! escapes, not at all.

use std::fmt::Write;

use serde::ser::{Impossible, SerializeSeq, SerializeStruct, Serializer};
use serde::{Serialize, ser};

/// Initial capacity for a body, in bytes: a post of usual length.
const USUAL_BYTES: usize = 1024;

/// A value of a kind that this writer does not support. serde_json writes those.
#[derive(Debug, thiserror::Error)]
#[error("no answer has such a value")]
pub(super) struct OtherKind;

impl ser::Error for OtherKind {
    fn custom<T: std::fmt::Display>(_: T) -> Self {
        Self
    }
}

/// The value as JSON, without blanks.
///
/// # Errors
/// For a value that is not of the kinds above.
pub(super) fn write(value: &impl Serialize) -> Result<String, OtherKind> {
    let mut text = String::with_capacity(USUAL_BYTES);
    value.serialize(&mut Writer { text: &mut text })?;
    Ok(text)
}

/// Appends a JSON string (RFC 8259 §7).
pub(crate) fn push_text(out: &mut String, text: &str) {
    // Check all bytes, without an early exit, so that the processor checks many at once.
    let is_plain = text.bytes().fold(true, |plain, byte| plain & (byte >= b' ') & (byte != b'"') & (byte != b'\\'));
    if is_plain {
        out.push('"');
        out.push_str(text);
        out.push('"');
    } else {
        // Writing to a string does not fail.
        let _ = write!(out, "{}", serde_json::Value::from(text));
    }
}

struct Writer<'a> {
    text: &'a mut String,
}

/// An open object or list. Each part begins with the opening bracket or the comma before it.
struct Open<'w, 'a> {
    writer: &'w mut Writer<'a>,
    next: char,
    end: char,
    /// How many parts of a list come after the next one.
    further: usize,
}

impl Open<'_, '_> {
    fn begin_part(&mut self) {
        self.writer.text.push(self.next);
        self.next = ',';
    }

    fn close(self) {
        // It is empty.
        if self.next != ',' {
            self.writer.text.push(self.next);
        }
        self.writer.text.push(self.end);
    }
}

impl SerializeSeq for Open<'_, '_> {
    type Ok = ();
    type Error = OtherKind;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), OtherKind> {
        let before = self.writer.text.len();
        self.begin_part();
        value.serialize(&mut *self.writer)?;
        // Reserve room for all further parts, as if they were alike: growing step by step copies everything again and
        // again.
        let length = self.writer.text.len() - before;
        self.writer.text.reserve(std::mem::take(&mut self.further).saturating_mul(length));
        Ok(())
    }

    fn end(self) -> Result<(), OtherKind> {
        self.close();
        Ok(())
    }
}

impl SerializeStruct for Open<'_, '_> {
    type Ok = ();
    type Error = OtherKind;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), OtherKind> {
        self.begin_part();
        self.writer.text.push('"');
        self.writer.text.push_str(name);
        self.writer.text.push_str("\":");
        value.serialize(&mut *self.writer)
    }

    fn end(self) -> Result<(), OtherKind> {
        self.close();
        Ok(())
    }
}

/// Methods that write a whole number.
macro_rules! whole {
    ($($method:ident($kind:ty)),*) => {
        $(fn $method(self, value: $kind) -> Result<(), OtherKind> {
            self.text.push_str(itoa::Buffer::new().format(value));
            Ok(())
        })*
    };
}

/// Methods that refuse a value.
macro_rules! refuse {
    ($($method:ident($($part:ty),*) -> $open:ty),*) => {
        $(fn $method(self, $(_: $part),*) -> Result<$open, OtherKind> {
            Err(OtherKind)
        })*
    };
}

type Never = Impossible<(), OtherKind>;

impl<'w, 'a> Serializer for &'w mut Writer<'a> {
    type Ok = ();
    type Error = OtherKind;
    type SerializeSeq = Open<'w, 'a>;
    type SerializeStruct = Open<'w, 'a>;
    type SerializeTuple = Never;
    type SerializeTupleStruct = Never;
    type SerializeTupleVariant = Never;
    type SerializeMap = Never;
    type SerializeStructVariant = Never;

    whole! {
        serialize_i8(i8), serialize_i16(i16), serialize_i32(i32), serialize_i64(i64),
        serialize_u8(u8), serialize_u16(u16), serialize_u32(u32), serialize_u64(u64)
    }

    refuse! {
        serialize_f32(f32) -> (), serialize_f64(f64) -> (), serialize_char(char) -> (), serialize_bytes(&[u8]) -> (),
        serialize_unit() -> (), serialize_unit_struct(&'static str) -> (),
        serialize_unit_variant(&'static str, u32, &'static str) -> (),
        serialize_tuple(usize) -> Never, serialize_tuple_struct(&'static str, usize) -> Never,
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> Never,
        serialize_map(Option<usize>) -> Never,
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> Never
    }

    fn serialize_bool(self, value: bool) -> Result<(), OtherKind> {
        self.text.push_str(if value { "true" } else { "false" });
        Ok(())
    }

    fn serialize_str(self, text: &str) -> Result<(), OtherKind> {
        push_text(self.text, text);
        Ok(())
    }

    fn serialize_none(self) -> Result<(), OtherKind> {
        self.text.push_str("null");
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), OtherKind> {
        value.serialize(self)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), OtherKind> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<(), OtherKind> {
        Err(OtherKind)
    }

    fn serialize_seq(self, length: Option<usize>) -> Result<Open<'w, 'a>, OtherKind> {
        Ok(Open { writer: self, next: '[', end: ']', further: length.unwrap_or(0).saturating_sub(1) })
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Open<'w, 'a>, OtherKind> {
        Ok(Open { writer: self, next: '{', end: '}', further: 0 })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Serialize)]
    struct Part {
        id: i64,
        text: String,
        is_there: bool,
        count: Option<u32>,
        #[serde(skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    }

    #[derive(Debug, Serialize)]
    struct Whole {
        items: Vec<Part>,
        next: Option<String>,
    }

    fn text() -> impl Strategy<Value = String> {
        prop_oneof![any::<String>(), "[ -~]{0,80}", "[^\"\\\\\u{0}-\u{1f}]{0,80}"]
    }

    fn part() -> impl Strategy<Value = Part> {
        let fields = (any::<i64>(), text(), any::<bool>(), any::<Option<u32>>(), prop::option::of(text()));
        fields.prop_map(|(id, text, is_there, count, note)| Part { id, text, is_there, count, note })
    }

    proptest! {
        #![proptest_config(crate::testing::properties::config())]

        #[test]
        fn it_writes_what_serde_json_writes(
            items in prop::collection::vec(part(), 0..4), next in prop::option::of(text()),
        ) {
            let whole = Whole { items, next };
            prop_assert_eq!(write(&whole).expect("of known kinds"), serde_json::to_string(&whole).expect("JSON"));
        }
    }

    #[test]
    fn what_it_does_not_know_it_leaves_to_serde_json() {
        #[derive(Serialize)]
        struct Empty {}
        assert_eq!(write(&Empty {}).expect("an object"), "{}");
        assert!(write(&serde_json::json!({ "a": 1 })).is_err());
        assert!(write(&1.5).is_err() && write(&'"').is_err() && write(&("a", 1)).is_err());
    }
}
