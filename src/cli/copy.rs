//! `keyfob copy`

use super::{CommandError, print, progress};
use crate::config::{DatabaseUrl, Settings};
use crate::db::{self, Progress};

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  PGPASSWORD=... keyfob copy --to postgres://keyfob@db.internal/keyfob
  KEYFOB__DATABASE__URL=postgres://keyfob@db.internal/keyfob keyfob copy --to sqlite://copy.db")]
pub(super) struct Copy {
    /// The empty target database: sqlite://FILE or postgres://USER@HOST:PORT/NAME. The process list shows this URL, so
    /// put a password in PGPASSWORD or ~/.pgpass instead
    // Parsed later: clap's message would repeat a password.
    #[arg(long, value_name = "URL")]
    to: String,
    /// Continue an interrupted copy
    #[arg(long)]
    resume: bool,
}

pub(super) fn copy(copy: &Copy, settings: &Settings) -> Result<(), CommandError> {
    let target: DatabaseUrl = copy.to.parse()?;
    let bar = progress(0);
    let mut observe = |progress: &Progress<'_>| {
        bar.set_length(progress.total);
        bar.set_position(progress.done);
        bar.set_message(progress.table.to_owned());
    };
    let copied = db::copy(&settings.database, &target, copy.resume, &mut observe)?;
    bar.finish_and_clear();
    for table in &copied {
        print(&format!("{}\t{}\tsha256:{}", table.table, table.rows, table.checksum))?;
    }
    let rows: u64 = copied.iter().map(|table| table.rows).sum();
    print(&format!("copied {rows} rows in {} tables to {target}; counts and checksums match", copied.len()))
}
