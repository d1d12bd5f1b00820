//! `keyfob user import`

mod csv;
mod source;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use indicatif::ProgressBar;
use serde_json::Value;

use super::{CommandError, note, open_accounts, print, progress};
use crate::accounts::import::{ForeignId, ForeignUser, import_users};
use crate::accounts::store::{ImportedUser, update_next_id};
use crate::config::Settings;
use crate::db::{Db, Id, StoreError, Timestamp};
use crate::fields::{Fault, Field, Fields};
use source::{Record, Source};

/// Accounts per transaction.
const BATCH: usize = 500;
/// Tries for each batch, in case others sign up with its addresses at the same moment.
const MAX_TRIES: u32 = 5;

#[derive(clap::Args)]
#[command(after_long_help = "\
The columns (in JSONL: the members of each line's object) are email, password_hash, full_name, is_active, is_admin,
email_verified and id; the first two are required. Password hashes may be bcrypt ($2a$, $2b$, $2x$, $2y$), passlib's
$bcrypt-sha256$, Django's bcrypt$, bcrypt_sha256$ and pbkdf2_sha256$, and $argon2id$. The account's first login replaces
its hash by bcrypt. An $argon2id$ hash that takes more than 128 MiB is refused. Refused rows are reported with their
line; all others are imported. Running the import again is harmless, because existing accounts are refused. Ids of
accounts that were deleted here are refused too: no id is reused.

Examples:
  keyfob user import users.csv --dry-run
  keyfob user import users.jsonl")]
pub(super) struct Import {
    /// The file, in UTF-8: .csv with a header, or .jsonl with one JSON object a line
    file: PathBuf,
    /// Check the rows and report, but import nothing
    #[arg(long)]
    dry_run: bool,
}

/// What the first pass learns about the file.
#[derive(Default)]
struct Survey {
    rows: u64,
    largest_id: Option<Id>,
}

/// A running import.
struct Run {
    db: Db,
    is_dry_run: bool,
    now: Timestamp,
    /// The line on which each address or id was seen.
    emails: HashMap<String, u64>,
    ids: HashMap<Id, u64>,
    /// The rows to write next, and the refusals among them.
    users: Vec<(u64, ImportedUser)>,
    refusals: Vec<(u64, String)>,
    imported: u64,
    refused: u64,
    bar: ProgressBar,
}

pub(super) async fn import(import: Import, settings: &Settings) -> Result<(), CommandError> {
    let survey = survey(&import.file)?;
    let mut source = Source::open(&import.file).map_err(CommandError::Refused)?;
    let mut run = Run::new(open_accounts(settings).await?.without_end(), import.dry_run, survey.rows);
    // Before the first row without an id, which must not get the id of a later row.
    if let (false, Some(last)) = (import.dry_run, survey.largest_id) {
        run.db.write(move |conn| update_next_id(conn, last)).await?;
    }
    while let Some(record) = source.next()? {
        run.add(record);
        if run.users.len() >= BATCH {
            run.keep().await?;
        }
    }
    run.keep().await?;
    run.bar.finish_and_clear();
    if !source.ignored().is_empty() {
        let names: Vec<String> = source.ignored().iter().map(|name| shown(name)).collect();
        note(&format!("note: ignored columns: {}", names.join(", ")));
    }
    let verb = if run.is_dry_run { "would import" } else { "imported" };
    print(&format!("{verb} {}, refused {}", run.imported, run.refused))?;
    if run.refused > 0 { Err(CommandError::Reported) } else { Ok(()) }
}

/// The name of a column. If a program mistook a row for the header, it may be an address or a hash.
fn shown(name: &str) -> String {
    const LONGEST_CHARS: usize = 40;
    match name.contains(['$', '@']) || name.chars().count() > LONGEST_CHARS {
        true => "(one that looks like a value)".to_owned(),
        false => name.escape_debug().to_string(),
    }
}

/// Reads the file once, looking only at the ids.
fn survey(path: &Path) -> Result<Survey, CommandError> {
    let mut source = Source::open(path).map_err(CommandError::Refused)?;
    let mut survey = Survey::default();
    while let Some(record) = source.next()? {
        survey.rows += 1;
        let values = record.values.unwrap_or_default();
        let id = ForeignId::parse_field(values.get("id").unwrap_or(&Value::Null)).ok();
        survey.largest_id = survey.largest_id.max(id.map(|id| id.0));
    }
    Ok(survey)
}

impl Run {
    fn new(db: Db, is_dry_run: bool, rows: u64) -> Self {
        Self {
            db,
            is_dry_run,
            now: Timestamp::now(),
            emails: HashMap::new(),
            ids: HashMap::new(),
            users: Vec::new(),
            refusals: Vec::new(),
            imported: 0,
            refused: 0,
            bar: progress(rows),
        }
    }

    /// Adds a row to the batch, or refuses it.
    fn add(&mut self, record: Record) {
        let line = record.line;
        let read = |values| Fields::new("row", values).read::<ForeignUser>().map_err(|faults| summary(&faults));
        match record.values.and_then(read).and_then(|user| self.claim(user, line)) {
            Ok(user) => self.users.push((line, user.into_row(self.now))),
            Err(fault) => self.refuse(line, fault),
        }
    }

    /// Records the address and id of a row, unless an earlier row has them.
    fn claim(&mut self, user: ForeignUser, line: u64) -> Result<ForeignUser, String> {
        let key = user.email.key();
        if let Some(first) = self.emails.get(&key) {
            return Err(format!("email: line {first} has it already"));
        }
        if let Some(first) = user.id.and_then(|id| self.ids.get(&id)) {
            return Err(format!("id: line {first} has it already"));
        }
        self.emails.insert(key, line);
        self.ids.extend(user.id.map(|id| (id, line)));
        Ok(user)
    }

    fn refuse(&mut self, line: u64, fault: String) {
        self.refused += 1;
        self.refusals.push((line, fault));
    }

    /// Writes the batch in one transaction and reports what was refused.
    async fn keep(&mut self) -> Result<(), CommandError> {
        let (lines, users): (Vec<u64>, Vec<ImportedUser>) = std::mem::take(&mut self.users).into_iter().unzip();
        let outcomes = self.write(Arc::new(users)).await?;
        for (line, fault) in lines.into_iter().zip(outcomes) {
            match fault {
                Some(fault) => self.refuse(line, fault.to_owned()),
                None => self.imported += 1,
            }
        }
        self.refusals.sort_unstable();
        self.bar.suspend(|| {
            for (line, fault) in self.refusals.drain(..) {
                note(&format!("line {line}: {fault}"));
            }
        });
        self.bar.set_position(self.imported + self.refused);
        Ok(())
    }

    /// For each account the reason why it was refused, if it was.
    async fn write(&self, users: Arc<Vec<ImportedUser>>) -> Result<Vec<Option<&'static str>>, StoreError> {
        let is_dry_run = self.is_dry_run;
        let mut tries_left = MAX_TRIES;
        loop {
            let users = Arc::clone(&users);
            tries_left -= 1;
            match self.db.write(move |conn| import_users(conn, &users, is_dry_run)).await {
                Err(StoreError::Taken) if tries_left > 0 => {}
                result => return result,
            }
        }
    }
}

/// The faults of a row in one line.
fn summary(faults: &[Fault]) -> String {
    let column = |fault: &Fault| fault.loc.last().cloned().unwrap_or_default();
    faults.iter().map(|fault| format!("{}: {}", column(fault), fault.msg)).collect::<Vec<_>>().join("; ")
}
