//! What others know of the owner: a password may not contain it.

use crate::fields::Rejection;
use crate::unicode::{ascii_domain, folded};

/// Shortest name, or part of one, that a password may not contain, in characters. Shorter ones are in many words.
const PART_CHARS: usize = 4;
/// Shortest word that an attacker is taken to know, in characters, and the most of them: a name may have a hundred.
const WORD_CHARS: usize = 3;
const MAX_WORDS: usize = 40;

/// Refuses a password that contains the address, its part before the `@`, the name, or a word of it.
pub(super) fn check(email: &str, full_name: Option<&str>, password: &str) -> Result<(), Rejection> {
    let forms = forms(password);
    let is_inside = |part: &String| part.chars().count() >= PART_CHARS && forms.iter().any(|form| form.contains(part));
    if address_parts(email).iter().any(is_inside) {
        let message = "Password should not contain your e-mail address, nor the part of it before the @";
        let german = "Das Passwort darf Ihre E-Mail-Adresse nicht enthalten, auch nicht den Teil vor dem @.";
        return Err(Rejection::new("password_contains_email", message).in_german(german));
    }
    if full_name.is_some_and(|name| name_parts(name).iter().any(is_inside)) {
        let message = "Password should not contain your name, nor a part of it";
        let german = "Das Passwort darf Ihren Namen nicht enthalten, auch keinen Teil davon.";
        return Err(Rejection::new("password_contains_name", message).in_german(german));
    }
    Ok(())
}

/// The words that attackers try.
pub(super) fn words_of(known: &str) -> impl Iterator<Item = String> {
    let words: Vec<String> = folded(known)
        .split(|character: char| !character.is_alphanumeric())
        .filter(|word| word.chars().count() >= WORD_CHARS && !word.chars().all(char::is_numeric))
        .take(MAX_WORDS)
        .map(str::to_owned)
        .collect();
    words.into_iter()
}

/// A text as it reads, and the same with what follows its last `@` as a domain in ASCII.
fn forms(text: &str) -> [String; 2] {
    let text = text.trim();
    let ascii = text.rsplit_once('@').and_then(|(local, domain)| {
        let domain = ascii_domain(domain)?;
        Some(format!("{}@{domain}", folded(local)))
    });
    let folded = folded(text);
    [ascii.unwrap_or_else(|| folded.clone()), folded]
}

/// The address, the part before the `@`, and that without what follows its first `+`.
fn address_parts(email: &str) -> Vec<String> {
    let mut parts = forms(email).to_vec();
    if let Some((local, _)) = folded(email.trim()).rsplit_once('@') {
        parts.push(local.to_owned());
        parts.extend(local.split_once('+').map(|(mailbox, _)| mailbox.to_owned()));
    }
    parts
}

/// The name, the same without blanks, and its words. What has a digit in it is a number or an id, and nobody's name.
fn name_parts(name: &str) -> Vec<String> {
    let name = folded(name.trim());
    let words = name.split(|character: char| !character.is_alphanumeric());
    let words = words.filter(|word| !word.chars().any(char::is_numeric)).map(str::to_owned);
    let joined = name.chars().filter(|character| character.is_alphanumeric()).collect();
    words.chain([joined, name.clone()]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(email: &str, full_name: Option<&str>, password: &str) -> &'static str {
        check(email, full_name, password).err().map_or("good", |rejection| rejection.kind)
    }

    #[test]
    fn a_password_with_the_address_or_the_part_before_the_at_in_it_is_refused_in_any_form() {
        for (email, password) in [
            ("ada@example.com", "ada@example.com"),
            ("ada@example.com", " my ADA@Example.com!"),
            ("mia.lund@example.com", "Mia.Lund-1987"),
            ("mia.lund+keyfob@example.com", "x mia.lund+keyfob"),
            ("mia.lund+keyfob@example.com", "x MIA.LUND x"),
            ("josé@example.com", "JOSE\u{301} 1987"),
            ("jos\u{e9}@example.com", "jose\u{301} 1987"),
            ("robin@example.com", "\u{ff52}\u{ff4f}\u{ff42}\u{ff49}\u{ff4e} 1987"),
            ("a@bücher.example", "a@xn--bcher-kva.example"),
            ("a@xn--bcher-kva.example", "A@BÜCHER.example"),
            ("ab@ex.com", "ab@ex.com"),
        ] {
            assert_eq!(kind(email, None, password), "password_contains_email", "{email} {password}");
        }
        for (email, password) in [
            ("ada@example.com", "granada-1987"),
            ("mia.lund@example.com", "mia likes lundqvist"),
            ("a+long-tag@example.com", "a long-tag"),
        ] {
            assert_eq!(kind(email, None, password), "good", "{email} {password}");
        }
    }

    #[test]
    fn a_password_with_the_name_or_a_word_of_it_in_it_is_refused_in_any_form() {
        for (name, password) in [
            ("Ada Lovelace", "x-LOVELACE-x"),
            ("Ada Lovelace", "adalovelace"),
            ("Bo Li", "xx bo li xx"),
            ("Bo Li", "xxboli"),
            ("Jean-Luc", "jeanluc"),
            ("Zoë Müller", "mu\u{308}ller"),
            ("山田太郎", "x山田太郎x"),
        ] {
            assert_eq!(kind("x@example.com", Some(name), password), "password_contains_name", "{name} {password}");
        }
        for (name, password) in [
            ("Ada Lovelace", "granada 1987"),
            ("Guest 4711", "violet-4711-otter"),
            ("Guest a1b2c3", "violet-a1b2c3-otter"),
            ("", "whatever"),
            ("  ", "a  b"),
            ("- -", "- - -"),
        ] {
            assert_eq!(kind("x@example.com", Some(name), password), "good", "{name} {password}");
        }
    }

    #[test]
    fn the_words_that_attackers_try_are_bounded_and_neither_short_nor_numbers() {
        let words: Vec<String> = words_of("Ada.Lovelace+x@Mail.example.com 127 \u{ff21}da").collect();
        assert_eq!(words, ["ada", "lovelace", "mail", "example", "com", "ada"]);
        assert_eq!(words_of(&"word ".repeat(1000)).count(), MAX_WORDS);
    }
}
