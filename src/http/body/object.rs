//! Reads the JSON object of a request. Fields of the API are never arrays or objects, so the content of nested ones is
//! not kept.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// A body: a JSON object or any other JSON value.
pub(super) enum Body {
    Object(Map<String, Value>),
    Other,
}

impl<'de> Deserialize<'de> for Body {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Whole)
    }
}

/// A field's value. Arrays and objects are empty, whatever the client sent in them.
struct Shallow(Value);

impl<'de> Deserialize<'de> for Shallow {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Single).map(Self)
    }
}

struct Whole;

impl<'de> Visitor<'de> for Whole {
    type Value = Body;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Body, A::Error> {
        let mut values = Map::new();
        while let Some((name, Shallow(value))) = map.next_entry()? {
            values.insert(name, value);
        }
        Ok(Body::Object(values))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Body, A::Error> {
        Single.visit_seq(seq).map(|_| Body::Other)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Body, E> {
        Ok(Body::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Body, E> {
        Ok(Body::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Body, E> {
        Ok(Body::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Body, E> {
        Ok(Body::Other)
    }

    fn visit_str<E>(self, _: &str) -> Result<Body, E> {
        Ok(Body::Other)
    }

    fn visit_unit<E>(self) -> Result<Body, E> {
        Ok(Body::Other)
    }
}

struct Single;

impl<'de> Visitor<'de> for Single {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Value::Object(Map::new()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Value::Array(Vec::new()))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Option<Body> {
        serde_json::from_str(text).ok()
    }

    #[test]
    fn nothing_is_kept_of_nested_values() {
        let text = format!("{{\"a\":[{}1],\"b\":{{\"c\":[[[]]]}},\"d\":\"e\"}}", "[0],".repeat(10_000));
        let Some(Body::Object(values)) = read(&text) else { panic!("an object") };
        assert_eq!(Value::Object(values), serde_json::json!({"a": [], "b": {}, "d": "e"}));
    }

    /// JSON texts, and texts that are almost JSON.
    fn text() -> impl Strategy<Value = String> {
        let token = prop_oneof![
            "[\\[\\]{},:]",
            Just("\"a\"".to_owned()),
            Just("\"b\":".to_owned()),
            "-?[0-9]{1,3}(\\.5)?|null|true"
        ];
        prop::collection::vec(token, 0..12).prop_map(|tokens| tokens.concat())
    }

    proptest! {
        #![proptest_config(crate::testing::properties::config())]

        #[test]
        fn what_is_json_and_what_is_an_object_is_as_the_library_says(text in text(), inside in text()) {
            for text in [format!("{{\"x\":{inside}}}"), text] {
                let others: Option<Value> = serde_json::from_str(&text).ok();
                match (read(&text), others) {
                    (Some(Body::Object(values)), Some(Value::Object(others))) => {
                        prop_assert!(values.keys().eq(others.keys()));
                        for (name, value) in &others {
                            prop_assert!(value.is_array() || value.is_object() || values.get(name) == Some(value));
                        }
                    }
                    (Some(Body::Other), others) => prop_assert!(others.is_some_and(|value| !value.is_object())),
                    (read, others) => prop_assert!(read.is_none() && others.is_none()),
                }
            }
        }
    }
}
