//! Checks the files that settings name.

use std::fs;
use std::path::Path;

use super::ConfigError;
use super::values::Values;

/// Checks that a file can be read, which is what is said to be expected; relative paths start at `dir`.
pub(super) fn file(values: &Values, key: &str, (path, expected): (&Path, &str), dir: &Path) -> Result<(), ConfigError> {
    let wrong = |fault: &str| values.wrong(key, &path.to_string_lossy(), fault, expected);
    match fs::metadata(dir.join(path)) {
        Ok(metadata) if metadata.is_dir() => Err(wrong("is a directory")),
        Ok(_) => Ok(()),
        Err(error) => Err(wrong(&format!("cannot be read: {error}"))),
    }
}
