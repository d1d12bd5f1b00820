//! Which passwords an account may have.

use std::cmp::Ordering;

use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use utoipa::ToSchema;

use crate::fields::{Field, Rejection, text};
use crate::unicode::nfc;

/// Passwords that attackers try first, in lower case, one a line, sorted by bytes.
const COMMON_PASSWORDS: &str = include_str!("common_passwords/list.txt");
/// Length of a password in NFC, in bytes of UTF-8; bcrypt takes no more.
const PASSWORD_BYTES: std::ops::RangeInclusive<usize> = 8..=72;

/// A password that an account may have, in NFC (RFC 8265 §4.2.2): 8 to 72 bytes in UTF-8, no NUL, not a common one.
#[derive(Clone, Debug, ToSchema)]
#[schema(value_type = String, format = Password, max_length = 72, example = "correct horse battery staple")]
pub(crate) struct NewPassword(SecretString);

impl NewPassword {
    /// Reads a password, as typed.
    ///
    /// # Errors
    /// A [`Rejection`] that says what is expected, without the password.
    pub(crate) fn parse(text: &str) -> Result<Self, Rejection> {
        let composed = SecretString::from(nfc(text).into_owned());
        let text = composed.expose_secret();
        if text.contains('\0') {
            return Err(Rejection::new("string_nul", "Password should not contain a NUL character"));
        }
        if text.len() < *PASSWORD_BYTES.start() {
            return Err(Rejection::new("string_too_short", "Password should have at least 8 bytes in UTF-8"));
        }
        if text.len() > *PASSWORD_BYTES.end() {
            return Err(Rejection::new("string_too_long", "Password should have at most 72 bytes in UTF-8"));
        }
        if is_common(text) {
            return Err(Rejection::new("value_error", "This password is too common: choose another"));
        }
        Ok(Self(composed))
    }

    pub(super) fn expose(&self) -> &SecretString {
        &self.0
    }

    pub(super) fn into_secret(self) -> SecretString {
        self.0
    }
}

impl Field for NewPassword {
    fn parse_field(value: &Value) -> Result<Self, Rejection> {
        Self::parse(text(value)?)
    }
}

fn is_common(password: &str) -> bool {
    let lower = password.to_lowercase();
    let digits = "01234567890123456789";
    let letters = "abcdefghijklmnopqrstuvwxyz";
    let backwards = |text: &str| text.chars().rev().collect::<String>();
    let runs = [digits.to_owned(), backwards(digits), letters.to_owned(), backwards(letters)];
    runs.iter().any(|run| run.contains(&lower)) || is_line_of(COMMON_PASSWORDS, &lower)
}

/// Whether a text with sorted lines contains that line. A binary search, so that nothing is built at startup.
fn is_line_of(sorted: &str, wanted: &str) -> bool {
    let mut rest = sorted;
    while !rest.is_empty() {
        let (half, _) = rest.split_at(rest.floor_char_boundary(rest.len() / 2));
        let (before, from) = rest.split_at(half.rfind('\n').map_or(0, |end| end + 1));
        let (line, after) = from.split_once('\n').unwrap_or((from, ""));
        match wanted.cmp(line) {
            Ordering::Equal => return true,
            Ordering::Less => rest = before,
            Ordering::Greater => rest = after,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_of_a_password_is_that_in_nfc() {
        let decomposed = "e\u{301}".repeat(36);
        assert_eq!((decomposed.len(), nfc(&decomposed).len()), (108, 72));
        assert_eq!(NewPassword::parse(&decomposed).expect("fit").expose().expose_secret(), &*nfc(&decomposed));
        assert!(NewPassword::parse(&format!("{decomposed}x")).is_err());
        assert!(NewPassword::parse("e\u{301}e\u{301}-b").is_err(), "8 bytes as typed, 6 in NFC");
    }

    #[test]
    fn passwords_have_8_to_72_bytes() {
        assert!(NewPassword::parse("ä-bcdef").is_ok(), "7 characters, 8 bytes");
        assert!(NewPassword::parse("a-bcdef").is_err());
        assert!(NewPassword::parse(&"aB".repeat(36)).is_ok());
        assert!(NewPassword::parse(&format!("{}c", "aB".repeat(36))).is_err());
        assert!(NewPassword::parse("abc\0defgh").is_err());
    }

    #[test]
    fn common_passwords_are_refused_in_any_case() {
        for text in ["password", "Password1", "12345678", "987654321", "aaaaaaaa", "QWERTYUIOP", "iloveyou"] {
            assert!(NewPassword::parse(text).is_err(), "{text:?}");
        }
    }

    /// OWASP ASVS 5.0, 6.2.4: at least the top 3,000 that the policy would let pass.
    #[test]
    fn every_password_of_the_list_would_be_let_pass_without_it_and_is_refused() {
        let listed: Vec<&str> = COMMON_PASSWORDS.lines().collect();
        assert!(listed.len() > 3000 && listed.is_sorted_by(|one, next| one < next), "sorted, each once");
        for text in listed {
            assert!(PASSWORD_BYTES.contains(&text.len()) && text == text.to_lowercase(), "{text:?}");
            for typed in [text.to_owned(), text.to_uppercase()] {
                assert!(NewPassword::parse(&typed).is_err(), "{typed:?}");
            }
        }
    }

    #[test]
    fn a_line_is_found_wherever_it_stands_and_a_part_of_one_is_not() {
        for (text, lines) in
            [("", &[][..]), ("b\n", &["b"]), ("b", &["b"]), ("ab\nb\nbc\né\nü\n", &["ab", "b", "bc", "é", "ü"])]
        {
            for wanted in ["", "a", "ab", "abc", "b", "bc", "bcd", "c", "é", "ü", "z", "ab\nb"] {
                assert_eq!(is_line_of(text, wanted), lines.contains(&wanted), "{wanted:?} in {text:?}");
            }
        }
    }

    #[test]
    fn a_password_that_only_holds_a_common_one_is_let_pass() {
        for text in ["passwordpasswordpassword", "sunshine over lake", "xqwertyuiop", "iloveyou-92-otters"] {
            assert!(NewPassword::parse(text).is_ok(), "{text:?}");
        }
    }

    #[test]
    fn a_password_is_never_printed() {
        let password = NewPassword::parse("lantern-quartz").expect("a password");
        assert!(!format!("{password:?}").contains("lantern"));
    }
}
