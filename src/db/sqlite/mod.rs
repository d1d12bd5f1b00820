//! SQLite: the one writer, reads that share a snapshot, and the journal.

pub(super) mod journal;
pub(super) mod open;
pub(super) mod snapshot;
pub(super) mod writer;
