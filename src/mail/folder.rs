//! Mails as files, where there is no mail server.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::kind::Kind;
use crate::db::{Id, Timestamp};

/// Writes a mail that only the service's user can read. Whoever watches the folder sees it once it is whole.
pub(super) fn write(folder: &Path, kind: Kind, id: Id, bytes: &[u8], now: Timestamp) -> io::Result<PathBuf> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    private_folder(&mut builder).create(folder)?;
    let time = now.to_fixed_width().as_str().replace(':', "-");
    let name = format!("{time}-{}-{id}.eml", kind.as_str());
    let unfinished = folder.join(format!(".{name}.unfinished"));
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    let mut file = private_file(&mut options).open(&unfinished)?;
    file.write_all(bytes)?;
    // It counts as sent from now on, so it must survive a power cut.
    file.sync_all()?;
    let path = folder.join(name);
    fs::rename(&unfinished, &path)?;
    Ok(path)
}

#[cfg(unix)]
fn private_folder(builder: &mut DirBuilder) -> &DirBuilder {
    use std::os::unix::fs::DirBuilderExt;
    builder.mode(0o700)
}

#[cfg(not(unix))]
fn private_folder(builder: &mut DirBuilder) -> &DirBuilder {
    builder
}

#[cfg(unix)]
fn private_file(options: &mut OpenOptions) -> &OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    options.mode(0o600)
}

#[cfg(not(unix))]
fn private_file(options: &mut OpenOptions) -> &OpenOptions {
    options
}
