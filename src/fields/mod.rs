//! Reads the fields of a JSON body or a query string, and reports every fault, not only the first.
//!
//! Why not serde, and garde on top: clients get all faults at once, each with the `loc`, `msg` and `type` of FastAPI.
//! serde stops at the first value of a wrong type, and garde sees only what serde has read: a body with a number for a
//! name and a password that is too short would report one of them. By itself, serde does not tell an absent field from
//! a `null` one, which differ in a change; and a NUL character is refused here, for every text.
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
    /// The sentence in German, for the pages that have it.
    pub(crate) german: Option<String>,
}

impl Rejection {
    /// A rejection of that kind, with a message that says what is expected.
    pub fn new(kind: &'static str, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), german: None }
    }

    /// Adds the sentence in German.
    pub(crate) fn in_german(self, message: impl Into<String>) -> Self {
        Self { german: Some(message.into()), ..self }
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
    /// What is expected, in German, for the pages that have it.
    #[serde(skip)]
    #[schema(ignore)]
    pub(crate) german: Option<String>,
}

impl Fault {
    /// The fault of a field of `place`, which is `body` or `query`.
    #[must_use]
    pub fn new(place: &str, name: &str, rejection: Rejection) -> Self {
        let Rejection { kind, message, german } = rejection;
        Self { loc: vec![place.to_owned(), name.to_owned()], msg: message, kind, german }
    }
}

/// A type that a field can be parsed into.
pub trait Field: Sized {
    /// Parses the value.
    ///
    /// # Errors
    /// A [`Rejection`] that says what is expected.
    fn parse_field(value: &Value) -> Result<Self, Rejection>;
}

/// `true` or `false`, and no text or number that stands for one.
impl Field for bool {
    fn parse_field(value: &Value) -> Result<Self, Rejection> {
        value.as_bool().ok_or_else(|| Rejection::new("bool_type", "Input should be true or false"))
    }
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
        self.faults.push(Fault::new(self.place, name, rejection));
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
mod tests;
