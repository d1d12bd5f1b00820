//! Input that is typed or piped into a command.

use std::io::{self, BufRead, IsTerminal, Write, stdin};

/// Whether a prompt can be answered.
pub(super) fn is_terminal() -> bool {
    stdin().is_terminal()
}

/// Reads one line of standard input. On a terminal it prompts first, and a secret is not echoed.
pub(super) fn read_line(prompt: &str, is_secret: bool) -> io::Result<String> {
    if !is_terminal() {
        return first_line(stdin().lock());
    }
    if is_secret {
        return rpassword::prompt_password(prompt);
    }
    write!(io::stderr(), "{prompt}")?;
    first_line(stdin().lock())
}

/// The line unchanged, without the byte order mark that Windows PowerShell puts before piped text.
fn first_line(mut input: impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    input.read_line(&mut line)?;
    let line = line.strip_prefix('\u{feff}').unwrap_or(&line);
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}
