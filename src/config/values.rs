//! The merged values with their origins, and how to read each type from them.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;

use config::{FileFormat, Format, Map, Value, ValueKind};
use secrecy::SecretString;

use super::error::{ConfigError, quoted};
use super::keys;

/// Fewest bytes of a secret: the output size of HMAC with SHA-256 (RFC 7518 §3.2).
const SECRET_MIN_BYTES: usize = 32;

/// The expected form of a text.
const TEXT: &str = "expected a string in quotes";

/// Every value by its dotted key; no `Debug`, since it holds secrets.
#[derive(Default)]
pub(super) struct Values {
    by_key: BTreeMap<String, Value>,
    /// libpq's variables (`PGHOST` and so on), which it uses for what a URL omits.
    pub(super) libpq: BTreeMap<String, String>,
}

impl Values {
    /// Merges a TOML text over the values.
    pub(super) fn add_toml(&mut self, origin: &str, text: &str) -> Result<(), ConfigError> {
        let table = FileFormat::Toml
            .parse(Some(&origin.to_owned()), text)
            .map_err(|cause| toml_fault(origin, &cause.to_string()))?;
        self.add_table("", table, origin)
    }

    /// Merges one variable over the values; it stays text until a setting's type converts it.
    pub(super) fn add_variable(&mut self, key: String, value: String, origin: &str) -> Result<(), ConfigError> {
        self.add(key, Value::new(Some(&origin.to_owned()), value), origin)
    }

    /// Where the value of a key came from.
    pub(super) fn origin(&self, key: &str) -> Option<&str> {
        self.by_key.get(key).and_then(Value::origin)
    }

    /// The error for a key: its fault, its remedy ("expected ..."), and where the value came from.
    pub(super) fn fault(&self, key: &str, fault: impl fmt::Display, remedy: &str) -> ConfigError {
        let from = self.origin(key).map_or_else(String::new, |origin| format!(" ({origin})"));
        ConfigError::new(key, format!("{fault}; {remedy}{from}"))
    }

    /// The same with the value before its fault: not for possible secrets.
    pub(super) fn wrong(&self, key: &str, value: &str, fault: &str, remedy: &str) -> ConfigError {
        self.fault(key, format!("{} {fault}", quoted(value)), remedy)
    }

    /// A non-empty text, trimmed.
    pub(super) fn text(&self, key: &str) -> Result<String, ConfigError> {
        self.optional_text(key)?.ok_or_else(|| self.fault(key, "is empty", "expected a text"))
    }

    /// A path, or `None` if unset or empty.
    pub(super) fn path(&self, key: &str) -> Result<Option<PathBuf>, ConfigError> {
        Ok(self.optional_text(key)?.map(PathBuf::from))
    }

    /// A text that parses as `T`.
    pub(super) fn parsed<T: FromStr>(&self, key: &str, expected: &str) -> Result<T, ConfigError> {
        let text = self.optional_text(key)?.unwrap_or_default();
        text.parse().map_err(|_| self.wrong(key, &text, "is not valid", expected))
    }

    /// A whole number within a range.
    pub(super) fn integer<T: TryFrom<u64>>(&self, key: &str, range: RangeInclusive<u64>) -> Result<T, ConfigError> {
        let expected = format!("expected a number from {} to {}", range.start(), range.end());
        let fault = "is not a whole number";
        let number: i128 = match self.kind(key) {
            Some(ValueKind::I64(number)) => i128::from(*number),
            Some(ValueKind::String(text)) => {
                let number = text.trim().parse();
                number.map_err(|_| self.wrong(key, text, fault, &expected))?
            }
            _ => return Err(self.fault(key, fault, &expected)),
        };
        u64::try_from(number)
            .ok()
            .filter(|number| range.contains(number))
            .and_then(|number| T::try_from(number).ok())
            .ok_or_else(|| self.wrong(key, &number.to_string(), "is out of range", &expected))
    }

    /// A boolean.
    pub(super) fn switch(&self, key: &str) -> Result<bool, ConfigError> {
        let (fault, expected) = ("is not a boolean", "expected true or false");
        let text = match self.kind(key) {
            Some(ValueKind::Boolean(value)) => return Ok(*value),
            Some(ValueKind::String(text)) => text.trim(),
            _ => return Err(self.fault(key, fault, expected)),
        };
        match text.to_lowercase().as_str() {
            "true" | "on" | "yes" | "1" => Ok(true),
            "false" | "off" | "no" | "0" => Ok(false),
            _ => Err(self.wrong(key, text, fault, expected)),
        }
    }

