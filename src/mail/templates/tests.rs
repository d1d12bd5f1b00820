use super::*;

fn rendered(folder: Option<&Path>, kind: Kind, language: Language) -> Result<Texts, TemplateError> {
    Templates::load(folder, "id.example.com")?.render(kind, language, samples(kind))
}

/// A folder with one template.
fn folder(name: &str, text: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(name);
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    std::fs::write(path, text).expect("a file");
    folder
}

fn fault_of(name: &str, text: &str) -> String {
    let folder = folder(name, text);
    let fault = Templates::load(Some(folder.path()), "id.example.com").err().expect("a fault").to_string();
    assert_eq!(fault.lines().count(), 1, "{fault}");
    fault
}

#[test]
fn every_kind_has_texts_in_every_language() {
    for language in Language::ALL {
        for kind in Kind::ALL {
            let Texts { subject, text, html } = rendered(None, kind, language).expect("texts");
            assert!(subject.contains("id.example.com") && subject.len() < 100, "{subject}");
            assert!(text.contains("id.example.com") && !text.contains("  "), "{text}");
            assert!(html.starts_with(&format!("<!doctype html>\n<html lang=\"{}\">", language.code())), "{html}");
            let link = "https://id.example.com/confirm?token=sample";
            assert_eq!(text.contains(&format!("\n{link}\n")), kind.has_link(), "{text}");
            assert_eq!(html.contains("href="), kind.has_link(), "a link that acts stands only where it should: {html}");
        }
    }
}

#[test]
fn a_file_of_the_operator_replaces_its_template_alone() {
    let folder = folder("en/password_reset.txt", "Subject: New password\r\n\r\nGo to {{ link }}\r\n");
    let texts = rendered(Some(folder.path()), Kind::PasswordReset, Language::English).expect("texts");
    assert_eq!(texts.subject, "New password");
    assert_eq!(texts.text, "Go to https://id.example.com/confirm?token=sample\n");
    assert!(texts.html.contains("Choose a new password"), "the built-in one");
    let german = rendered(Some(folder.path()), Kind::PasswordReset, Language::German).expect("texts");
    assert!(german.subject.starts_with("Neues Passwort"));
}

#[test]
fn a_faulty_template_is_named_with_its_line() {
    for (name, text, place, word) in [
        ("en/password_reset.txt", "Subject: x\n\n{{ lnk }}\n", "password_reset.txt:3", "undefined"),
        ("en/password_reset.txt", "Subject: x\n\na\n{% if %}\n", "password_reset.txt:4", "syntax"),
        ("en/password_reset.txt", "Subject: {{ link }}\n\nx\n", "password_reset.txt:1", "undefined"),
        ("en/password_reset.txt", "Dear user,\n", "password_reset.txt:1", "Subject: "),
        ("de/password_changed.html", "<p>{{ link }}</p>", "password_changed.html:1", "undefined"),
        ("layout.html", "<p>\n{{ nobody }}</p>", "layout.html:2", "undefined"),
        (
            "en/password_reset.txt",
            "Subject: x\n\n{% for a in range(99999) %}{{ a }}{% endfor %}",
            "password_reset.txt",
            "fuel",
        ),
        ("en/pasword_reset.txt", "Subject: x\n", "pasword_reset.txt", "not the name of a template"),
    ] {
        let fault = fault_of(name, text);
        assert!(fault.contains(place) && fault.contains(word), "{fault}");
    }
}

#[test]
fn values_are_escaped_in_html_and_in_nothing_else() {
    let templates = Templates::load(None, "a<b").expect("templates");
    let texts =
        templates.render(Kind::PasswordChanged, Language::English, samples(Kind::PasswordChanged)).expect("texts");
    assert!(texts.text.contains("at a<b was") && texts.html.contains("at a&lt;b was"));
    assert!(texts.subject.contains("a<b"));
}

#[test]
fn a_subject_stays_one_line() {
    let templates = Templates::load(None, "a\r\nBcc: b@example.com").expect("templates");
    let texts =
        templates.render(Kind::PasswordChanged, Language::English, samples(Kind::PasswordChanged)).expect("texts");
    assert!(!texts.subject.contains(['\r', '\n']), "{}", texts.subject);
}

#[test]
fn the_life_of_a_link_is_told_in_words() {
    for (seconds, english, german) in [
        (1800, "30 minutes", "30 Minuten"),
        (60, "1 minute", "1 Minute"),
        (90, "1 minute", "1 Minute"),
        (3600, "1 hour", "1 Stunde"),
        (86_400, "24 hours", "24 Stunden"),
        (604_800, "7 days", "7 Tagen"),
    ] {
        assert_eq!(duration(seconds, Language::English), english);
        assert_eq!(duration(seconds, Language::German), german);
    }
}
