//! PostgreSQL: calls with a deadline, the watch for a primary that has moved, and the read replica.

pub(super) mod call;
pub(super) mod open;
pub(super) mod replica;
pub(super) mod threads;
pub(super) mod watch;
