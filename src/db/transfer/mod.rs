//! Copies whole databases to another back end, and backs them up.

pub(super) mod backup;
mod catalog;
pub(super) mod copy;
mod rows;
pub(super) mod unfinished;
