//! The one line that stops startup.

use std::fmt;

/// A setting that stops startup; `Display` is one line: the key, its fault, what is allowed, where it came from.
///
/// It never contains the value of a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{line}")]
pub struct ConfigError {
    line: String,
}

impl ConfigError {
    /// Builds the line. Escapes control characters, so that it stays one line whatever the value.
    pub(super) fn new(subject: impl fmt::Display, fault: impl fmt::Display) -> Self {
        let mut line = String::new();
        for c in format!("{subject}: {fault}").chars() {
            if c.is_control() {
                line.extend(c.escape_default());
            } else {
                line.push(c);
            }
        }
        Self { line }
    }
}

/// A value that is not secret, in backquotes, cut to a length that fits in a line.
pub(super) fn quoted(value: &str) -> String {
    const LONGEST_CHARS: usize = 80;
    // The operator may have put `user:password@host` in the wrong place.
    if value.contains('@') {
        return "the value".to_owned();
    }
    let mut shown: String = value.chars().take(LONGEST_CHARS).collect();
    if shown.len() < value.len() {
        shown.push('…');
    }
    format!("`{shown}`")
}
