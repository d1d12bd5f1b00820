//! Unsafe settings of mail.

use std::path::Path;

use super::{ALL_OTHERS, Finding, TLS, is_loopback, open_file};
use crate::config::{Environment, Settings, SmtpSecurity};

const NO_SECRETS_IN_FILES: &str = "OWASP ASVS 5.0 13.3.1";

pub(super) fn findings(settings: &Settings, dir: &Path) -> Vec<Finding> {
    let mail = &settings.mail;
    let password = mail.password_file.as_deref();
    let mut all: Vec<Finding> = Vec::new();
    all.extend(open_file("mail.password_file", password, dir, ALL_OTHERS).map(Finding::refused));
    let Some(url) = &mail.smtp_url else {
        all.extend(files(settings));
        return all;
    };
    let is_away = !is_loopback(&url.host) && url.host != "::1";
    if url.security == SmtpSecurity::Plain && is_away {
        let has_password = password.is_some() || url.credentials.is_some();
        let fault = "mails, and the links in them, travel without encryption";
        let finding = Finding::new("mail.smtp_url", fault, "use smtps:// or smtp://", TLS);
        all.push(if has_password { finding.refused() } else { finding });
    }
    all
}

/// Files are for trying out: in production nobody gets their mails.
fn files(settings: &Settings) -> Option<Finding> {
    let fault = format!(
        "is not set: mails are not sent, and whoever can read `{}` can use the links in them",
        settings.mail.outbox_dir.display()
    );
    let is_production = settings.environment == Environment::Production;
    is_production.then(|| Finding::new("mail.smtp_url", fault, "set it to your mail server", NO_SECRETS_IN_FILES))
}
