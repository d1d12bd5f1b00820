//! What wraps the server: connections, TLS, limits on what arrives, and what every response carries.

pub(crate) mod connections;
pub(crate) mod conventions;
pub(crate) mod cors;
pub(crate) mod fallback;
pub(crate) mod limits;
pub(crate) mod request_id;
pub(crate) mod root_path;
pub(crate) mod tls;
