//! The rows of a CSV or JSONL file. No message repeats the content: it may be a password hash.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use serde_json::{Map, Value};

use super::csv::{Row, Rows};
use crate::accounts::import::{COLUMNS, REQUIRED_COLUMNS, is_password_hash};

/// Programs on Windows put this before UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// A row of the file.
pub(super) struct Record {
    /// Its first line, counted from 1.
    pub line: u64,
    /// Its known columns, or why it cannot be read.
    pub values: Result<Map<String, Value>, String>,
}

/// The file that is read.
pub(super) enum Source {
    Csv(Box<CsvSource>),
    Jsonl(JsonlSource),
}

pub(super) struct CsvSource {
    rows: Rows<BufReader<File>>,
    /// The known column at each position; `None` is ignored.
    columns: Vec<Option<&'static str>>,
    ignored: BTreeSet<String>,
}

pub(super) struct JsonlSource {
    reader: BufReader<File>,
    line: u64,
    ignored: BTreeSet<String>,
}

impl Source {
    /// Opens a file, in the format that its extension names.
    ///
    /// # Errors
    /// One line: the file cannot be read, has neither format, or lacks a column.
    pub(super) fn open(path: &Path) -> Result<Self, String> {
        let fault = |fault: String| format!("{}: {fault}", path.display());
        let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
        let file = || open(path).map_err(|error| fault(error.to_string()));
        match extension.as_deref() {
            Some("csv") => Ok(Self::Csv(Box::new(CsvSource::new(file()?).map_err(fault)?))),
            Some("jsonl") => Ok(Self::Jsonl(JsonlSource { reader: file()?, line: 0, ignored: BTreeSet::new() })),
            _ => Err(fault("the file name must end in .csv or .jsonl".into())),
        }
    }

    /// The next row.
    ///
    /// # Errors
    /// If the rest of the file cannot be read.
    pub(super) fn next(&mut self) -> io::Result<Option<Record>> {
        match self {
            Self::Csv(source) => source.next(),
            Self::Jsonl(source) => source.next(),
        }
    }

    /// The columns that were ignored so far.
    pub(super) fn ignored(&self) -> &BTreeSet<String> {
        match self {
            Self::Csv(source) => &source.ignored,
            Self::Jsonl(source) => &source.ignored,
        }
    }
}

/// Opens a file and skips its byte order mark.
fn open(path: &Path) -> io::Result<BufReader<File>> {
    let mut reader = BufReader::new(File::open(path)?);
    if reader.fill_buf()?.starts_with(BYTE_ORDER_MARK) {
        reader.consume(BYTE_ORDER_MARK.len());
    }
    Ok(reader)
}

impl CsvSource {
    fn new(reader: BufReader<File>) -> Result<Self, String> {
        let mut rows = Rows::new(reader, holds_hash);
        let (columns, ignored) = match rows.next().map_err(|error| error.to_string())? {
            Some(Row { line, values }) => {
                let header = values.map_err(|fault| format!("line {line}: {fault}"))?;
                columns(&header).map_err(|fault| format!("line {line}: {fault}"))?
            }
            None => Default::default(),
        };
        // Do not quote the line: without a header it would contain an account's hash.
        let missing = COLUMNS.iter().take(REQUIRED_COLUMNS).find(|required| !columns.contains(&Some(**required)));
        match missing {
            Some(missing) => Err(format!("the header (the first line, comma-separated) lacks the column {missing}")),
            None => Ok(Self { rows, columns, ignored }),
        }
    }

    fn next(&mut self) -> io::Result<Option<Record>> {
        let Some(Row { line, values }) = self.rows.next()? else { return Ok(None) };
        let values = values.map_err(str::to_owned).and_then(|values| self.named(&values));
        Ok(Some(Record { line, values }))
    }

    fn named(&self, row: &[Vec<u8>]) -> Result<Map<String, Value>, String> {
        let (found, expected) = (row.len(), self.columns.len());
        if found != expected {
            return Err(format!("the row has {found} values, but the header has {expected}"));
        }
        let mut values = Map::new();
        for (value, column) in row.iter().zip(&self.columns) {
            let Some(column) = column else { continue };
            let text = std::str::from_utf8(value).map_err(|_| format!("{column}: is not valid UTF-8"))?;
            // CSV cannot tell an absent value from an empty text.
            if !text.is_empty() {
                values.insert((*column).to_owned(), text.into());
            }
        }
        Ok(values)
    }
}

/// The columns that a header names: the known one at each position, and the unknown ones.
fn columns(header: &[Vec<u8>]) -> Result<(Vec<Option<&'static str>>, BTreeSet<String>), String> {
    let (mut columns, mut ignored) = (Vec::new(), BTreeSet::new());
    for name in header {
        if name.contains(&b'\n') || name.contains(&b'\r') {
            return Err("a quote in the header is not closed".into());
        }
        let name = String::from_utf8_lossy(name);
        let known = known_column(name.trim());
        if known.is_none() {
            ignored.insert(name.trim().to_owned());
        } else if columns.contains(&known) {
            return Err(format!("the column {} appears twice", name.trim()));
        }
        columns.push(known);
    }
    Ok((columns, ignored))
}

/// Whether one of a line's values is a password hash: then the line is an account's, whatever quotes surround it.
fn holds_hash(line: &[u8]) -> bool {
    let mut values = line.split(|byte| *byte == b',').filter_map(|value| std::str::from_utf8(value).ok());
    values.any(|value| is_password_hash(value.trim().trim_matches('"')))
}

impl JsonlSource {
    fn next(&mut self) -> io::Result<Option<Record>> {
        let mut bytes = Vec::new();
        loop {
            bytes.clear();
            if self.reader.read_until(b'\n', &mut bytes)? == 0 {
                return Ok(None);
            }
            self.line += 1;
            let text = bytes.trim_ascii();
            if !text.is_empty() {
                return Ok(Some(Record { line: self.line, values: self.values(text) }));
            }
        }
    }

    fn values(&mut self, text: &[u8]) -> Result<Map<String, Value>, String> {
        // serde's message would repeat the content.
        let object: Map<String, Value> = serde_json::from_slice(text).map_err(|_| "is not a JSON object".to_owned())?;
        let (known, unknown): (Map<_, _>, Map<_, _>) =
            object.into_iter().partition(|(name, _)| known_column(name).is_some());
        self.ignored.extend(unknown.into_iter().map(|(name, _)| name));
        Ok(known)
    }
}

fn known_column(name: &str) -> Option<&'static str> {
    COLUMNS.into_iter().find(|column| *column == name)
}
