//! Why the service could not start.

use crate::db::OpenError;

/// The service could not start. One line: the cause and, if there is one, the remedy.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database cannot be opened or migrated.
    #[error(transparent)]
    Database(#[from] OpenError),
    /// The keys cannot be read or created.
    #[error("keys: {0}")]
    Keys(String),
    /// The service cannot listen on the address.
    #[error("server.bind {address}: {cause}; stop the program that listens there, or set another address")]
    Bind {
        /// The address.
        address: std::net::SocketAddr,
        /// The system's error.
        cause: std::io::Error,
    },
    /// The service cannot listen on the address for metrics.
    #[error("server.metrics_bind {address}: {cause}; stop the program that listens there, or set another address")]
    BindMetrics {
        /// The address.
        address: std::net::SocketAddr,
        /// The system's error.
        cause: std::io::Error,
    },
    /// The certificate or its key cannot be used.
    #[error("{0}")]
    Tls(String),
    /// `server.root_path` begins like the service's own paths, so requests with and without the prefix look alike.
    #[error("server.root_path {0}: it conflicts with paths of the service; set another prefix")]
    RootPath(String),
    /// The first admin of the settings cannot be created.
    #[error("{0}")]
    Bootstrap(String),
    /// Mails cannot be sent with these settings.
    #[error("{0}")]
    Mail(String),
    /// The system refused a thread or a socket.
    #[error("{0}")]
    System(#[from] std::io::Error),
}
