//! `mail.*`.

use secrecy::ExposeSecret;

use super::{line, line_of, load, production, with_env};
use crate::config::{Sender, SmtpSecurity};

const URL: &str = "KEYFOB__MAIL__SMTP_URL";
const FROM: (&str, &str) = ("KEYFOB__MAIL__FROM", "Example <accounts@example.com>");

#[test]
fn the_scheme_says_how_mail_is_encrypted() {
    for (url, security, host, port) in [
        ("smtps://mail.test", SmtpSecurity::Tls, "mail.test", 465),
        ("smtp://mail.test", SmtpSecurity::StartTls, "mail.test", 587),
        ("smtp://mail.test:2525/", SmtpSecurity::StartTls, "mail.test", 2525),
        ("smtp://mail.test:25", SmtpSecurity::StartTls, "mail.test", 25),
        ("smtp+plain://localhost", SmtpSecurity::Plain, "localhost", 25),
        ("smtp+plain://127.0.0.1:1025", SmtpSecurity::Plain, "127.0.0.1", 1025),
        ("smtp+plain://[::1]:1025", SmtpSecurity::Plain, "::1", 1025),
    ] {
        let read = with_env(&[(URL, url), FROM]).mail.smtp_url.unwrap();
        assert_eq!((read.security, read.host.as_str(), read.port), (security, host, port), "{url}");
    }
}

#[test]
fn the_credentials_of_a_mail_server_are_decoded_and_never_shown() {
    let settings = with_env(&[(URL, "smtp://ann%40a.test:hunter%2F2%3A@mail.test"), FROM]);
    let (user, password) = settings.mail.smtp_url.clone().unwrap().credentials.unwrap();
    assert_eq!((user.as_str(), password.expose_secret()), ("ann@a.test", "hunter/2:"));
    let text = settings.masked();
    assert!(text.contains("smtp_url = \"smtp://ann%40a%2Etest:********@mail.test\"\n"), "{text}");
    for shown in [text, format!("{settings:?}")] {
        assert!(!shown.contains("hunter"), "{shown}");
    }
}

#[test]
fn a_wrong_mail_server_is_refused_with_its_fault_and_without_its_value() {
    for (url, fault) in [
        ("mail.test", "is not a URL"),
        ("http://mail.test", "is not the URL of a mail server"),
        ("smtp://", "invalid host"),
        ("smtp://mail.test/x", "path"),
        ("smtp://mail.test?tls=required", "query"),
        ("smtp://mail.test:0", "invalid port"),
        ("smtp://hunter2@mail.test", "user name without a password"),
        ("smtp://:hunter2@mail.test", "empty user name"),
        ("smtp://ann:hunter2/x@mail.test", "percent-encode"),
        ("smtp://ann:hunter2%0a@mail.test", "control character"),
        ("smtp://mail.test:465", "port 465, where TLS begins at once: use smtps://"),
        ("smtp+plain://mail.test:465", "port 465"),
        ("smtps://mail.test:587", "port 587, where TLS begins with STARTTLS: use smtp://"),
        ("smtps://mail.test:25", "port 25"),
    ] {
        let line = line(&[(URL, url), FROM]);
        assert!(line.starts_with("mail.smtp_url: ") && line.contains(fault), "{line}");
        assert!(!line.contains("hunter2"), "{line}");
    }
}

#[test]
fn mails_come_from_an_address_or_a_name_with_one() {
    let from = |text: &str| load(&[], &[("KEYFOB__MAIL__FROM", text)]).map(|settings| settings.mail.from.unwrap());
    let sender = |name: Option<&str>| Sender { name: name.map(str::to_owned), address: "a@example.com".to_owned() };
    for (text, name) in [
        ("a@example.com", None),
        ("Example <a@example.com>", Some("Example")),
        ("\"Example, Inc.\" <a@example.com>", Some("Example, Inc.")),
        ("<a@example.com>", None),
    ] {
        assert_eq!(from(text).unwrap(), sender(name), "{text}");
    }
    for text in ["a", "Example", "Example <a>", "a@example.com, b@example.com", "A\tB <a@example.com>", "ä@example.com"]
    {
        assert!(from(text).unwrap_err().to_string().starts_with("mail.from: "), "{text}");
    }
    let read_again = with_env(&[FROM]).masked();
    assert!(read_again.contains("from = \"Example <accounts@example.com>\"\n"), "{read_again}");
}

#[test]
fn settings_of_mail_that_contradict_each_other_are_refused() {
    let files = [("pw", "x"), ("ca.pem", "")];
    let set = |env: &[(&str, &str)]| load(&files, env);
    let (user, password) = (("KEYFOB__MAIL__USERNAME", "ann"), ("KEYFOB__MAIL__PASSWORD_FILE", "pw"));
    let ca = ("KEYFOB__MAIL__CA_FILE", "ca.pem");
    for (env, start) in [
        (vec![(URL, "smtp://mail.test")], "mail.from: is not set, but mail.smtp_url is"),
        (vec![user, password], "mail.username: is set without mail.smtp_url"),
        (vec![ca], "mail.ca_file: is set without mail.smtp_url"),
        (vec![(URL, "smtp://mail.test"), FROM, user], "mail.username: is set without mail.password_file"),
        (vec![(URL, "smtp://mail.test"), FROM, password], "mail.password_file: is set without mail.username"),
        (vec![(URL, "smtp://a:b@mail.test"), FROM, user, password], "mail.username: mail.smtp_url holds a user name"),
        (vec![(URL, "smtp+plain://mail.test"), FROM, ca], "mail.ca_file: smtp+plain:// uses no certificates"),
        (
            vec![(URL, "smtp://mail.test"), FROM, user, ("KEYFOB__MAIL__PASSWORD_FILE", "none")],
            "mail.password_file: `none` cannot be read",
        ),
        (vec![("KEYFOB__MAIL__TEMPLATES_DIR", "none")], "mail.templates_dir: `none` is not a folder"),
        (vec![("KEYFOB__MAIL__EHLO_NAME", "a b")], "mail.ehlo_name: `a b` is not a host name"),
        (vec![("KEYFOB__MAIL__EHLO_NAME", "a.test:25")], "mail.ehlo_name: `a.test:25` is not a host name"),
    ] {
        let line = line_of(set(&env));
        assert!(line.starts_with(start), "{line}");
    }
    assert!(set(&[(URL, "smtp://mail.test"), FROM, user, password, ca]).is_ok());
    assert!(set(&[("KEYFOB__MAIL__EHLO_NAME", "::1")]).is_ok());
}

#[cfg(unix)]
#[test]
fn production_refuses_passwords_of_mail_in_the_open() {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;
    let line = line_of(production(&[(URL, "smtp+plain://ann:hunter2@mail.test"), FROM]));
    assert!(line.starts_with("mail.smtp_url: ") && line.contains("without encryption"), "{line}");
    assert!(
        production(&[(URL, "smtp+plain://relay.test"), FROM]).is_ok(),
        "a relay in the same network has no password"
    );
    assert!(production(&[(URL, "smtp+plain://ann:hunter2@127.0.0.1"), FROM]).is_ok());
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("pw");
    fs::write(&file, "x").unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
    let path = file.to_str().unwrap();
    let env = [(URL, "smtp://m.test"), FROM, ("KEYFOB__MAIL__USERNAME", "ann"), ("KEYFOB__MAIL__PASSWORD_FILE", path)];
    let line = line_of(production(&env));
    assert!(line.starts_with("mail.password_file: ") && line.contains("0644"), "{line}");
    fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    assert!(production(&env).is_ok());
}
