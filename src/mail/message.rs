//! A mail as it travels (RFC 5322).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use lettre::message::{Body, Mailbox, Message, MultiPart, SinglePart};
use lettre::{Address, address::Envelope};

use super::templates::Texts;
use crate::config::Sender;
use crate::db::Timestamp;
use crate::unicode::ascii_domain;

/// The longest line that is not broken, in bytes.
const MAX_LINE: usize = 990;

/// Whom a mail is from.
pub(super) struct From(Mailbox);

/// A mail, ready to send.
pub(super) struct Composed {
    pub envelope: Envelope,
    pub bytes: Vec<u8>,
}

impl From {
    /// The sender of the settings; without one, an address at the service's own host.
    pub(super) fn new(sender: Option<&Sender>, host: &str) -> Result<Self, String> {
        let (name, address) = match sender {
            Some(Sender { name, address }) => (name.clone(), address.clone()),
            None if host.parse::<std::net::IpAddr>().is_ok() => (None, "keyfob@localhost".to_owned()),
            None => (None, format!("keyfob@{host}")),
        };
        let address = address.parse().map_err(|error| format!("mail.from {address}: {error}"))?;
        Ok(Self(Mailbox::new(name, address)))
    }
}

/// Builds a mail. lettre encodes each header, so that no value can begin another one.
pub(super) fn compose(
    from: &From,
    to: &str,
    message_id: &str,
    texts: Texts,
    now: Timestamp,
) -> Result<Composed, String> {
    let fault = |error: &dyn std::fmt::Display| format!("the mail cannot be built: {error}");
    let to = address(to).ok_or_else(|| fault(&"the address is not valid"))?;
    let header =
        |name: &'static str, value: &str| HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned());
    let message = Message::builder()
        .from(from.0.clone())
        .to(Mailbox::new(None, to))
        .subject(texts.subject)
        .date(time(now))
        .message_id(Some(message_id.to_owned()))
        // RFC 3834 §5, and what Exchange reads: no automatic replies.
        .raw_header(header("Auto-Submitted", "auto-generated"))
        .raw_header(header("X-Auto-Response-Suppress", "All"))
        .multipart(alternatives(texts.text, texts.html))
        .map_err(|error| fault(&error))?;
    Ok(Composed { envelope: message.envelope().clone(), bytes: message.formatted() })
}

fn alternatives(text: String, html: String) -> MultiPart {
    let part = |kind, text| SinglePart::builder().header(kind).body(encoded(text));
    MultiPart::alternative()
        .singlepart(part(ContentType::TEXT_PLAIN, text))
        .singlepart(part(ContentType::TEXT_HTML, html))
}

/// A text as it travels. lettre would break lines of more than 76 characters, links among them, which other programs put
/// together again but people do not; RFC 5322 §2.1.1 allows 998.
fn encoded(text: String) -> Body {
    if text.is_ascii() && text.lines().all(|line| line.len() <= MAX_LINE) {
        let bytes = text.replace("\r\n", "\n").replace('\n', "\r\n").into_bytes();
        return Body::dangerous_pre_encoded(bytes, ContentTransferEncoding::SevenBit);
    }
    Body::new(text)
}

/// The address with its domain in ASCII, as mail servers expect it.
fn address(text: &str) -> Option<Address> {
    let (local, domain) = text.rsplit_once('@')?;
    Address::new(local, ascii_domain(domain)?.as_ref()).ok()
}

fn time(now: Timestamp) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(u64::try_from(now.millis()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(subject: &str) -> Texts {
        Texts { subject: subject.to_owned(), text: "Hello\n".to_owned(), html: "<p>Hello</p>".to_owned() }
    }

    fn mail(to: &str, subject: &str) -> String {
        let from = From::new(None, "id.example.com").expect("a sender");
        let now = Timestamp::parse("2026-11-21T20:58:00Z").expect("a time");
        let mail = compose(&from, to, "<1@id.example.com>", texts(subject), now).expect("a mail");
        String::from_utf8(mail.bytes).expect("text")
    }

    #[test]
    fn a_mail_has_the_headers_that_servers_look_for() {
        let mail = mail("mia@example.com", "Hello");
        for header in [
            "From: keyfob@id.example.com\r\n",
            "To: mia@example.com\r\n",
            "Subject: Hello\r\n",
            "Date: Sat, 21 Nov 2026 20:58:00 +0000\r\n",
            "Message-ID: <1@id.example.com>\r\n",
            "Auto-Submitted: auto-generated\r\n",
            "X-Auto-Response-Suppress: All\r\n",
            "MIME-Version: 1.0\r\n",
            "Content-Type: multipart/alternative",
        ] {
            assert!(mail.contains(header), "{header} in {mail}");
        }
    }

    #[test]
    fn a_link_stands_on_one_line() {
        let from = From::new(None, "id.example.com").expect("a sender");
        let link = format!("https://id.example.com/{}", "a".repeat(200));
        let texts = Texts { text: format!("Go:\n\n{link}\n"), ..texts("Hi") };
        let mail = compose(&from, "mia@example.com", "<1@x>", texts, Timestamp::from_millis(0)).expect("a mail");
        assert!(String::from_utf8(mail.bytes).expect("text").contains(&format!("\r\n{link}\r\n")));
    }

    #[test]
    fn no_value_begins_another_header() {
        let mail = mail("mia@example.com", "Hi\r\nBcc: eve@example.com");
        assert!(!mail.to_lowercase().contains("\r\nbcc:"), "{mail}");
        let from = From::new(None, "id.example.com").expect("a sender");
        let now = Timestamp::from_millis(0);
        for to in
            ["mia@example.com\r\nBcc: eve@example.com", "mia@example.com, eve@example.com", "mia", "<mia@example.com>"]
        {
            assert!(compose(&from, to, "<1@x>", texts("Hi"), now).is_err(), "{to}");
        }
    }

    #[test]
    fn a_domain_is_written_in_ascii() {
        assert!(mail("mia@b\u{fc}cher.example", "Hi").contains("To: mia@xn--bcher-kva.example\r\n"));
    }

    #[test]
    fn a_service_at_a_bare_address_sends_from_localhost() {
        for host in ["127.0.0.1", "::1"] {
            assert_eq!(From::new(None, host).expect("a sender").0.email.to_string(), "keyfob@localhost");
        }
        let sender = Sender { name: Some("Example, Inc.".to_owned()), address: "a@example.com".to_owned() };
        assert_eq!(From::new(Some(&sender), "x").expect("a sender").0.to_string(), "\"Example, Inc.\" <a@example.com>");
    }
}
