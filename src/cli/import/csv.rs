//! CSV by RFC 4180. The csv crate accepts any input: an unclosed quote takes the accounts after it into one value,
//! hashes included. Here it is a fault of the row that it begins in, and the next line begins the next row.

use std::collections::VecDeque;
use std::io::{self, BufRead};

/// The longest row with line breaks in quotes. A longer one counts as an unclosed quote.
const MAX_ROW_BYTES: usize = 64 * 1024;

/// A row of the file.
pub(super) struct Row {
    /// Its first line, counted from 1.
    pub line: u64,
    /// Its values, or why it cannot be read.
    pub values: Result<Vec<Vec<u8>>, &'static str>,
}

/// The rows of a file.
pub(super) struct Rows<R> {
    source: R,
    /// Lines that were read in search of the end of a row, and belong to later rows.
    waiting: VecDeque<Vec<u8>>,
    /// The number of lines returned.
    line: u64,
    /// Whether a line looks like a row of its own, not like part of a value.
    is_row: fn(&[u8]) -> bool,
}

impl<R: BufRead> Rows<R> {
    pub(super) fn new(source: R, is_row: fn(&[u8]) -> bool) -> Self {
        Self { source, waiting: VecDeque::new(), line: 0, is_row }
    }

    /// The next row that is not empty.
    pub(super) fn next(&mut self) -> io::Result<Option<Row>> {
        loop {
            let Some(first) = self.take_line()? else { return Ok(None) };
            let line = self.line;
            if first.iter().any(|byte| !matches!(byte, b'\r' | b'\n')) {
                let values = self.row(&first)?;
                return Ok(Some(Row { line, values }));
            }
        }
    }

    /// Reads the row that begins with a line.
    fn row(&mut self, first: &[u8]) -> io::Result<Result<Vec<Vec<u8>>, &'static str>> {
        let (mut row, mut bytes) = (Unfinished::default(), first.len());
        let mut taken = VecDeque::new();
        let mut place = row.read(first);
        let fault = loop {
            match place {
                Place::Whole => return Ok(Ok(row.values)),
                Place::Fault(fault) => break fault,
                Place::InQuotes => {}
            }
            let Some(line) = self.take_line()? else { break NOT_CLOSED };
            bytes += line.len();
            place = match bytes > MAX_ROW_BYTES || (self.is_row)(&line) {
                true => Place::Fault(NOT_CLOSED),
                false => row.read(&line),
            };
            taken.push_back(line);
        };
        self.line -= u64::try_from(taken.len()).unwrap_or_default();
        taken.append(&mut self.waiting);
        self.waiting = taken;
        Ok(Err(fault))
    }

    /// The next line with its end: LF, CR LF, or the CR alone of old Macs.
    fn take_line(&mut self) -> io::Result<Option<Vec<u8>>> {
        let line = match self.waiting.pop_front() {
            Some(line) => line,
            None => read_line(&mut self.source)?,
        };
        self.line += u64::from(!line.is_empty());
        Ok(Some(line).filter(|line| !line.is_empty()))
    }
}

const NOT_CLOSED: &str = "a quote is not closed";
const AFTER_QUOTE: &str = "a quote is not closed, or a quote inside a value is not doubled";

/// Where a line ends within its row.
enum Place {
    Whole,
    InQuotes,
    Fault(&'static str),
}

/// A row that is being read.
#[derive(Default)]
struct Unfinished {
    values: Vec<Vec<u8>>,
    value: Vec<u8>,
    is_in_quotes: bool,
    /// Whether a quote has closed the value: only its end may follow.
    is_closed: bool,
}

impl Unfinished {
    fn read(&mut self, line: &[u8]) -> Place {
        let mut bytes = line.iter().copied().peekable();
        while let Some(byte) = bytes.next() {
            match byte {
                b'"' if self.is_in_quotes => match bytes.next_if_eq(&b'"') {
                    Some(quote) => self.value.push(quote),
                    None => (self.is_in_quotes, self.is_closed) = (false, true),
                },
                _ if self.is_in_quotes => self.value.push(byte),
                b',' => self.end_value(),
                b'\r' | b'\n' => {}
                _ if self.is_closed => return Place::Fault(AFTER_QUOTE),
                b'"' if self.value.is_empty() => self.is_in_quotes = true,
                _ => self.value.push(byte),
            }
        }
        if self.is_in_quotes {
            return Place::InQuotes;
        }
        self.end_value();
        Place::Whole
    }

    fn end_value(&mut self) {
        self.values.push(std::mem::take(&mut self.value));
        self.is_closed = false;
    }
}

fn read_line(source: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    loop {
        let bytes = source.fill_buf()?;
        let is_after_cr = line.last() == Some(&b'\r');
        if bytes.is_empty() || (is_after_cr && bytes.first() != Some(&b'\n')) {
            return Ok(line);
        }
        let end = bytes.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
        let length = end.map_or(bytes.len(), |end| end + 1);
        line.extend(bytes.iter().take(length));
        source.consume(length);
        if line.last() == Some(&b'\n') {
            return Ok(line);
        }
    }
}
