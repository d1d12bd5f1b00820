//! The languages of pages and mails, and which one somebody prefers.

/// Longest list of preferences that is read: browsers send a handful.
const MAX_PREFERENCES: usize = 32;

/// A language that there are pages and mails in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Language {
    #[default]
    English,
    German,
}

impl Language {
    pub(crate) const ALL: [Self; 2] = [Self::English, Self::German];

    /// The language that the value of an `Accept-Language` header prefers (RFC 9110 §12.5.4); English if it names none
    /// that we have.
    pub(crate) fn preferred(header: &str) -> Self {
        let mut best = (0.0, Self::default());
        for (weight, language) in header.split(',').take(MAX_PREFERENCES).filter_map(preference) {
            if weight > best.0 {
                best = (weight, language);
            }
        }
        best.1
    }

    /// The language with that code.
    pub(crate) fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.code() == code)
    }

    /// The code (RFC 5646).
    pub(crate) fn code(self) -> &'static str {
        self.pick("en", "de")
    }

    /// The text in this language.
    pub(crate) fn pick<T>(self, english: T, german: T) -> T {
        match self {
            Self::English => english,
            Self::German => german,
        }
    }
}

/// One range of the header, such as `de-AT;q=0.8`, if we have its language.
fn preference(range: &str) -> Option<(f32, Language)> {
    let (name, parameters) = range.split_once(';').unwrap_or((range, ""));
    let weight = match parameters.trim().strip_prefix("q=") {
        Some(weight) => weight.trim().parse().ok()?,
        None => 1.0,
    };
    let language = match name.trim().split('-').next()?.to_ascii_lowercase().as_str() {
        "en" | "*" => Language::English,
        "de" => Language::German,
        _ => return None,
    };
    Some((weight, language))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_heaviest_language_that_we_have_wins_and_the_first_of_equals() {
        for (header, code) in [
            ("", "en"),
            ("de", "de"),
            ("de-AT", "de"),
            ("DE-at,en;q=0.9", "de"),
            ("en-GB,de;q=0.9", "en"),
            ("en;q=0.5, de;q=0.8", "de"),
            ("fr, de;q=0.3, en;q=0.2", "de"),
            ("fr, it", "en"),
            ("de, en", "de"),
            ("de;q=0, en;q=0.1", "en"),
            ("de;q=x, *", "en"),
        ] {
            assert_eq!(Language::preferred(header).code(), code, "{header}");
        }
    }
}
