//! The forms in which text is compared, so that what looks the same to a person compares equal. The only file that
//! knows `icu_normalizer` and `idna`.

use std::borrow::Cow;

use icu_normalizer::properties::CanonicalCombiningClassMapBorrowed;
use icu_normalizer::{ComposingNormalizer, ComposingNormalizerBorrowed};
use idna::AsciiDenyList;

const NFC: ComposingNormalizerBorrowed<'static> = ComposingNormalizer::new_nfc();
const NFKC: ComposingNormalizerBorrowed<'static> = ComposingNormalizer::new_nfkc();

/// The text in NFC (Unicode Standard Annex #15): a letter and its accent become one character if there is one.
pub(crate) fn nfc(text: &str) -> Cow<'_, str> {
    NFC.normalize(text)
}

/// Whether a character is a combining mark.
pub(crate) fn is_mark(character: char) -> bool {
    CanonicalCombiningClassMapBorrowed::new().get_u8(character) != 0
}

/// A domain in its ASCII form (UTS #46), in lower case; `None` when it has none.
pub(crate) fn ascii_domain(domain: &str) -> Option<Cow<'_, str>> {
    idna::domain_to_ascii_cow(domain.as_bytes(), AsciiDenyList::STD3).ok()
}

/// The text in NFC and in lower case, with one form of small sigma. No non-ASCII character becomes an ASCII one: U+212A
/// KELVIN SIGN, whose NFC is `K`, is kept.
pub(crate) fn without_case(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for part in text.split_inclusive(becomes_ascii) {
        let kept = part.chars().next_back().filter(|last| becomes_ascii(*last));
        let composed = nfc(part.strip_suffix(becomes_ascii).unwrap_or(part));
        let lower: String = composed.chars().flat_map(lower_case).collect();
        // Lower case can leave apart what NFC composes.
        folded.push_str(&nfc(&lower));
        folded.extend(kept);
    }
    folded
}

/// The text in NFKC and in lower case: for comparisons that should rather find too much than too little, and so never for
/// names of accounts. A full-width letter, for example, becomes an ordinary one.
pub(crate) fn folded(text: &str) -> String {
    let lower: String = NFKC.normalize(text).chars().flat_map(lower_case).collect();
    NFKC.normalize(&lower).into_owned()
}

/// Whether a non-ASCII character is an ASCII one in NFC: U+212A KELVIN SIGN, U+037E GREEK QUESTION MARK and U+1FEF
/// GREEK VARIA.
fn becomes_ascii(character: char) -> bool {
    !character.is_ascii() && nfc(character.encode_utf8(&mut [0; 4])).is_ascii()
}

fn lower_case(character: char) -> impl Iterator<Item = char> {
    // The two small sigmas differ only by their place in a word.
    character.to_lowercase().map(|lower| if lower == 'ς' { 'σ' } else { lower })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(crate::testing::properties::config())]

        #[test]
        fn text_without_case_is_in_nfc_but_for_what_would_be_ascii_and_stays_the_same(text in any::<String>()) {
            let folded = without_case(&text);
            prop_assert_eq!(&without_case(&folded), &folded);
            let is_kept = folded.contains(becomes_ascii);
            prop_assert!(is_kept || nfc(&folded) == folded);
        }

        #[test]
        fn the_form_in_which_text_is_typed_does_not_matter(text in any::<String>()) {
            let text = text.replace(becomes_ascii, "");
            prop_assert_eq!(without_case(&nfc(&text)), without_case(&text));
        }
    }

    #[test]
    fn exactly_one_letter_of_ascii_and_two_other_characters_have_a_second_one_in_nfc() {
        let found: String = ('\u{80}'..=char::MAX).filter(|character| becomes_ascii(*character)).collect();
        assert_eq!(found, "\u{37e}\u{1fef}\u{212a}");
    }

    #[test]
    fn no_character_beyond_ascii_is_taken_for_one_of_ascii() {
        for character in '\u{80}'..=char::MAX {
            let folded = without_case(&character.to_string());
            assert!(!folded.is_ascii(), "{character:?}: {folded}");
        }
    }

    #[test]
    fn case_and_form_do_not_matter_beyond_ascii_either() {
        for (one, other) in [
            ("MAN\u{303}ANA", "mañana"),
            ("ΟΔΟΣ", "οδος"),
            ("ΟΔΟΣ", "οδοσ"),
            ("I\u{307}", "\u{130}"),
            ("ÅΩ", "\u{212b}\u{2126}"),
        ] {
            assert_eq!(without_case(one), without_case(other), "{one} {other}");
        }
    }

    #[test]
    fn folded_text_is_alike_in_any_case_form_and_width() {
        for (one, other) in [
            ("\u{ff21}DA", "ada"),
            ("\u{212a}elvin", "Kelvin"),
            ("O\u{fb03}ce", "office"),
            ("ΟΔΟΣ", "οδος"),
            ("JOSE\u{301}", "josé"),
        ] {
            assert_eq!(folded(one), folded(other), "{one} {other}");
        }
        assert_ne!(folded("ada"), folded("adá"), "an accent makes another letter");
    }

    #[test]
    fn a_domain_has_one_ascii_form() {
        for domain in ["bücher.example", "BU\u{308}CHER.Example", "xn--bcher-kva.example", "XN--BCHER-KVA.example"] {
            assert_eq!(ascii_domain(domain).as_deref(), Some("xn--bcher-kva.example"), "{domain}");
        }
        for domain in ["a\u{ff20}b.example", "a b", "xn--a.example", "a_b.example"] {
            assert_eq!(ascii_domain(domain), None, "{domain}");
        }
    }
}
