//! The values of an account. Each is valid once it exists; `parse` is the only way to make one.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::str::FromStr;

use email_address::{EmailAddress, Options};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::db::{Id, Timestamp};
use crate::fields::{Field, Rejection, text, text_of_length};
use crate::unicode::{ascii_domain, is_mark, nfc, without_case};

/// Passwords that are tried first, in lower case, one a line, in the order of their bytes.
const COMMON_PASSWORDS: &str = include_str!("common_passwords/list.txt");
/// Length of a password in bytes of UTF-8, in NFC; bcrypt takes no more.
const PASSWORD_BYTES: std::ops::RangeInclusive<usize> = 8..=72;
/// The longest `full_name`, in characters.
const MAX_NAME_CHARS: usize = 200;
/// The longest e-mail address, in bytes (RFC 5321 §4.5.3.1.3).
const MAX_EMAIL_BYTES: usize = 254;

/// The longest part before the `@`, in bytes (RFC 5321 §4.5.3.1.1).
const MAX_LOCAL_BYTES: usize = 64;

/// An account, as its owner and admins see it: never with a hash.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct User {
    /// Its id; never given out twice.
    #[schema(value_type = i64, example = 1, minimum = 1, maximum = 9_007_199_254_740_991_i64)]
    pub id: Id,
    /// Its e-mail address, as it was given.
    #[schema(example = "ada@example.com")]
    pub email: String,
    /// Its owner's name.
    #[schema(example = "Ada Lovelace", required)]
    pub full_name: Option<String>,
    /// False: it can neither log in nor use its tokens.
    #[schema(example = true)]
    pub is_active: bool,
    /// Whether it may have the scope `admin`.
    #[schema(example = false)]
    pub is_admin: bool,
    /// Whether the owner has shown that the address is theirs.
    #[schema(example = false)]
    pub email_verified: bool,
    /// When it was made, UTC.
    #[schema(value_type = String, format = DateTime, example = "2026-11-21T20:58:00Z")]
    pub created_at: Timestamp,
    /// When it was last changed, UTC.
    #[schema(value_type = String, format = DateTime, example = "2026-11-21T20:58:00Z")]
    pub updated_at: Timestamp,
}

/// An e-mail address, as it was typed. Two are the same account's when they are equal in NFC without their case, the domain in
/// its ASCII form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Email(String);

impl Email {
    /// Reads an address; surrounding blanks are ignored.
    ///
    /// # Errors
    /// A [`Rejection`] that says what is expected.
    pub fn parse(text: &str) -> Result<Self, Rejection> {
        let text = text.trim();
        let refused = |message: &str| Err(Rejection::new("value_error", message));
        if text.len() > MAX_EMAIL_BYTES {
            return refused("An e-mail address has at most 254 bytes");
        }
        // The domain as a mail server is told it: what has no ASCII form can receive no mail. (email_address 0.2 knows no
        // marks, which some letters have even in NFC.)
        let ascii = text.rsplit_once('@').and_then(|(local, domain)| {
            let letters: String = nfc(local).chars().filter(|character| !is_mark(*character)).collect();
            Some(format!("{letters}@{}", ascii(domain)?)).filter(|_| local.len() <= MAX_LOCAL_BYTES)
        });
        let options = Options::default().without_display_text().without_domain_literal().with_required_tld();
        let is_address = |text: &String| EmailAddress::parse_with_options(text, options).is_ok();
        match ascii.filter(is_address) {
            Some(_) if !text.contains(char::is_control) => Ok(Self(text.to_owned())),
            _ => refused("Input should be an e-mail address, such as ada@example.com"),
        }
    }

    /// The address as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What the account is looked up by.
    #[must_use]
    pub fn key(&self) -> String {
        Self::key_of(&self.0)
    }

    /// What an account with that address would be looked up by, were it one. With NUL, which PostgreSQL cannot compare, it
    /// is none, and neither is the empty text.
    #[must_use]
    pub fn key_of(text: &str) -> String {
        let text = text.trim();
        match text.rsplit_once('@') {
            _ if text.contains('\0') => String::new(),
            Some((local, domain)) => {
                let domain = ascii_domain(domain).map_or_else(|| without_case(domain), Cow::into_owned);
                format!("{}@{domain}", without_case(local))
            }
            None => without_case(text),
        }
    }
}

/// A domain as a mail server is told it; one that is in ASCII as it is.
fn ascii(domain: &str) -> Option<Cow<'_, str>> {
    if domain.is_ascii() { Some(domain.into()) } else { ascii_domain(domain) }
}

impl FromStr for Email {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::parse(text).map_err(|rejection| rejection.message)
    }
}

impl Field for Email {
    fn parse_field(value: &Value) -> Result<Self, Rejection> {
        Self::parse(text(value)?)
    }
}

/// The name of an account's owner: at most 200 characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FullName(String);

impl FullName {
    /// The name.
    #[must_use]
    pub(crate) fn into_string(self) -> String {
        self.0
    }
}

impl Field for FullName {
    fn parse_field(value: &Value) -> Result<Self, Rejection> {
        text_of_length(value, 0, MAX_NAME_CHARS).map(|text| Self(text.to_owned()))
    }
}

/// A password that an account may have, in NFC (RFC 8265 §4.2.2): 8 to 72 bytes in UTF-8, no NUL, not a common one.
#[derive(Clone, Debug)]
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
            return Err(Rejection::new(
                "value_error",
                "This password is one of the first that are tried: choose another",
            ));
        }
        Ok(Self(composed))
    }

    /// Whether it is the account's own address, which everybody knows.
    #[must_use]
    pub(crate) fn is_email(&self, email: &Email) -> bool {
        Email::key_of(self.0.expose_secret()) == email.key()
    }

    pub(crate) fn expose(&self) -> &SecretString {
        &self.0
    }
}