    /// A list of texts: an array, or a text with commas; an empty text is an empty list.
    pub(super) fn list(&self, key: &str) -> Result<Vec<String>, ConfigError> {
        let expected = "expected an array of strings, or one string with commas between the values";
        let not_texts = || self.fault(key, "is not a list of strings", expected);
        match self.kind(key) {
            Some(ValueKind::String(text)) => {
                let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
                Ok(items.map(str::to_owned).collect())
            }
            Some(ValueKind::Array(items)) => items
                .iter()
                .map(|item| match &item.kind {
                    ValueKind::String(text) => Ok(text.trim().to_owned()),
                    _ => Err(not_texts()),
                })
                .collect(),
            _ => Err(not_texts()),
        }
    }

    /// A secret, exactly as written, or `None` if unset or empty; errors show at most its length.
    pub(super) fn secret(&self, key: &str) -> Result<Option<SecretString>, ConfigError> {
        let text = match self.kind(key) {
            None => return Ok(None),
            Some(ValueKind::String(text)) if text.is_empty() => return Ok(None),
            Some(ValueKind::String(text)) => text,
            Some(_) => return Err(self.fault(key, "is not a string", TEXT)),
        };
        // A file read into a variable ends so, and not every program that shares the secret would remove it.
        if text.ends_with(['\r', '\n']) {
            return Err(self.fault(key, "ends with a line break", "remove it"));
        }
        if text.len() < SECRET_MIN_BYTES {
            let expected = format!("expected at least {SECRET_MIN_BYTES} bytes");
            return Err(self.fault(key, format!("has only {} bytes", text.len()), &expected));
        }
        Ok(Some(text.as_str().into()))
    }

    /// A trimmed text, or `None` if unset or empty.
    pub(super) fn optional_text(&self, key: &str) -> Result<Option<String>, ConfigError> {
        match self.kind(key) {
            None => Ok(None),
            Some(ValueKind::String(text)) => Ok(Some(text.trim()).filter(|text| !text.is_empty()).map(str::to_owned)),
            Some(_) => Err(self.fault(key, "is not a string", TEXT)),
        }
    }

    fn kind(&self, key: &str) -> Option<&ValueKind> {
        self.by_key.get(key).map(|value| &value.kind)
    }

    fn add(&mut self, key: String, value: Value, origin: &str) -> Result<(), ConfigError> {
        if !keys::is_key(&key) {
            let fault = keys::unknown_fault(&key);
            return Err(ConfigError::new(key, format!("{fault} ({origin})")));
        }
        self.by_key.insert(key, value);
        Ok(())
    }

    fn add_table(&mut self, prefix: &str, table: Map<String, Value>, origin: &str) -> Result<(), ConfigError> {
        // Sorted, so that of several unknown keys the error always names the same one.
        let sorted: BTreeMap<String, Value> = table.into_iter().collect();
        for (name, value) in sorted {
            let key = format!("{prefix}{name}");
            match value.kind {
                // Leave a table in place of a setting's value whole: the setting's reader refuses it.
                ValueKind::Table(inner) if !keys::is_key(&key) && (keys::is_section(&key) || !inner.is_empty()) => {
                    self.add_table(&format!("{key}."), inner, origin)?;
                }
                _ => self.add(key, value, origin)?,
            }
        }
        Ok(())
    }
}

/// Reduces TOML's multi-line report to place and reason; the faulty line itself may hold a secret.
fn toml_fault(file: &str, report: &str) -> ConfigError {
    let place = report.lines().next().and_then(|line| line.strip_prefix("TOML parse error at "));
    match place {
        Some(place) => {
            // After the header, three lines draw the fault.
            let reason: Vec<&str> = report.lines().skip(4).map(str::trim).collect();
            ConfigError::new(file, format!("{place}: {}", reason.join(" ").trim_end()))
        }
        None => ConfigError::new(file, format!("has an invalid value: {}", report.trim())),
    }
}
