//! Wrong arguments: clap's report of several paragraphs, as one line.

use std::ffi::OsString;

use clap::Command;
use clap::error::{ContextKind, ErrorKind};

/// What is wrong with the arguments, clap's tips, and which help to read. Omits values that may be a misplaced
/// password.
pub(super) fn explain(error: &clap::Error, program: &Command, arguments: &[OsString]) -> String {
    let mut report = error.to_string();
    let kinds = [ContextKind::InvalidArg, ContextKind::InvalidSubcommand, ContextKind::InvalidValue];
    for value in kinds.into_iter().filter_map(|kind| error.get(kind)).map(ToString::to_string) {
        let is_one_too_many = error.kind() == ErrorKind::UnknownArgument && !value.starts_with('-');
        if is_one_too_many || value.contains("://") {
            report = report.replace(&format!("'{value}' "), "");
        }
    }
    let paragraphs = report.split("\n\n").map(one_line);
    let is_cause = |paragraph: &String| !paragraph.starts_with("Usage:") && !paragraph.starts_with("For more info");
    let causes: Vec<String> = paragraphs.filter(is_cause).collect();
    let cause = causes.join("; ");
    format!("{} (see {} --help)", cause.trim_start_matches("error: "), command_of(program, arguments))
}

fn one_line(paragraph: &str) -> String {
    paragraph.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

/// The command that the arguments name, such as `keyfob user create`.
fn command_of(program: &Command, arguments: &[OsString]) -> String {
    let (mut names, mut command) = (program.get_name().to_owned(), program);
    for argument in arguments.iter().skip(1) {
        let Some(found) = command.find_subcommand(argument) else { break };
        names = format!("{names} {}", found.get_name());
        command = found;
    }
    names
}
