//! Passwords that attackers have from other services, as a file of SHA-1 hashes in the format of the public lists: a line
//! for each, `HEX` or `HEX:COUNT`, sorted. The file may be larger than memory, so it is searched where it is.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::Path;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

use crate::fields::Rejection;

/// Length of a SHA-1 in hex.
const HEX_BYTES: usize = 40;
/// Longest line: the hash, a colon, a count and a line break.
const LINE_BYTES: usize = 80;
/// The search ends with a part of the file of this size, which is read as a whole.
const BLOCK_BYTES: u64 = 4096;
/// Places at which the order is checked at startup.
const SAMPLES: u64 = 64;

/// A SHA-1 in upper-case hex.
type Hex = [u8; HEX_BYTES];

/// The open file.
pub(super) struct BreachedPasswords {
    file: File,
    bytes: u64,
}

pub(super) fn refusal() -> Rejection {
    let message = "This password is on a list of stolen passwords: choose another, and change it wherever you use it";
    let german = "Dieses Passwort steht auf einer Liste gestohlener Passwörter. Wählen Sie ein anderes, und ändern Sie es \
                  überall, wo Sie es benutzen.";
    Rejection::new("password_breached", message).in_german(german)
}

impl BreachedPasswords {
    /// Opens the file, and checks its first line and its order at some places.
    ///
    /// # Errors
    /// One line that names the setting, the file and its fault.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let opened = File::open(path).and_then(|file| {
            let bytes = file.metadata()?.len();
            let breached = Self { file, bytes };
            breached.check()?;
            Ok(breached)
        });
        opened.map_err(|error| {
            let expected = "expected sorted lines, each a SHA-1 in hex, with or without `:COUNT`";
            let line = format!("password.breached_file: `{}` {error}; {expected}", path.display());
            io::Error::new(error.kind(), line)
        })
    }

    /// Whether the list has that password.
    pub(super) fn contains(&self, password: &str) -> io::Result<bool> {
        let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, password.as_bytes());
        let wanted = hex_of(hex::encode(hash).as_bytes()).ok_or_else(|| fault("cannot be searched"))?;
        self.search(&wanted)
    }

    /// Bisection: `from` and `to` are where lines begin, and the line is between them if there is one. Each read halves
    /// what is between them, whatever the file holds.
    fn search(&self, wanted: &Hex) -> io::Result<bool> {
        let (mut from, mut to) = (0, self.bytes);
        while to - from > BLOCK_BYTES {
            let (start, found) = self.line_after(from + (to - from) / 2)?;
            match wanted.cmp(&found) {
                std::cmp::Ordering::Equal => return Ok(true),
                std::cmp::Ordering::Less => to = start,
                std::cmp::Ordering::Greater => from = start,
            }
        }
        let block = self.read(from, to - from)?;
        Ok(block.split(|byte| *byte == b'\n').any(|line| hex_of_line(line).as_ref() == Some(wanted)))
    }

    /// The first line that begins after a place, which is well before the end.
    fn line_after(&self, place: u64) -> io::Result<(u64, Hex)> {
        let text = self.read(place, 2 * LINE_BYTES as u64)?;
        let mut lines = text.splitn(3, |byte| *byte == b'\n');
        let rest = lines.next().unwrap_or_default().len() as u64;
        match lines.next().and_then(hex_of_line) {
            Some(hex) => Ok((place + rest + 1, hex)),
            None => Err(fault(&format!("has no such line after byte {place}"))),
        }
    }

    fn check(&self) -> io::Result<()> {
        let first = self.read(0, LINE_BYTES.min(usize::try_from(self.bytes).unwrap_or(LINE_BYTES)) as u64)?;
        let first = first.split(|byte| *byte == b'\n').next().and_then(hex_of_line);
        let mut before = first.ok_or_else(|| fault("does not begin with such a line"))?;
        // Near the end there may be no line after a place.
        let last = self.bytes.saturating_sub(2 * LINE_BYTES as u64);
        for place in (1..=SAMPLES).map(|sample| last / SAMPLES * sample).filter(|place| *place > 0) {
            let (start, hex) = self.line_after(place)?;
            if hex < before {
                return Err(fault(&format!("is not sorted: the line at byte {start} should be before an earlier one")));
            }
            before = hex;
        }
        Ok(())
    }

    fn read(&self, from: u64, bytes: u64) -> io::Result<Vec<u8>> {
        let mut text = vec![0; usize::try_from(bytes).map_err(io::Error::other)?];
        self.file.read_exact_at(&mut text, from)?;
        Ok(text)
    }
}

fn fault(text: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, text)
}

