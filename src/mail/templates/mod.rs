//! What mails say: templates, built in and replaced file by file by the operator's.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use minijinja::{AutoEscape, Environment, UndefinedBehavior, escape_formatter};

use super::kind::Kind;
use crate::language::Language;

/// Bounds the work and the memory of rendering one template.
const FUEL: u64 = 50_000;
/// The longest template, in bytes.
const MAX_BYTES: u64 = 256 * 1024;
const LAYOUT: &str = "layout.html";
const SUBJECT: &str = "Subject:";

/// The built-in templates.
const BUILT_IN: [(&str, &str); 37] = [
    (LAYOUT, include_str!("layout.html")),
    ("en/password_reset.txt", include_str!("en/password_reset.txt")),
    ("en/password_reset.html", include_str!("en/password_reset.html")),
    ("en/email_verification.txt", include_str!("en/email_verification.txt")),
    ("en/email_verification.html", include_str!("en/email_verification.html")),
    ("en/password_changed.txt", include_str!("en/password_changed.txt")),
    ("en/password_changed.html", include_str!("en/password_changed.html")),
    ("en/password_reset_done.txt", include_str!("en/password_reset_done.txt")),
    ("en/password_reset_done.html", include_str!("en/password_reset_done.html")),
    ("en/email_change.txt", include_str!("en/email_change.txt")),
    ("en/email_change.html", include_str!("en/email_change.html")),
    ("en/email_change_asked.txt", include_str!("en/email_change_asked.txt")),
    ("en/email_change_asked.html", include_str!("en/email_change_asked.html")),
    ("en/email_changed.txt", include_str!("en/email_changed.txt")),
    ("en/email_changed.html", include_str!("en/email_changed.html")),
    ("en/sign_up.txt", include_str!("en/sign_up.txt")),
    ("en/sign_up.html", include_str!("en/sign_up.html")),
    ("en/sign_up_taken.txt", include_str!("en/sign_up_taken.txt")),
    ("en/sign_up_taken.html", include_str!("en/sign_up_taken.html")),
    ("de/password_reset.txt", include_str!("de/password_reset.txt")),
    ("de/password_reset.html", include_str!("de/password_reset.html")),
    ("de/email_verification.txt", include_str!("de/email_verification.txt")),
    ("de/email_verification.html", include_str!("de/email_verification.html")),
    ("de/password_changed.txt", include_str!("de/password_changed.txt")),
    ("de/password_changed.html", include_str!("de/password_changed.html")),
    ("de/password_reset_done.txt", include_str!("de/password_reset_done.txt")),
    ("de/password_reset_done.html", include_str!("de/password_reset_done.html")),
    ("de/email_change.txt", include_str!("de/email_change.txt")),
    ("de/email_change.html", include_str!("de/email_change.html")),
    ("de/email_change_asked.txt", include_str!("de/email_change_asked.txt")),
    ("de/email_change_asked.html", include_str!("de/email_change_asked.html")),
    ("de/email_changed.txt", include_str!("de/email_changed.txt")),
    ("de/email_changed.html", include_str!("de/email_changed.html")),
    ("de/sign_up.txt", include_str!("de/sign_up.txt")),
    ("de/sign_up.html", include_str!("de/sign_up.html")),
    ("de/sign_up_taken.txt", include_str!("de/sign_up_taken.txt")),
    ("de/sign_up_taken.html", include_str!("de/sign_up_taken.html")),
];

/// The templates, each of which has been rendered once.
pub(super) struct Templates {
    all: Environment<'static>,
    service: String,
}

/// What templates show, by name.
pub(super) type Values = BTreeMap<&'static str, String>;

/// The texts of a mail.
#[derive(Debug)]
pub(super) struct Texts {
    pub subject: String,
    pub text: String,
    pub html: String,
}

/// A template that cannot be used: its file with the line, and the fault.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct TemplateError(String);

impl Templates {
    /// Reads the templates, those in the folder before the built-in ones, and renders each with sample values.
    pub(super) fn load(folder: Option<&Path>, service: &str) -> Result<Self, TemplateError> {
        let mut all = Environment::new();
        all.set_undefined_behavior(UndefinedBehavior::Strict);
        all.set_fuel(Some(FUEL));
        all.set_debug(false);
        all.set_auto_escape_callback(|name| if name.ends_with(".html") { AutoEscape::Html } else { AutoEscape::None });
        all.set_formatter(|out, state, value| match value.as_str() {
            Some(text) if *state.auto_escape() == AutoEscape::Html && !value.is_safe() => {
                Ok(out.write_str(&escape(text))?)
            }
            _ => escape_formatter(out, state, value),
        });
        if let Some(folder) = folder {
            check_names(folder, folder)?;
        }
        for (name, built_in) in BUILT_IN {
            let own = folder.map(|folder| folder.join(name)).filter(|path| path.exists());
            let source = own.as_deref().map_or_else(|| Ok(built_in.to_owned()), read)?;
            let shown = own.as_deref().map_or(name.into(), |path| path.display().to_string());
            add(&mut all, name, &source, &shown)?;
        }
        let templates = Self { all, service: service.to_owned() };
        templates.try_all(folder)?;
        Ok(templates)
    }

