//! What wraps the server: connections, TLS, limits on requests, and the headers of every response.

pub(crate) mod connections;
pub(crate) mod conventions;
mod conversation;
pub(crate) mod cors;
pub(crate) mod fallback;
mod framing;
pub(crate) mod limits;
pub(crate) mod request_id;
pub(crate) mod root_path;
mod serving;
pub(crate) mod tls;

pub(crate) use conversation::Answering;
pub(crate) use serving::Serving;
