//! Mails, as they lie in the folder of a service that has no mail server.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Server;
use super::home::until;

const DEADLINE: Duration = Duration::from_secs(20);
const WAITING: &str = "SELECT CAST(COUNT(*) AS TEXT) AS value FROM local_mail_outbox WHERE ended_at IS NULL";

/// A mail that was sent.
#[derive(Clone, Debug)]
pub struct Mail {
    pub path: PathBuf,
    pub headers: String,
    pub text: String,
    pub html: String,
}

impl Server {
    /// The mails that lie in the folder, the oldest first.
    pub fn mails(&self) -> Vec<Mail> {
        mails_in(&self.home.folder().join("outbox"))
    }

    /// The same, once nothing waits to be sent.
    #[track_caller]
    pub fn all_mails(&self) -> Vec<Mail> {
        until("no mail waits", DEADLINE, || self.home.database.text(WAITING) == "0");
        self.mails()
    }

    /// The one mail to an address, once nothing waits.
    #[track_caller]
    pub fn only_mail_to(&self, address: &str) -> Mail {
        let mut mails = self.all_mails();
        mails.retain(|mail| mail.header("To") == address);
        assert_eq!(mails.len(), 1, "one mail to {address}: {mails:#?}");
        mails.remove(0)
    }
}

/// The mails in a folder, the oldest first.
pub fn mails_in(folder: &Path) -> Vec<Mail> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "eml"));
    paths.sort();
    paths.iter().map(|path| Mail::read(path)).collect()
}

impl Mail {
    fn read(path: &Path) -> Self {
        let whole = fs::read_to_string(path).expect("a mail").replace("\r\n", "\n");
        let (headers, body) = whole.split_once("\n\n").expect("headers and a body");
        let boundary = headers.split("boundary=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a boundary");
        let parts: Vec<String> = body.split(&format!("--{boundary}")).skip(1).map(decoded).collect();
        let [text, html, end] = parts.as_slice() else { panic!("two parts: {whole}") };
        assert_eq!(end, "", "the end of {whole}");
        Self { path: path.to_owned(), headers: headers.to_owned(), text: text.clone(), html: html.clone() }
    }

    /// A header's value.
    #[track_caller]
    pub fn header(&self, name: &str) -> &str {
        let prefix = format!("{name}: ");
        let mut values = self.headers.lines().filter_map(|line| line.strip_prefix(&prefix));
        let value = values.next().unwrap_or_else(|| panic!("{name} in {}", self.headers));
        assert_eq!(values.next(), None, "one {name}: {}", self.headers);
        value
    }

    /// The link in the text, which must stand in the HTML as well.
    #[track_caller]
    pub fn link(&self) -> String {
        let link = self.text.lines().find(|line| line.contains("?token=")).unwrap_or_else(|| panic!("{self:#?}"));
        assert!(self.html.contains(&format!("href=\"{link}\"")), "{link} in {}", self.html);
        link.to_owned()
    }

    /// The kind, which stands in the file's name.
    pub fn kind(&self) -> String {
        let name = self.path.file_stem().expect("a name").to_string_lossy().into_owned();
        name.split("Z-").nth(1).and_then(|rest| rest.rsplit_once('-')).expect("a kind").0.to_owned()
    }
}

/// The text of a part: as it is, or quoted-printable (RFC 2045 §6.7).
fn decoded(part: &str) -> String {
    let Some((headers, text)) = part.trim_start().split_once("\n\n") else {
        return part.trim_matches(['-', '\n']).into();
    };
    if !headers.contains("quoted-printable") {
        return text.to_owned();
    }
    let joined = text.replace("=\n", "");
    let mut pieces = joined.split('=');
    let mut bytes = pieces.next().unwrap_or_default().as_bytes().to_vec();
    for piece in pieces {
        bytes.push(u8::from_str_radix(&piece[..2], 16).expect("two digits"));
        bytes.extend_from_slice(&piece.as_bytes()[2..]);
    }
    String::from_utf8(bytes).expect("UTF-8")
}
