//! `keyfob backup`

use std::path::PathBuf;

use super::{CommandError, print};
use crate::config::Settings;
use crate::db::backup;

#[derive(clap::Args)]
#[command(after_help = "Example:\n  keyfob backup /var/backups/keyfob-2026-11-22.db")]
pub(super) struct Backup {
    /// The file to write; it must not exist yet
    file: PathBuf,
}

pub(super) fn run(arguments: &Backup, settings: &Settings) -> Result<(), CommandError> {
    let made = backup(&settings.database, &arguments.file)?;
    for (table, rows) in &made.tables {
        print(&format!("{table}\t{rows}"))?;
    }
    let (bytes, file) = (made.bytes, arguments.file.display());
    print(&format!("backed up {} to {file} ({bytes} bytes); verified and synced to disk", settings.database.url))
}
