//! The values of an account. Each is valid once it exists; `parse` is the only way to make one.

use std::borrow::Cow;
use std::str::FromStr;

use email_address::{EmailAddress, Options};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::db::{Id, Timestamp};
use crate::fields::{Field, Rejection, text, text_of_length};
use crate::unicode::{ascii_domain, is_mark, nfc, without_case};

/// The longest `full_name`, in characters.
const MAX_NAME_CHARS: usize = 200;
/// The longest e-mail address, in bytes (RFC 5321 §4.5.3.1.3).
const MAX_EMAIL_BYTES: usize = 254;

/// The longest part before the `@`, in bytes (RFC 5321 §4.5.3.1.1).
const MAX_LOCAL_BYTES: usize = 64;

/// An account, as its owner and admins see it, without the password hash.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct User {
    /// The account's id; never reused.
    pub id: Id,
    /// The e-mail address, as it was given.
    #[schema(example = "ada@example.com")]
    pub email: String,
    /// The display name.
    #[schema(example = "Ada Lovelace", required)]
    pub full_name: Option<String>,
    /// Whether the account can log in and use its tokens.
    #[schema(example = true)]
    pub is_active: bool,
    /// Whether the account may have the scope `admin`.
    #[schema(example = false)]
    pub is_admin: bool,
    /// Whether the owner has verified the e-mail address.
    #[schema(example = false)]
    pub email_verified: bool,
    /// When the account was created, UTC.
    pub created_at: Timestamp,
    /// When the account was last changed, UTC.
    pub updated_at: Timestamp,
}

/// An e-mail address, as typed. Two addresses belong to the same account when they are equal in NFC without case, with
/// the domain in its ASCII form.
#[derive(Clone, Debug, PartialEq, Eq, ToSchema)]
#[schema(format = "email", max_length = 254, example = "ada@example.com")]
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
        // Check the domain as a mail server receives it: one without an ASCII form can receive no mail. (email_address
        // 0.2 knows no combining marks, which some letters have even in NFC.)
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

    /// The key that the account is looked up by.
    #[must_use]
    pub fn key(&self) -> String {
        Self::key_of(&self.0)
    }

    /// The lookup key for a possible address. Text that cannot be an address (empty, or with NUL, which PostgreSQL
    /// cannot compare) gives the empty key, which matches no account.
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

/// A domain as a mail server receives it; one in ASCII is left as it is.
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
#[derive(Clone, Debug, PartialEq, Eq, ToSchema)]
#[schema(max_length = 200, example = "Ada Lovelace")]
pub(crate) struct FullName(String);

impl FullName {
    #[must_use]
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

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
}
