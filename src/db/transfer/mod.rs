//! Whole databases: copied to another back end, and backed up.

pub(super) mod backup;
mod catalog;
pub(super) mod copy;
mod rows;
pub(super) mod unfinished;
