//! Checks the files that settings name.

use std::fs;
use std::path::Path;

use super::ConfigError;
use super::values::Values;

/// Checks that a file can be read; relative paths start at `dir`.
pub(super) fn file(values: &Values, key: &str, path: &Path, dir: &Path, expected: &str) -> Result<(), ConfigError> {
    let wrong = |fault: &str| values.wrong(key, &path.to_string_lossy(), fault, &format!("expected {expected}"));
    match fs::metadata(dir.join(path)) {
        Ok(metadata) if metadata.is_dir() => Err(wrong("is a directory")),
        Ok(_) => Ok(()),
        Err(error) => Err(wrong(&format!("cannot be read: {error}"))),
    }
}
