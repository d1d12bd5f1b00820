//! `.env`: the meaning of its lines, and the errors for invalid ones.

use super::{DIGITS, line_of, load};
use crate::config::layers;

/// The audience that a line sets.
fn audience(value: &str, env: &[(&str, &str)]) -> String {
    let text = format!("ABOVE=above\nKEYFOB__TOKEN__AUDIENCE={value}\nOTHER=after\n");
    load(&[(".env", &text)], env).unwrap().token.audience
}

#[test]
fn a_value_is_read_as_a_shell_would_read_it() {
    let env = [("FROM_OUTSIDE", "outside"), ("FROM", "wrong"), ("ABOVE_TOO", "b")];
    for (typed, expected) in [
        ("plain", "plain"),
        ("a#b", "a#b"),
        ("a # a comment", "a"),
        ("'p$ss$word #1'", "p$ss$word #1"),
        ("'two\nlines'", "two\nlines"),
        (r#""it's \"so\" \$5 \\ \n.""#, "it's \"so\" $5 \\ \n."),
        (r"p\$ss\ word", "p$ss word"),
        ("a'b c'\"d e\"f", "ab cd ef"),
        ("$FROM_OUTSIDE", "outside"),
        ("${FROM_OUTSIDE}_x", "outside_x"),
        ("\"<$FROM_OUTSIDE>\"", "<outside>"),
        ("$ABOVE-$ABOVE_TOO", "above-b"),
        ("x\r", "x"),
        ("'x'\t\r", "x"),
    ] {
        assert_eq!(audience(typed, &env), expected, "{typed}");
    }
    assert_eq!(audience("$ABOVE", &[("ABOVE", "the process")]), "the process");
    let spaced = " export  KEYFOB__TOKEN__AUDIENCE = 'x' \n";
    assert_eq!(load(&[(".env", spaced)], &[]).unwrap().token.audience, "x");
}

#[test]
fn a_dollar_sign_that_stands_for_nothing_is_a_fault_that_names_the_line_and_not_the_value() {
    for value in [
        "p$ss$word",
        "\"p$ss\"",
        "${NOT_SET}",
        "hunter2$",
        "\"hunter2$\"",
        "hunter2$$",
        "hunter2$5",
        "${x",
        "${x:-hunter2}",
        "$é",
    ] {
        let text = format!("A=1\n\n# x\nKEYFOB__TOKEN__AUDIENCE={value}\n");
        let line = line_of(load(&[(".env", &text)], &[]));
        assert!(line.starts_with(".env line 4: ") && line.contains("single quotes"), "{value}: {line}");
        assert!(!line.contains("ss") && !line.contains("hunter2"), "{value}: {line}");
    }
}

#[test]
fn what_the_lines_of_other_programs_stand_for_is_not_our_concern_unless_ours_lean_on_it() {
    let text = "OTHER=$NOT_SET$\nMORE=\"$NOT_SET\nB=1\"\nKEYFOB__TOKEN__AUDIENCE=x\n";
    assert_eq!(load(&[(".env", text)], &[]).unwrap().token.audience, "x");
    let text = "OTHER=$NOT_SET\nKEYFOB__TOKEN__AUDIENCE=$OTHER\n";
    assert!(line_of(load(&[(".env", text)], &[])).starts_with(".env line 2: "));
}

#[test]
fn a_secret_keeps_its_dollar_signs_in_single_quotes() {
    let secret = format!("$ss${DIGITS}$");
    let text = format!("KEYFOB__TOKEN__ALGORITHM=HS256\nKEYFOB__TOKEN__SECRET='{secret}'\n");
    let settings = load(&[(".env", &text)], &[]).unwrap();
    assert_eq!(secrecy::ExposeSecret::expose_secret(&settings.token.secret.unwrap()), secret);
}

#[test]
fn malformed_dotenv_is_named_by_line() {
    let good = "# it's a comment\n\nKEYFOB__TOKEN__AUDIENCE='two\nlines'\n\n# more\n";
    for (bad, at) in [("hunter2 hunter2", 7), ("\n# x\nA=hunter2 b\nB=1", 9), ("A='hunter2\nB=1\nC=2", 7)] {
        let line = line_of(load(&[(".env", &format!("{good}{bad}"))], &[]));
        assert!(line.starts_with(&format!(".env line {at}: cannot be read; expected NAME=value")), "{line}");
        assert!(!line.contains("hunter2"), "{line}");
    }
    // Longer than one read.
    let long = format!("A={}\n  \nB=x y\n", "x".repeat(20_000));
    assert!(line_of(load(&[(".env", &long)], &[])).starts_with(".env line 3: "));

    let settings = load(&[(".env", &format!("\u{feff}{good}A=1 "))], &[]).unwrap();
    assert_eq!(settings.token.audience, "two\nlines");
}

#[test]
fn dotenv_leaves_the_process_environment_alone() {
    load(&[(".env", "KEYFOB__TOKEN__AUDIENCE=from-dotenv\nCFG_MARK=1\n")], &[]).unwrap();
    assert!(layers::process_variables().unwrap().iter().all(|(_, value)| value != "from-dotenv"));
}

#[test]
fn dotenv_sets_a_key_once() {
    let text = "KEYFOB__TOKEN__AUDIENCE=a\nX=1\nX=2\nKEYFOB__TOKEN__AUDIENCE=b\n";
    assert!(line_of(load(&[(".env", text)], &[])).contains("is set twice"));
}
