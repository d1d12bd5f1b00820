use proptest::prelude::*;

use super::*;

fn refusal(password: &str) -> Option<Rejection> {
    check(password, &["mia", "example", "keyfob"], 2).err()
}

#[test]
fn each_fault_is_told_in_words_with_what_helps() {
    for (password, fault) in [
        ("qwertyuiop[]", "it follows a row of the keyboard"),
        ("zaq1xsw2", "many people use it"),
        ("qazxcvfr", "it follows a pattern on the keyboard"),
        ("xxxxxxxxxx", "it repeats one character"),
        ("xyqxyqxyq", "it repeats the same characters"),
        ("P@ssw0rd12", "it is close to one that many people use"),
        ("abcdefghi", "it has a sequence in it"),
        ("24.07.1956", "it has a date in it"),
        ("13.12.1987", "it has a date in it"),
        ("blacksmith", "it is one word"),
    ] {
        let Rejection { kind, message, german } = refusal(password).unwrap_or_else(|| panic!("{password} is let pass"));
        assert_eq!(kind, "password_guessable");
        assert!(
            message.starts_with("Password is too easy to guess") && message.contains(fault),
            "{password}: {message}"
        );
        assert!(message.contains("Add a word or two") && !message.contains(password), "{message}");
        let german = german.expect("a text");
        assert!(
            german.starts_with("Das Passwort ist zu leicht zu erraten") && german.contains("Nehmen Sie"),
            "{german}"
        );
    }
}

#[test]
fn every_warning_and_suggestion_of_the_library_has_words_of_ours() {
    for (warning, word) in [
        (Warning::StraightRowsOfKeysAreEasyToGuess, "row"),
        (Warning::ShortKeyboardPatternsAreEasyToGuess, "pattern"),
        (Warning::RepeatsLikeAaaAreEasyToGuess, "one character"),
        (Warning::RepeatsLikeAbcAbcAreOnlySlightlyHarderToGuess, "same characters"),
        (Warning::ThisIsATop10Password, "many people"),
        (Warning::ThisIsATop100Password, "many people"),
        (Warning::ThisIsACommonPassword, "many people"),
        (Warning::ThisIsSimilarToACommonlyUsedPassword, "close to"),
        (Warning::SequencesLikeAbcAreEasyToGuess, "sequence"),
        (Warning::RecentYearsAreEasyToGuess, "year"),
        (Warning::AWordByItselfIsEasyToGuess, "one word"),
        (Warning::DatesAreOftenEasyToGuess, "date"),
        (Warning::NamesAndSurnamesByThemselvesAreEasyToGuess, "name"),
        (Warning::CommonNamesAndSurnamesAreEasyToGuess, "common name"),
    ] {
        let [english, german] = fault(warning);
        assert!(english.contains(word) && english != german && !english.ends_with('.'), "{english} {german}");
    }
    for (suggestion, word) in [
        (Suggestion::CapitalizationDoesntHelpVeryMuch, "Capital"),
        (Suggestion::AllUppercaseIsAlmostAsEasyToGuessAsAllLowercase, "Capital"),
        (Suggestion::ReversedWordsArentMuchHarderToGuess, "backwards"),
        (Suggestion::PredictableSubstitutionsDontHelpVeryMuch, "@ for a"),
        (Suggestion::AvoidYearsThatAreAssociatedWithYou, "years"),
        (Suggestion::AvoidDatesAndYearsThatAreAssociatedWithYou, "dates"),
    ] {
        let [english, german] = help(suggestion).expect("words");
        assert!(english.contains(word) && english.ends_with('.') && german.ends_with('.'), "{english} {german}");
    }
}

#[test]
fn what_others_know_of_the_owner_adds_little() {
    assert!(check("quillfeather 7", &[], 2).is_ok());
    assert!(check("quillfeather 7", &["quillfeather"], 2).is_err());
}

#[test]
fn a_score_of_0_lets_all_pass_and_a_higher_one_fewer() {
    for (password, score) in [("blacksmith", 1), ("lantern-quartz", 3), ("violet-Kettle 88", 4)] {
        for least in 0..=4 {
            assert_eq!(check(password, &[], least).is_ok(), least <= score, "{password} {least}");
        }
    }
}

/// All that documentation and tests of any language use.
#[test]
fn good_passwords_are_let_pass() {
    for password in [
        "correct horse battery staple",
        "even longer horse battery staple",
        "correct horse & battery+staple é%",
        "correct horse 1",
        "correct-Horse 7",
        "violet otter & 92+é%=;",
        "violet-otter-92",
        "violet-Kettle 88",
        "orange-Kettle 99",
        "lantern-quartz",
        "quartz-Meadow 41",
        "pässwörd-ключ-密码",
    ] {
        assert_eq!(refusal(password), None, "{password}");
    }
}

#[test]
fn a_few_signs_are_read_as_letters_and_no_run_of_the_others_gets_lost() {
    for password in ["p4ssw0rd", "0123456789", "24.07.1956", "s@fe$hip+", "aaaa<<<<"] {
        assert_eq!(with_few_readings(password), password);
    }
    let many = with_few_readings("0123456789 @@({[<<!|$+%a");
    let run: String = char::from_u32(FIRST_PRIVATE + u32::from('<')).iter().cycle().take(2).collect();
    assert!(many.starts_with("0123456789 @@") && many.ends_with('a') && many.contains(&run), "{many}");
}

#[test]
fn the_readings_of_any_password_are_few() {
    let all = "0123456789@({[<!|$+%";
    for first in 0..all.len() {
        let (before, from) = all.split_at(first);
        let few = with_few_readings(&format!("{from}{before}"));
        let kept: String = all.chars().filter(|character| few.contains(*character)).collect();
        assert!(readings(&kept) <= MAX_READINGS && readings(all) > 1000, "{few}");
        assert_eq!(few.chars().count(), all.len());
    }
}

proptest! {
    #![proptest_config(crate::testing::properties::config())]

    #[test]
    fn whatever_is_chosen_is_judged_and_never_repeated(password in "\\PC{1,72}", known in "\\PC{0,20}") {
        if let Err(rejection) = check(&password, &[&known], 2) {
            let is_repeated = password.chars().count() > 8 && rejection.message.contains(&password);
            prop_assert!(!is_repeated, "{}", rejection.message);
        }
    }
}
