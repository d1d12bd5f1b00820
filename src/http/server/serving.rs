//! The server: HTTP/1.1, over TCP or TLS, one request at a time on each connection.
//!
//! actix-web's `HttpServer` accepts only its own connections. HTTP/2 is not offered: actix-http 3.20 limits neither the
//! streams of a connection nor what it keeps for them.

use std::fmt::Debug;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_http::body::MessageBody;
use actix_http::error::DispatchError;
use actix_http::{HttpService, Request};
use actix_server::GracefulShutdownSignal;
use actix_service::{IntoServiceFactory, Service, ServiceFactory, ServiceFactoryExt, map_config};
use actix_tls::accept::max_concurrent_tls_connect;
use actix_tls::accept::rustls_0_23::{Acceptor, TlsStream};
use actix_web::Error;
use actix_web::dev::{AppConfig, Extensions, Server, ServiceResponse, fn_service};
use actix_web::rt::net::TcpStream;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};

use super::connections::Connections;
use super::conversation::{Conversation, OverTcp};

/// The protocol offered in a TLS handshake.
const ALPN: &[u8] = b"http/1.1";
/// Bytes to write at once. A connection whose client reads nothing holds this much, and one piece of a body.
const WRITE_BUFFER: usize = 16 * 1024;

/// How long the client of a closing connection may still send, so that it reads the response first.
const LINGER: Duration = Duration::from_secs(1);

/// How the service is served.
pub(crate) struct Serving {
    pub listener: TcpListener,
    pub tls: Option<ServerConfig>,
    pub workers: usize,
    pub connections_per_worker: usize,
    /// Time for the head of a connection's first request.
    pub request_time: Duration,
    pub keep_alive: Duration,
    pub shutdown_seconds: u64,
    pub connections: Arc<Connections>,
}

/// A connection and its peer's address.
type Accepted<T> = (Conversation<T>, Option<SocketAddr>);

/// What a worker's connections share.
#[derive(Clone)]
struct Protocol {
    request_time: Duration,
    keep_alive: Duration,
    connections: Arc<Connections>,
    ends: GracefulShutdownSignal,
}

impl Serving {
    /// The listening address, and the server, which runs once it is polled.
    ///
    /// # Errors
    /// When the system refuses to listen.
    pub(crate) fn start<F, A, S, B>(self, app: F) -> std::io::Result<(SocketAddr, Server)>
    where
        F: Fn() -> A + Clone + Send + 'static,
        A: IntoServiceFactory<S, Request>,
        S: ServiceFactory<Request, Config = AppConfig, Response = ServiceResponse<B>, Error = Error> + 'static,
        S::InitError: Debug,
        <S::Service as Service<Request>>::Future: 'static,
        B: MessageBody + 'static,
    {
        let address = self.listener.local_addr()?;
        // A worker accepts nothing more while this many connections are still in their handshake: 256 by default
        // (actix-tls 3.6), which a single client can hold up for 3 s by sending nothing.
        max_concurrent_tls_connect(self.connections_per_worker);
        let builder = Server::build()
            .workers(self.workers)
            .max_concurrent_connections(self.connections_per_worker)
            .shutdown_timeout(self.shutdown_seconds);
        let ends = builder.graceful_shutdown_signal();
        let Self { request_time, keep_alive, connections, .. } = self;
        let protocol = Protocol { request_time, keep_alive, connections, ends };
        let builder = match self.tls {
            Some(tls) => builder
                .listen("https", self.listener, move || over_tls(tls.clone()).and_then(protocol.clone().serve(app()))),
            None => builder.listen("http", self.listener, move || over_tcp().and_then(protocol.clone().serve(app()))),
        };
        Ok((address, builder?.run()))
    }
}

impl Protocol {
    /// HTTP/1.1 over TCP or TLS.
    fn serve<T, A, S, B>(
        self,
        app: A,
    ) -> impl ServiceFactory<Accepted<T>, Config = (), Response = (), Error = DispatchError, InitError = ()>
    where
        T: AsyncRead + AsyncWrite + OverTcp + Unpin + 'static,
        A: IntoServiceFactory<S, Request>,
        S: ServiceFactory<Request, Config = AppConfig, Response = ServiceResponse<B>, Error = Error> + 'static,
        S::InitError: Debug,
        <S::Service as Service<Request>>::Future: 'static,
        B: MessageBody + 'static,
    {
        let Self { request_time, keep_alive, connections, ends } = self;
        // Only `ConnectionInfo` reads it. That trusts any client's headers and is not used here.
        let app = map_config(app.into_factory().map_err(|error| error.error_response()), |()| AppConfig::default());
        HttpService::build()
            .graceful_shutdown_signal(move || {
                let ends = ends.clone();
                async move { ends.notified().await }
            })
            // Treat the end of what a client sends as hanging up. Otherwise a client that has hung up would be noticed
            // only when its response is written, after the work is done.
            .h1_allow_half_closed(false)
            .h1_write_buffer_size(WRITE_BUFFER)
            // Only for a connection's first request (actix-http 3.20); it is also the time limit for its arrival.
            .client_request_timeout(request_time)
            .client_disconnect_timeout(LINGER)
            .keep_alive(keep_alive)
            .on_connect_ext(move |connection: &Conversation<T>, extensions: &mut Extensions| {
                extensions.insert(connection.turn());
                connections.admit(connection.tcp(), extensions);
            })
            .h1(app)
    }
}

fn over_tcp()
-> impl ServiceFactory<TcpStream, Config = (), Response = Accepted<TcpStream>, Error = DispatchError, InitError = ()> {
    fn_service(async |stream: TcpStream| Ok(accepted(stream)))
}

fn over_tls(
    mut config: ServerConfig,
) -> impl ServiceFactory<
    TcpStream,
    Config = (),
    Response = Accepted<TlsStream<TcpStream>>,
    Error = DispatchError,
    InitError = (),
> {
    config.alpn_protocols = vec![ALPN.to_vec()];
    // A client that fails the handshake needs no report: the error only ends the connection.
    Acceptor::new(config).map_err(|_| DispatchError::DisconnectTimeout).map(accepted)
}

fn accepted<T: OverTcp>(stream: T) -> Accepted<T> {
    let peer = stream.tcp().peer_addr().ok();
    (Conversation::new(stream), peer)
}
