//! Reads and checks `mail.*`.

use std::fmt;
use std::path::Path;

use email_address::EmailAddress;

use super::files::file;
use super::smtp_url::{self, SmtpSecurity, SmtpUrl};
use super::url::check_authority;
use super::values::Values;
use super::{ConfigError, MailSettings, Sender};

impl fmt::Display for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{name} <{}>", self.address),
            None => f.write_str(&self.address),
        }
    }
}

pub(super) fn smtp_url(values: &Values, key: &str) -> Result<Option<SmtpUrl>, ConfigError> {
    let Some(text) = values.optional_text(key)? else { return Ok(None) };
    // Without the value: it may contain a password.
    SmtpUrl::parse(&text).map(Some).map_err(|fault| values.fault(key, fault, smtp_url::EXPECTED))
}

pub(super) fn sender(values: &Values, key: &str) -> Result<Option<Sender>, ConfigError> {
    let Some(text) = values.optional_text(key)? else { return Ok(None) };
    let expected = "expected an address, or a name with an address, such as Example <accounts@example.com>";
    let wrong = |fault: &str| values.wrong(key, &text, fault, expected);
    let (name, address) = match text.strip_suffix('>').and_then(|text| text.rsplit_once('<')) {
        Some((name, address)) => (name.trim().trim_matches('"'), address),
        None => ("", text.as_str()),
    };
    if !EmailAddress::is_valid(address) || !address.is_ascii() {
        return Err(wrong("is not an e-mail address in ASCII"));
    }
    if name.contains(char::is_control) || name.contains(['<', '>', '"']) {
        return Err(wrong("has a name with a character that is not allowed"));
    }
    let name = Some(name).filter(|name| !name.is_empty()).map(str::to_owned);
    Ok(Some(Sender { name, address: address.to_owned() }))
}

pub(super) fn ehlo_name(values: &Values, key: &str) -> Result<Option<String>, ConfigError> {
    let Some(text) = values.optional_text(key)? else { return Ok(None) };
    let is_name = text.parse::<std::net::IpAddr>().is_ok() || (check_authority(&text).is_ok() && !text.contains(':'));
    if !is_name {
        return Err(values.wrong(key, &text, "is not a host name", "expected a host name or an IP address"));
    }
    Ok(Some(text))
}

/// Checks the settings against each other, and the files that they name.
pub(super) fn check(mail: &MailSettings, values: &Values, dir: &Path) -> Result<(), ConfigError> {
    let Some(url) = &mail.smtp_url else {
        let unused = [("mail.username", mail.username.is_some()), ("mail.ca_file", mail.ca_file.is_some())];
        let unused = unused.into_iter().find(|(_, is_set)| *is_set).map(|(key, _)| key);
        let fault = |key| values.fault(key, "is set without mail.smtp_url", "set both or neither");
        unused.map_or(Ok(()), |key| Err(fault(key)))?;
        return folder(mail, values, dir);
    };
    if mail.from.is_none() {
        return Err(values.fault(
            "mail.from",
            "is not set, but mail.smtp_url is",
            "set the address that mails come from",
        ));
    }
    credentials(mail, url, values)?;
    if let Some(path) = &mail.password_file {
        file(values, "mail.password_file", (path, "expected a file with the password"), dir)?;
    }
    match &mail.ca_file {
        Some(_) if url.security == SmtpSecurity::Plain => {
            let fault = "smtp+plain:// uses no certificates";
            return Err(values.fault("mail.ca_file", fault, "unset it, or use smtp:// or smtps://"));
        }
        Some(path) => file(values, "mail.ca_file", (path, "expected a PEM file"), dir)?,
        None => {}
    }
    folder(mail, values, dir)
}

fn credentials(mail: &MailSettings, url: &SmtpUrl, values: &Values) -> Result<(), ConfigError> {
    let both = "set both or neither";
    match (&mail.username, &mail.password_file, &url.credentials) {
        (Some(_), None, _) => Err(values.fault("mail.username", "is set without mail.password_file", both)),
        (None, Some(_), _) => Err(values.fault("mail.password_file", "is set without mail.username", both)),
        (Some(_), Some(_), Some(_)) => {
            Err(values.fault("mail.username", "mail.smtp_url holds a user name as well", "set only one of them"))
        }
        _ => Ok(()),
    }
}

fn folder(mail: &MailSettings, values: &Values, dir: &Path) -> Result<(), ConfigError> {
    match &mail.templates_dir {
        Some(path) if !dir.join(path).is_dir() => {
            let text = path.to_string_lossy();
            Err(values.wrong("mail.templates_dir", &text, "is not a folder", "expected a folder with templates"))
        }
        _ => Ok(()),
    }
}
