//! The filter of `RUST_LOG`.

use std::io::{self, ErrorKind};

use tracing_subscriber::EnvFilter;

const LEVELS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "off"];

/// Parses a filter. tracing-subscriber takes any single word that is not a level for a target, so that
/// `RUST_LOG=warning` would silence the whole log: words that resemble a level are refused.
///
/// # Errors
/// One line that names `RUST_LOG`.
pub(super) fn parse(text: &str) -> io::Result<EnvFilter> {
    let wrong = |fault: String| {
        let expected = "expected a level (error, warn, info, debug, trace, off), or a list such as \
                        info,keyfob::request=warn";
        io::Error::new(ErrorKind::InvalidInput, format!("RUST_LOG: {fault}; {expected}"))
    };
    if let Some(word) = text.split(',').map(str::trim).find(|word| resembles_level(word)) {
        return Err(wrong(format!("`{word}` is not a level")));
    }
    EnvFilter::builder().parse(text).map_err(|_| wrong(format!("`{}` is not a valid filter", text.escape_debug())))
}

/// Whether the word is a level cut short or extended, such as `inf` or `warning`.
fn resembles_level(word: &str) -> bool {
    let word = word.to_ascii_lowercase();
    let is_alike = |level: &&str| word.len() > 2 && (level.starts_with(&word) || word.starts_with(*level));
    !LEVELS.contains(&word.as_str()) && word.chars().all(|c| c.is_ascii_alphabetic()) && LEVELS.iter().any(is_alike)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_and_lists_of_targets_are_filters() {
        for text in ["info", "WARN", "off", "keyfob", "keyfob::request=warn,info", "actix_server=info", "[span]=debug"]
        {
            assert!(parse(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn a_wrong_filter_is_refused_and_named() {
        for text in ["keyfob=inof", "a=b=c", "inf", "info,warning", "a\nb=x"] {
            let line = parse(text).expect_err(text).to_string();
            assert!(line.starts_with("RUST_LOG: `") && line.contains("; expected a level"), "{line}");
            assert!(!line.contains('\n'), "{line}");
        }
    }
}