impl Field for NewPassword {
    fn parse_field(value: &Value) -> Result<Self, Rejection> {
        Self::parse(text(value)?)
    }
}

/// The fault of a password that is the e-mail address.
pub(crate) fn password_is_email() -> Rejection {
    Rejection::new("value_error", "Password should not be the e-mail address")
}

fn is_common(password: &str) -> bool {
    let lower = password.to_lowercase();
    let digits = "01234567890123456789";
    let letters = "abcdefghijklmnopqrstuvwxyz";
    let backwards = |text: &str| text.chars().rev().collect::<String>();
    let runs = [digits.to_owned(), backwards(digits), letters.to_owned(), backwards(letters)];
    runs.iter().any(|run| run.contains(&lower)) || is_line_of(COMMON_PASSWORDS, &lower)
}

/// Whether a text whose lines are sorted has that line: found by halves, so that nothing is built at the start.
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
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(crate::testing::properties::config())]

        #[test]
        fn whatever_is_typed_has_one_key(text in any::<String>()) {
            let key = Email::key_of(&text);
            prop_assert_eq!(&Email::key_of(&key), &key, "the key of a key is the key");
            prop_assert_eq!(&Email::key_of(&format!(" {text}\t\n")), &key, "blanks around it do not matter");
            prop_assert!(!key.contains('\0'));
            let has_two_readings = Email::key_of(&nfc(&text)) != key;
            prop_assert!(!has_two_readings || text.contains(['\u{212a}', '\u{37e}', '\u{1fef}']), "its form does not matter");
            if let Ok(email) = Email::parse(&text) {
                prop_assert_eq!(&email.key(), &key, "as it was signed up it is found");
                prop_assert_eq!(email.as_str(), text.trim());
            }
        }

        #[test]
        fn an_address_has_the_same_key_in_any_case(
            local in "[A-Za-z0-9][A-Za-z0-9.+_-]{0,10}[A-Za-z0-9]", domain in "[A-Za-z0-9]{1,10}", top in "[A-Za-z]{2,5}",
        ) {
            prop_assume!(!local.contains(".."));
            let address = format!("{local}@{domain}.{top}");
            let key = Email::parse(&address).expect("an address").key();
            for other in [address.to_uppercase(), address.to_lowercase(), format!("  {address} ")] {
                prop_assert_eq!(&Email::parse(&other).expect("the same address").key(), &key);
            }
        }
    }

    #[test]
    fn one_mailbox_is_one_account_however_it_is_typed() {
        for (one, others) in [
            (
                "mia@bücher.example",
                &["mia@xn--bcher-kva.example", "MIA@BÜCHER.example", "mia@bu\u{308}cher.example"][..],
            ),
            ("jose\u{301}@example.com", &["josé@example.com", "JOSÉ@Example.com", "JOSE\u{301}@example.com"]),
            ("οδος@example.com", &["ΟΔΟΣ@example.com", "οδοσ@example.com"]),
            ("संपर्क@डाटामेल.भारत", &["संपर्क@xn--c2bd4bq1db8d.xn--h2brj9c"]),
            ("i\u{307}@example.com", &["\u{130}@example.com", "I\u{307}@example.com"]),
        ] {
            let parsed = Email::parse(one).expect("an address");
            assert_eq!(parsed.as_str(), one, "kept as it was typed");
            for other in others {
                assert_eq!(Email::parse(other).expect("an address").key(), parsed.key(), "{one} {other}");
            }
        }
    }

    #[test]
    fn no_other_character_takes_the_place_of_a_letter_in_ascii() {
        for (other, letter) in [
            ("\u{212a}", "k"),
            ("\u{212a}", "K"),
            ("\u{130}", "i"),
            ("\u{131}", "i"),
            ("\u{17f}", "s"),
            ("\u{ff4b}", "k"),
        ] {
            let address = |local: &str| Email::key_of(&format!("mar{local}us@example.com"));
            assert_ne!(address(other), address(letter), "{other} {letter}");
        }
    }

    #[test]
    fn a_domain_that_can_receive_no_mail_is_refused() {
        for text in ["a@bücher..example", "a@-ü_.example", "a@\u{ff20}.example"] {
            assert!(Email::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn the_length_of_a_password_is_that_in_nfc() {
        let decomposed = "e\u{301}".repeat(36);
        assert_eq!((decomposed.len(), nfc(&decomposed).len()), (108, 72));
        assert_eq!(NewPassword::parse(&decomposed).expect("fit").expose().expose_secret(), &*nfc(&decomposed));
        assert!(NewPassword::parse(&format!("{decomposed}x")).is_err());
        assert!(NewPassword::parse("e\u{301}e\u{301}-b").is_err(), "8 bytes as typed, 6 in NFC");
    }

    #[test]
    fn an_address_keeps_its_case_and_is_found_without_it() {
        let email = Email::parse(" Ada@Example.COM ").expect("an address");
        assert_eq!((email.as_str(), email.key().as_str()), ("Ada@Example.COM", "ada@example.com"));
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in
            ["", "ada", "ada@", "@example.com", "a b@example.com", "ada@example", "Ada <ada@example.com>", "a@b@c.de"]
        {
            assert!(Email::parse(text).is_err(), "{text:?}");
        }
        assert!(Email::parse(&format!("{}@example.com", "a".repeat(250))).is_err());
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