    /// The texts of a mail of a kind.
    pub(super) fn render(&self, kind: Kind, language: Language, mut values: Values) -> Result<Texts, TemplateError> {
        let name = |form: &str| format!("{}/{}.{form}", language.code(), kind.as_str());
        let service = || self.service.clone();
        let subject = self.fill(&name("subject"), &Values::from([("service", service())]))?;
        values.insert("service", service());
        values.insert("language", language.code().to_owned());
        let text = self.fill(&name("txt"), &values)?;
        let html = self.fill(&name("html"), &values)?;
        // A header is one line, whatever the template does.
        let subject = subject.split(char::is_control).collect::<Vec<_>>().join(" ").trim().to_owned();
        Ok(Texts { subject, text: format!("{}\n", text.trim()), html })
    }

    fn fill(&self, name: &str, values: &Values) -> Result<String, TemplateError> {
        let render = || self.all.get_template(name)?.render(minijinja::Value::from_pairs(values.clone()));
        render().map_err(|error| TemplateError(fault(name, &error)))
    }

    /// Renders every template once, so that a fault stops startup and no mail.
    fn try_all(&self, folder: Option<&Path>) -> Result<(), TemplateError> {
        let in_folder = |TemplateError(fault): TemplateError| match folder {
            Some(folder) => TemplateError(format!("mail.templates_dir {}: {fault}", folder.display())),
            None => TemplateError(fault),
        };
        for language in Language::ALL {
            for kind in Kind::ALL {
                self.render(kind, language, samples(kind)).map_err(in_folder)?;
            }
        }
        Ok(())
    }
}

/// Values as a letter of that kind has them.
fn samples(kind: Kind) -> Values {
    let mut values: Values = kind.values().iter().map(|(name, sample)| (*name, (*sample).to_owned())).collect();
    if kind.has_link() {
        values.insert("link", "https://id.example.com/confirm?token=sample".to_owned());
        values.insert("valid_for", "30 minutes".to_owned());
    }
    values
}

/// A text in HTML. minijinja would replace `/` as well, and make links that nobody can read.
fn escape(text: &str) -> String {
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    escaped.replace('"', "&quot;").replace('\'', "&#39;")
}

/// How long a link is good, in words.
pub(super) fn duration(seconds: u64, language: Language) -> String {
    let (count, one, many) = match seconds {
        seconds if seconds % 86_400 == 0 && seconds > 86_400 => {
            (seconds / 86_400, language.pick("day", "Tag"), language.pick("days", "Tagen"))
        }
        seconds if seconds % 3600 == 0 => {
            (seconds / 3600, language.pick("hour", "Stunde"), language.pick("hours", "Stunden"))
        }
        seconds => (seconds / 60, language.pick("minute", "Minute"), language.pick("minutes", "Minuten")),
    };
    format!("{count} {}", if count == 1 { one } else { many })
}

/// Adds a template. A text has its subject as the first line, which becomes a template of its own.
fn add(all: &mut Environment<'static>, name: &'static str, source: &str, shown: &str) -> Result<(), TemplateError> {
    let at_line = |error: &minijinja::Error| TemplateError(fault(shown, error));
    let Some(stem) = name.strip_suffix(".txt") else {
        return all.add_template_owned(name, source.to_owned()).map_err(|error| at_line(&error));
    };
    let (first, rest) = source.split_once('\n').unwrap_or((source, ""));
    let subject = first.strip_prefix(SUBJECT).map(str::trim).filter(|subject| !subject.is_empty());
    let missing = || TemplateError(format!("{shown}:1: the first line is not `{SUBJECT} ...`"));
    let subject = subject.ok_or_else(missing)?.to_owned();
    all.add_template_owned(format!("{stem}.subject"), subject).map_err(|error| at_line(&error))?;
    // The empty line keeps the numbers of the others.
    all.add_template_owned(name, format!("\n{rest}")).map_err(|error| at_line(&error))
}

/// A fault in one line, such as `en/password_reset.txt:3: undefined value`.
fn fault(shown: &str, error: &minijinja::Error) -> String {
    let name = error.name().filter(|name| !shown.ends_with(name)).unwrap_or(shown);
    let name = name.strip_suffix(".subject").map_or_else(|| name.to_owned(), |stem| format!("{stem}.txt"));
    let line = error.line().map_or_else(String::new, |line| format!(":{line}"));
    let what = error.detail().map_or_else(|| error.kind().to_string(), |detail| format!("{}: {detail}", error.kind()));
    format!("{name}{line}: {}", what.replace('\n', " "))
}

fn read(path: &Path) -> Result<String, TemplateError> {
    let fault = |fault: &dyn std::fmt::Display| TemplateError(format!("{}: {fault}", path.display()));
    if std::fs::metadata(path).map_err(|error| fault(&error))?.len() > MAX_BYTES {
        return Err(fault(&"is larger than 256 KiB"));
    }
    std::fs::read_to_string(path).map(|text| text.replace("\r\n", "\n")).map_err(|error| fault(&error))
}

/// Refuses a template that would never be used: its name is mistyped.
fn check_names(folder: &Path, root: &Path) -> Result<(), TemplateError> {
    let fault = |path: &Path, fault: &dyn std::fmt::Display| TemplateError(format!("{}: {fault}", path.display()));
    let entries = std::fs::read_dir(folder).map_err(|error| fault(folder, &error))?;
    let paths: Result<Vec<PathBuf>, _> = entries.map(|entry| entry.map(|entry| entry.path())).collect();
    for path in paths.map_err(|error| fault(folder, &error))? {
        let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
        let is_template = path.extension().is_some_and(|extension| extension == "txt" || extension == "html");
        if path.is_dir() && folder == root {
            check_names(&path, root)?;
        } else if is_template && !BUILT_IN.iter().any(|(known, _)| *known == name) {
            let names = "the names are those of the built-in templates, such as en/password_reset.txt";
            return Err(fault(&path, &format!("is not the name of a template; {names}")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
