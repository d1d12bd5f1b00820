//! What all routes share: how bodies are read, how errors look, which headers responses carry.

pub(crate) mod answer;
pub(crate) mod body;
pub(crate) mod caching;
pub(crate) mod error;
pub(crate) mod error_form;
pub(crate) mod etag;
pub(crate) mod failure;
pub(crate) mod language;
pub(crate) mod origin;
pub(crate) mod page;
pub(crate) mod problem;
mod sent;
pub(crate) mod server;
pub(crate) mod shares;

pub use body::{Json, PathId, Query};
pub(crate) use sent::Sent;
