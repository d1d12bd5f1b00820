//! What every route has in common: how bodies are read, how errors look, which headers every response carries.

pub(crate) mod answer;
pub(crate) mod body;
pub(crate) mod connections;
pub(crate) mod conventions;
pub(crate) mod cors;
pub(crate) mod etag;
pub(crate) mod fallback;
pub(crate) mod limits;
pub(crate) mod origin;
pub(crate) mod problem;
pub(crate) mod request_id;
pub(crate) mod root_path;
pub(crate) mod server;
pub(crate) mod shares;
pub(crate) mod tls;

pub use body::{Json, PathId, Query};