/// The hash of a line, if it is one.
fn hex_of_line(line: &[u8]) -> Option<Hex> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let (hex, rest) = line.split_at_checked(HEX_BYTES)?;
    let is_count = |count: &[u8]| !count.is_empty() && count.iter().all(u8::is_ascii_digit);
    let is_whole = rest.is_empty() || rest.strip_prefix(b":").is_some_and(is_count);
    hex_of(hex).filter(|_| is_whole)
}

fn hex_of(text: &[u8]) -> Option<Hex> {
    let hex: Hex = text.try_into().ok()?;
    hex.iter().all(u8::is_ascii_hexdigit).then(|| hex.map(|byte| byte.to_ascii_uppercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The hash of that number, a password of its own.
    fn hash(number: u32) -> String {
        hex::encode_upper(digest(&SHA1_FOR_LEGACY_USE_ONLY, format!("password {number}").as_bytes()))
    }

    fn opened(text: &str) -> io::Result<BreachedPasswords> {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), text).expect("a file");
        BreachedPasswords::open(file.path())
    }

    fn sorted(count: u32) -> Vec<(String, u32)> {
        let mut hashes: Vec<(String, u32)> = (0..count).map(|number| (hash(number), number)).collect();
        hashes.sort();
        hashes
    }

    #[test]
    fn every_password_of_a_large_list_is_found_and_no_other_one() {
        const COUNT: u32 = 100_000;
        let hashes = sorted(COUNT);
        let lines = hashes.iter().map(|(hash, number)| format!("{hash}:{}\r\n", u64::from(*number) * 40_009));
        let list = opened(&lines.collect::<String>()).expect("a list");
        let edges = [hashes.first(), hashes.get(1), hashes.last()].into_iter().flatten().map(|(_, number)| *number);
        for number in (0..COUNT).step_by(7).chain(edges) {
            assert!(list.contains(&format!("password {number}")).expect("an answer"), "{number}");
        }
        for number in COUNT..COUNT + 20_000 {
            assert!(!list.contains(&format!("password {number}")).expect("an answer"), "{number}");
        }
        for absent in ["0".repeat(40), "F".repeat(40)] {
            assert!(!list.search(&hex_of(absent.as_bytes()).expect("hex")).expect("an answer"), "{absent}");
        }
    }

    #[test]
    fn lists_of_any_size_and_spelling_are_searched() {
        for count in [1, 2, 3, 90, 91, 100, 101, 102, 103, 200] {
            let hashes: Vec<String> = sorted(count).into_iter().map(|(hash, _)| hash).collect();
            for text in [
                hashes.join("\n"),
                hashes.join("\r\n"),
                hashes.join("\n").to_lowercase() + "\n",
                hashes.join(":1\n") + ":1\n",
                hashes.join(":123456789\r\n") + ":123456789\r\n",
            ] {
                let list = opened(&text).expect("a list");
                for number in 0..2 * count {
                    let is_there = list.contains(&format!("password {number}")).expect("an answer");
                    assert_eq!(is_there, number < count, "{number} of {count}");
                }
            }
        }
    }

    #[test]
    fn what_is_no_such_list_is_refused_with_its_fault() {
        let mut upside_down: Vec<String> = sorted(1000).into_iter().map(|(hash, _)| hash).collect();
        upside_down.reverse();
        let nonsense = format!("{}\n{}", hash(1), "nonsense\n".repeat(1000));
        for (text, fault) in [
            ("", "does not begin with such a line"),
            ("\n", "does not begin"),
            ("password\nsunshine\n", "does not begin"),
            (&"8846F7EAEE8FB117AD06BDD830B7586C:3\n".repeat(100), "does not begin"),
            (&format!("{}:x\n", hash(1)), "does not begin"),
            (&format!("\u{feff}{}\n", hash(1)), "does not begin"),
            (&upside_down.join("\n"), "is not sorted"),
            (&nonsense, "has no such line after byte"),
        ] {
            let error = opened(text).err().expect("a fault").to_string();
            assert!(error.contains(fault) && error.starts_with("password.breached_file: `"), "{error}");
            assert_eq!(error.lines().count(), 1, "{error}");
        }
        assert!(BreachedPasswords::open(Path::new("/")).is_err());
        assert!(BreachedPasswords::open(Path::new("none.txt")).is_err());
    }

    #[test]
    fn a_list_that_is_damaged_after_the_start_ends_the_search_with_an_error() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let hashes: Vec<String> = sorted(1000).into_iter().map(|(hash, _)| hash).collect();
        std::fs::write(file.path(), hashes.join("\n")).expect("a file");
        let list = BreachedPasswords::open(file.path()).expect("a list");
        std::fs::write(file.path(), "x\n".repeat(20_000)).expect("a file");
        assert!(list.contains("password 1").is_err());
        std::fs::write(file.path(), "").expect("a file");
        assert!(list.contains("password 1").is_err());
    }
}
