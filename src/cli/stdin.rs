//! What is typed, or piped, into a command.

use std::io::{self, BufRead, IsTerminal, Write, stdin};

/// Whether somebody can be asked.
pub(super) fn is_terminal() -> bool {
    stdin().is_terminal()
}

/// One line of standard input; on a terminal asked for, a secret without echo.
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

/// The line as it is, without the byte order mark that Windows PowerShell puts in front of what it pipes.
fn first_line(mut input: impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    input.read_line(&mut line)?;
    let line = line.strip_prefix('\u{feff}').unwrap_or(&line);
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}
