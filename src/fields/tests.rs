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
    let leaf = prop_oneof![4 => text, 1 => number, 1 => any::<bool>().prop_map(Value::from), 1 => Just(Value::Null)];
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
