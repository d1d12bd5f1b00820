//! Wrong arguments: clap's report of several paragraphs, as one line.

use clap::error::{ContextKind, ErrorKind};

/// What is wrong with the arguments, clap's tips, and which help to read. Omits values that may be a misplaced
/// password.
pub(super) fn explain(error: &clap::Error) -> String {
    let mut report = error.to_string();
    let kinds = [ContextKind::InvalidArg, ContextKind::InvalidSubcommand, ContextKind::InvalidValue];
    for value in kinds.into_iter().filter_map(|kind| error.get(kind)).map(ToString::to_string) {
        let is_one_too_many = error.kind() == ErrorKind::UnknownArgument && !value.starts_with('-');
        if is_one_too_many || value.contains("://") {
            report = report.replace(&format!("'{value}' "), "");
        }
    }
    let paragraphs = report.split("\n\n").map(one_line);
    let (usage, causes): (Vec<String>, Vec<String>) = paragraphs
        .filter(|paragraph| !paragraph.starts_with("For more information"))
        .partition(|paragraph| paragraph.starts_with("Usage:"));
    let cause = causes.join("; ");
    let command = usage.first().map_or_else(|| "keyfob".to_owned(), |usage| command_of(usage));
    format!("{} (see {command} --help)", cause.trim_start_matches("error: "))
}

fn one_line(paragraph: &str) -> String {
    paragraph.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

/// The command in a line such as `Usage: keyfob user create --email <EMAIL>`.
fn command_of(usage: &str) -> String {
    let words = usage.split_whitespace().skip(1);
    words.take_while(|word| !word.starts_with(['-', '<', '['])).collect::<Vec<_>>().join(" ")
}
