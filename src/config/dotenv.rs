//! Reads `.env`. dotenvy and its successors replace an unset variable with nothing, and end a variable's name at `_`:
//! they would silently lose half of a password that contains `$`. So this parser is our own, and strict.
//!
//! A line is `NAME=value`, with or without `export` before it; a line that begins with `#` is a comment.
//! - In single quotes every character stands for itself, line breaks too.
//! - In double quotes and without quotes `$NAME` and `${NAME}` stand for the variable of the process, or else of a
//!   line above; after a backslash `\`, `"`, `'`, `$` and a blank stand for themselves, and `n` for a line break.
//! - Without quotes the value ends at a blank, after which only a comment may follow.

use std::collections::BTreeMap;
use std::str::Chars;

/// A line that cannot be parsed, counted from 1, and why. Not its text: that may be a secret.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub line: usize,
    pub cause: &'static str,
}

/// The fault of a line in another form.
const MALFORMED: &str =
    "cannot be read; expected NAME=value, with single quotes around a value that contains spaces, `$` or `#`";
const NOT_SET: &str =
    "refers to a variable that is not set; set it, or put single quotes around a value that contains `$`";
const NO_NAME: &str = "has a `$` without a variable name; put single quotes around a value that contains `$`";

type Cause = &'static str;

/// The variables, in the order of their lines. Skips other programs' lines that refer to a variable that is not set:
/// those programs may know it.
///
/// # Errors
/// The first line that cannot be parsed, or whose name `is_ours` and which refers to a variable that is not set.
pub(super) fn read(
    text: &str,
    process: &BTreeMap<String, String>,
    is_ours: fn(&str) -> bool,
) -> Result<Vec<(String, String)>, Fault> {
    let mut reader = Reader { rest: text.chars(), line: 1, process, above: BTreeMap::new(), missing: None };
    let mut variables = Vec::new();
    while reader.skip_to_entry() {
        let line = reader.line;
        let fault = |cause| Fault { line, cause };
        let name = reader.name().map_err(fault)?;
        let value = reader.value().map_err(fault)?;
        match reader.missing.take() {
            None => {
                reader.above.insert(name.clone(), value.clone());
                variables.push((name, value));
            }
            Some(missing) if is_ours(&name) => return Err(missing),
            Some(_) => drop(reader.above.remove(&name)),
        }
    }
    Ok(variables)
}

struct Reader<'r> {
    rest: Chars<'r>,
    line: usize,
    process: &'r BTreeMap<String, String>,
    /// The variables of the lines above.
    above: BTreeMap<String, String>,
    /// Why the present value is not the intended one.
    missing: Option<Fault>,
}

impl Reader<'_> {
    /// Moves to the next line with an entry; false at the end.
    fn skip_to_entry(&mut self) -> bool {
        loop {
            self.skip_while(char::is_whitespace);
            match self.peek() {
                Some('#') => self.skip_line(),
                found => return found.is_some(),
            }
        }
    }

    fn skip_line(&mut self) {
        self.skip_while(|c| c != '\n');
    }

    /// Reads a name and everything up to its value.
    fn name(&mut self) -> Result<String, Cause> {
        let mut name = self.word();
        self.skip_while(is_blank);
        if name == "export" && self.peek() != Some('=') {
            name = self.word();
            self.skip_while(is_blank);
        }
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit() || c == '.') || self.next() != Some('=') {
            return Err(MALFORMED);
        }
        self.skip_while(is_blank);
        Ok(name)
    }

    fn word(&mut self) -> String {
        self.take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.'))
    }

    /// The rest of the line, and further lines in quotes.
    fn value(&mut self) -> Result<String, Cause> {
        let mut value = String::new();
        if self.peek() == Some('#') {
            self.skip_line();
        }
        loop {
            match self.next() {
                None | Some('\n') => return Ok(value),
                Some('\r') if matches!(self.peek(), None | Some('\n')) => {}
                Some('\'') => self.single_quoted(&mut value)?,
                Some('"') => self.double_quoted(&mut value)?,
                Some(c) if is_blank(c) => return self.end().map(|()| value),
                Some(c) => self.one(c, &mut value)?,
            }
        }
    }

    /// After a blank: nothing or a comment.
    fn end(&mut self) -> Result<(), Cause> {
        self.skip_while(|c| is_blank(c) || c == '\r');
        match self.peek() {
            None | Some('\n') => Ok(()),
            Some('#') => {
                self.skip_line();
                Ok(())
            }
            Some(_) => Err(MALFORMED),
        }
    }

    fn single_quoted(&mut self, value: &mut String) -> Result<(), Cause> {
        loop {
            match self.next().ok_or(MALFORMED)? {
                '\'' => return Ok(()),
                c => value.push(c),
            }
        }
    }

    fn double_quoted(&mut self, value: &mut String) -> Result<(), Cause> {
        loop {
            match self.next().ok_or(MALFORMED)? {
                '"' => return Ok(()),
                c => self.one(c, value)?,
            }
        }
    }

    /// A character, with what it may begin: an escape or a variable.
    fn one(&mut self, c: char, value: &mut String) -> Result<(), Cause> {
        match c {
            '\\' => match self.next() {
                Some(c @ ('\\' | '"' | '\'' | '$' | ' ')) => value.push(c),
                Some('n') => value.push('\n'),
                _ => return Err(MALFORMED),
            },
            '$' => match self.variable() {
                Ok(variable) => value.push_str(&variable),
                Err(cause) => self.missing = self.missing.take().or(Some(Fault { line: self.line, cause })),
            },
            c => value.push(c),
        }
        Ok(())
    }

    fn variable(&mut self) -> Result<String, Cause> {
        let is_braced = self.peek() == Some('{');
        if is_braced {
            self.next();
        }
        let name = self.take_while(|c| c.is_ascii_alphanumeric() || c == '_');
        let is_name = name.starts_with(|c: char| !c.is_ascii_digit());
        if !is_name || (is_braced && self.peek() != Some('}')) {
            return Err(NO_NAME);
        }
        if is_braced {
            self.next();
        }
        // The process first, as in all settings (`config/default.toml`).
        self.process.get(&name).or_else(|| self.above.get(&name)).cloned().ok_or(NOT_SET)
    }

    fn peek(&self) -> Option<char> {
        self.rest.clone().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.rest.next();
        self.line += usize::from(c == Some('\n'));
        c
    }

    fn skip_while(&mut self, is_so: impl Fn(char) -> bool) {
        while self.peek().is_some_and(&is_so) {
            self.next();
        }
    }

    fn take_while(&mut self, is_so: impl Fn(char) -> bool) -> String {
        let mut taken = String::new();
        while let Some(c) = self.peek().filter(|c| is_so(*c)) {
            taken.push(c);
            self.next();
        }
        taken
    }
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t')
}
