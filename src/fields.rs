//! Reads the fields of a JSON body or a query string, and reports every fault, not only the first.
//!
//! The type of a field implements [`Field`]; a whole body or query implements [`FromFields`]. The result is valid:
//! there is no second step.

use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// Why one value was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// A word for programs, such as `string_too_long`.
    pub kind: &'static str,
    /// A sentence for people: what is expected.
    pub message: String,
}

impl Rejection {
    /// A rejection of that kind, with a message that says what is expected.
    pub fn new(kind: &'static str, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}

/// One fault of the input, in the form that FastAPI uses.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Fault {
    /// Where it is, for example `["body", "email"]`.
    #[schema(example = json!(["body", "email"]))]
    pub loc: Vec<String>,
    /// What is expected.
    #[schema(example = "Field required")]
    pub msg: String,
    /// A code for programs.
    #[serde(rename = "type")]
    #[schema(example = "missing")]
    pub kind: &'static str,
}

/// A type that a field can be parsed into.
pub trait Field: Sized {
    /// Parses the value.
    ///
    /// # Errors
    /// A [`Rejection`] that says what is expected.
    fn parse_field(value: &Value) -> Result<Self, Rejection>;
}

/// A body or a query that is read field by field.
pub trait FromFields: Sized {
    /// Reads all fields; `None` when one of them had a fault, which `fields` has recorded.
    fn from_fields(fields: &mut Fields) -> Option<Self>;
}

/// What a change says about one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change<T> {
    /// The field is absent: leave it.
    Keep,
    /// The field is `null`: clear it.
    Clear,
    /// The new value.
    Set(T),
}

/// The fields of one input, and the faults found in them so far.
#[derive(Debug)]
pub struct Fields {
    place: &'static str,
    values: Map<String, Value>,
    faults: Vec<Fault>,
}

impl Fields {
    /// Fields of `place`, which is `body` or `query`.
    #[must_use]
    pub fn new(place: &'static str, values: Map<String, Value>) -> Self {
        Self { place, values, faults: Vec::new() }
    }

    /// Reads all of `T`.
    ///
    /// # Errors
    /// Every fault that was found.
    pub fn read<T: FromFields>(mut self) -> Result<T, Vec<Fault>> {
        match T::from_fields(&mut self) {
            Some(value) if self.faults.is_empty() => Ok(value),
            _ => Err(self.faults),
        }
    }

    /// A field that must be present and not `null` (unless `T` accepts `null`).
    pub fn required<T: Field>(&mut self, name: &str) -> Option<T> {
        match self.values.get(name) {
            Some(value) => {
                let parsed = T::parse_field(value);
                self.keep(name, parsed)
            }
            None => self.refuse(name, Rejection::new("missing", "Field required")),
        }
    }

    /// A field that may be absent or `null`; the outer `None` is a fault.
    pub fn optional<T: Field>(&mut self, name: &str) -> Option<Option<T>> {
        match self.values.get(name) {
            None | Some(Value::Null) => Some(None),
            Some(value) => {
                let parsed = T::parse_field(value);
                self.keep(name, parsed).map(Some)
            }
        }
    }

    /// A field of a change in which `null` clears; the outer `None` is a fault.
    pub fn change<T: Field>(&mut self, name: &str) -> Option<Change<T>> {
        match self.values.get(name) {
            None => Some(Change::Keep),
            Some(Value::Null) => Some(Change::Clear),
            Some(value) => {
                let parsed = T::parse_field(value);
                self.keep(name, parsed).map(Change::Set)
            }
        }
    }

    /// A field of a change that may be absent but not `null`; the outer `None` is a fault.
    pub fn replacement<T: Field>(&mut self, name: &str) -> Option<Option<T>> {
        match self.values.get(name) {
            None => Some(None),
            Some(value) => {
                let parsed = T::parse_field(value);
                self.keep(name, parsed).map(Some)
            }
        }
    }

    /// Records a fault of a field, for example one that also depends on other fields.
    pub fn refuse<T>(&mut self, name: &str, rejection: Rejection) -> Option<T> {
        self.faults.push(Fault {
            loc: vec![self.place.to_owned(), name.to_owned()],
            msg: rejection.message,
            kind: rejection.kind,
        });
        None
    }

    fn keep<T>(&mut self, name: &str, parsed: Result<T, Rejection>) -> Option<T> {
        match parsed {
            Ok(value) => Some(value),
            Err(rejection) => self.refuse(name, rejection),
        }
    }
}

/// The text of a value.
///
/// # Errors
/// When it is not a string, or has a NUL character, which PostgreSQL cannot store.
pub(crate) fn text(value: &Value) -> Result<&str, Rejection> {
    let text = value.as_str().ok_or_else(|| Rejection::new("string_type", "Input should be a string"))?;
    if text.contains('\0') {
        return Err(Rejection::new("string_nul", "String should not contain a NUL character"));
    }
    Ok(text)
}

