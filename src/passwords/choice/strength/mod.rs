//! How hard a password is to guess. The only file that knows `zxcvbn`.

use zxcvbn::feedback::{Feedback, Suggestion, Warning};
use zxcvbn::zxcvbn;

use crate::fields::Rejection;

/// The characters that zxcvbn 3 reads as letters, digits first. It looks up every combination of their readings: with all of
/// them that took a second (`readings` and [`MAX_READINGS`] keep it to some hundredths).
const LIKE_LETTERS: &str = "0123456789@({[<!|$+%";
/// Letters, and the characters that are read as them.
const READ_AS: [&str; 12] = ["4@", "8", "({[<", "3", "69", "1!|", "1|7", "0", "$5", "+7", "%", "2"];
/// Most combinations of readings. All ten digits have 16.
const MAX_READINGS: usize = 32;
/// The first of the characters that are put in place of the others: private ones, with no meaning anywhere.
const FIRST_PRIVATE: u32 = 0xE000;

/// Refuses a password that is too easy to guess for somebody who knows so much.
pub(super) fn check(password: &str, known: &[&str], min_score: u8) -> Result<(), Rejection> {
    if min_score == 0 {
        return Ok(());
    }
    let entropy = zxcvbn(&with_few_readings(password), known);
    if u8::from(entropy.score()) >= min_score {
        return Ok(());
    }
    let [english, german] = in_words(entropy.feedback());
    Err(Rejection::new("password_guessable", english).in_german(german))
}

/// The password, in which some characters that can be read as letters are private ones if there are too many of them. So
/// many signs are in no word. Digits are kept, for dates; runs and repetitions remain as well.
fn with_few_readings(password: &str) -> String {
    let mut kept = String::new();
    for character in LIKE_LETTERS.chars().filter(|character| password.contains(*character)) {
        kept.push(character);
        if readings(&kept) > MAX_READINGS {
            kept.pop();
        }
    }
    let is_replaced = |character: &char| LIKE_LETTERS.contains(*character) && !kept.contains(*character);
    let private = |character: char| char::from_u32(FIRST_PRIVATE + u32::from(character)).unwrap_or(character);
    let characters = password.chars();
    characters.map(|character| if is_replaced(&character) { private(character) } else { character }).collect()
}

/// Most combinations in which these characters, each of them once, can be read as letters.
fn readings(characters: &str) -> usize {
    let of_letters =
        READ_AS.iter().map(|like| characters.chars().filter(|character| like.contains(*character)).count());
    let is_ambiguous = |character: &char| READ_AS.iter().filter(|like| like.contains(*character)).count() > 1;
    let ambiguous = characters.chars().filter(is_ambiguous).count();
    of_letters.map(|count| count.max(1)).product::<usize>() << ambiguous
}

/// What is wrong and what helps, in English and German.
fn in_words(feedback: Option<&Feedback>) -> [String; 2] {
    let fault = feedback.and_then(Feedback::warning).map(fault);
    let known = feedback.map(Feedback::suggestions).unwrap_or_default();
    let helps: Vec<[&str; 2]> = known.iter().filter_map(|suggestion| help(*suggestion)).collect();
    let mut texts = ["Password is too easy to guess".to_owned(), "Das Passwort ist zu leicht zu erraten".to_owned()];
    for (language, text) in texts.iter_mut().enumerate() {
        let pick = |texts: [&'static str; 2]| texts.into_iter().nth(language).unwrap_or_default();
        if let Some(fault) = fault {
            text.push_str(": ");
            text.push_str(pick(fault));
        }
        text.push('.');
        for help in [WORDS].iter().chain(&helps) {
            text.push(' ');
            text.push_str(pick(*help));
        }
    }
    texts
}

/// What helps with every password.
const WORDS: [&str; 2] =
    ["Add a word or two; rare words help most.", "Nehmen Sie ein oder zwei Wörter dazu, am besten seltene."];

fn fault(warning: Warning) -> [&'static str; 2] {
    match warning {
        Warning::StraightRowsOfKeysAreEasyToGuess => {
            ["it follows a row of the keyboard", "Es folgt einer Reihe der Tastatur"]
        }
        Warning::ShortKeyboardPatternsAreEasyToGuess => {
            ["it follows a pattern on the keyboard", "Es folgt einem Muster auf der Tastatur"]
        }
        Warning::RepeatsLikeAaaAreEasyToGuess => ["it repeats one character", "Es wiederholt ein Zeichen"],
        Warning::RepeatsLikeAbcAbcAreOnlySlightlyHarderToGuess => {
            ["it repeats the same characters", "Es wiederholt die gleichen Zeichen"]
        }
        Warning::ThisIsATop10Password | Warning::ThisIsATop100Password | Warning::ThisIsACommonPassword => {
            ["many people use it", "Viele Menschen benutzen es"]
        }
        Warning::ThisIsSimilarToACommonlyUsedPassword => {
            ["it is close to one that many people use", "Es ähnelt einem, das viele Menschen benutzen"]
        }
        Warning::SequencesLikeAbcAreEasyToGuess => {
            ["it has a sequence in it, such as abc or 6543", "Es enthält eine Folge wie abc oder 6543"]
        }
        Warning::RecentYearsAreEasyToGuess => ["it has a year in it", "Es enthält eine Jahreszahl"],
        Warning::DatesAreOftenEasyToGuess => ["it has a date in it", "Es enthält ein Datum"],
        Warning::AWordByItselfIsEasyToGuess => ["it is one word", "Es ist ein einzelnes Wort"],
        Warning::NamesAndSurnamesByThemselvesAreEasyToGuess => ["it is a name", "Es ist ein Name"],
        Warning::CommonNamesAndSurnamesAreEasyToGuess => {
            ["it has a common name in it", "Es enthält einen häufigen Namen"]
        }
    }
}

/// What else helps, if the fault does not say so already.
fn help(suggestion: Suggestion) -> Option<[&'static str; 2]> {
    Some(match suggestion {
        Suggestion::CapitalizationDoesntHelpVeryMuch | Suggestion::AllUppercaseIsAlmostAsEasyToGuessAsAllLowercase => {
            ["Capital letters add little.", "Großbuchstaben helfen wenig."]
        }
        Suggestion::ReversedWordsArentMuchHarderToGuess => {
            ["Words spelt backwards add little.", "Rückwärts geschriebene Wörter helfen wenig."]
        }
        Suggestion::PredictableSubstitutionsDontHelpVeryMuch => [
            "Characters in place of letters, such as @ for a, add little.",
            "Zeichen anstelle von Buchstaben, etwa @ für a, helfen wenig.",
        ],
        Suggestion::AvoidYearsThatAreAssociatedWithYou | Suggestion::AvoidDatesAndYearsThatAreAssociatedWithYou => [
            "Leave out dates and years that have to do with you.",
            "Vermeiden Sie Daten und Jahre, die mit Ihnen zu tun haben.",
        ],
        Suggestion::UseAFewWordsAvoidCommonPhrases
        | Suggestion::NoNeedForSymbolsDigitsOrUppercaseLetters
        | Suggestion::AddAnotherWordOrTwo
        | Suggestion::UseALongerKeyboardPatternWithMoreTurns
        | Suggestion::AvoidRepeatedWordsAndCharacters
        | Suggestion::AvoidSequences
        | Suggestion::AvoidRecentYears => return None,
    })
}

#[cfg(test)]
mod tests;