/// A text of `min` to `max` characters (Unicode scalar values).
///
/// # Errors
/// As [`text`], and when it is too short or too long.
pub(crate) fn text_of_length(value: &Value, min: usize, max: usize) -> Result<&str, Rejection> {
    let text = text(value)?;
    let length = text.chars().count();
    if length < min {
        let message = format!("String should have at least {min} character{}", if min == 1 { "" } else { "s" });
        return Err(Rejection::new("string_too_short", message));
    }
    if length > max {
        return Err(Rejection::new("string_too_long", format!("String should have at most {max} characters")));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[derive(Debug)]
    struct Name(String);

    impl Field for Name {
        fn parse_field(value: &Value) -> Result<Self, Rejection> {
            text_of_length(value, 1, 3).map(|text| Name(text.to_owned()))
        }
    }

    #[derive(Debug)]
    struct Pair {
        first: Name,
        second: Change<Name>,
    }

    impl FromFields for Pair {
        fn from_fields(fields: &mut Fields) -> Option<Self> {
            let (first, second) = (fields.required("first"), fields.change("second"));
            Some(Self { first: first?, second: second? })
        }
    }

    fn read(value: &Value) -> Result<Pair, Vec<Fault>> {
        Fields::new("body", value.as_object().cloned().unwrap_or_default()).read()
    }

    #[test]
    fn all_faults_are_found_at_once() {
        let faults = read(&json!({"second": "long"})).expect_err("two faults");
        let found: Vec<_> = faults.iter().map(|fault| (fault.loc.join("."), fault.kind)).collect();
        assert_eq!(found, [("body.first".into(), "missing"), ("body.second".into(), "string_too_long")]);
    }

    #[test]
    fn absent_null_and_given_are_three_different_changes() {
        assert!(matches!(read(&json!({"first": "a"})).expect("valid").second, Change::Keep));
        assert!(matches!(read(&json!({"first": "a", "second": null})).expect("valid").second, Change::Clear));
        let pair = read(&json!({"first": "äöü", "second": "b"})).expect("three characters, six bytes");
        assert!(matches!(pair.second, Change::Set(Name(text)) if text == "b"));
        assert_eq!(pair.first.0, "äöü");
    }

    #[test]
    fn a_nul_character_is_refused() {
        let faults = read(&json!({"first": "a\0"})).expect_err("NUL");
        assert_eq!(faults.first().map(|fault| fault.kind), Some("string_nul"));
    }

    /// A field of each sort.
    #[derive(Debug)]
    struct All {
        required: Name,
        optional: Option<Name>,
        change: Change<Name>,
        replacement: Option<Name>,
    }

    impl FromFields for All {
        fn from_fields(fields: &mut Fields) -> Option<Self> {
            let (required, optional) = (fields.required("required"), fields.optional("optional"));
            let (change, replacement) = (fields.change("change"), fields.replacement("replacement"));
            Some(Self { required: required?, optional: optional?, change: change?, replacement: replacement? })
        }
    }

    /// Any JSON; often a text, which may be a name.
    fn value() -> impl Strategy<Value = Value> {
        let number = prop_oneof![any::<i64>().prop_map(Value::from), any::<f64>().prop_map(Value::from)];
        let text = prop_oneof!["[a-zé\\x00]{0,4}", any::<String>()].prop_map(Value::from);
        let leaf =
            prop_oneof![4 => text, 1 => number, 1 => any::<bool>().prop_map(Value::from), 1 => Just(Value::Null)];
        leaf.prop_recursive(3, 12, 3, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                prop::collection::btree_map(any::<String>(), inner, 0..3).prop_map(|map| map.into_iter().collect()),
            ]
        })
    }

    fn is_name(value: &Value) -> bool {
        value.as_str().is_some_and(|text| (1..=3).contains(&text.chars().count()) && !text.contains('\0'))
    }

    proptest! {
        #![proptest_config(crate::testing::properties::config())]

        #[test]
        fn every_fault_of_any_values_is_listed_once_and_what_is_good_comes_back(
            given in prop::array::uniform4(prop::option::weighted(0.8, value())), unknown in value(),
        ) {
            let names = ["required", "optional", "change", "replacement"];
            let mut values: Map<String, Value> =
                names.into_iter().zip(&given).filter_map(|(name, value)| Some((name.to_owned(), value.clone()?))).collect();
            values.insert("unknown".into(), unknown);
            let is_good = |name: &str| match (name, values.get(name)) {
                ("required", None) | ("required" | "replacement", Some(Value::Null)) => false,
                (_, None | Some(Value::Null)) => true,
                (_, Some(value)) => is_name(value),
            };
            let faulty: Vec<&str> = names.into_iter().filter(|name| !is_good(name)).collect();
            match Fields::new("body", values.clone()).read::<All>() {
                Ok(all) => {
                    prop_assert!(faulty.is_empty());
                    let json = |name: Option<Name>| name.map(|Name(text)| Value::from(text));
                    let change = match all.change {
                        Change::Keep => None,
                        Change::Clear => Some(Value::Null),
                        Change::Set(name) => json(Some(name)),
                    };
                    let [required, optional, changed, replacement] = given;
                    prop_assert_eq!(json(Some(all.required)), required);
                    prop_assert_eq!(json(all.optional), optional.filter(|value| !value.is_null()));
                    prop_assert_eq!(change, changed);
                    prop_assert_eq!(json(all.replacement), replacement);
                }
                Err(faults) => {
                    let found: Vec<_> = faults.iter().map(|fault| fault.loc.join(".")).collect();
                    prop_assert_eq!(found, faulty.iter().map(|name| format!("body.{name}")).collect::<Vec<_>>());
                    prop_assert!(faults.iter().all(|fault| !fault.msg.is_empty() && !fault.kind.is_empty()));
                }
            }
        }
    }
}
