//! A connection that passes on to actix-http one request at a time, and no request for an upgrade.
//!
//! actix-http 3.20 by itself reads `Connection: upgrade` as a promise to switch protocols: it repeats it in the
//! response and closes, and reads the body of a request with `Upgrade: websocket` without an end. RFC 9110 §7.8 lets a
//! server ignore protocols that it does not speak. actix-http also begins request after request while the client reads
//! no responses, and keeps all of them; and the last request that it has seen decides whether an earlier response says
//! `close`.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use actix_tls::accept::rustls_0_23::TlsStream;
use actix_web::rt::net::TcpStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::framing::Framing;

/// Bytes to read of further requests while one is being answered: enough to notice that a client has hung up.
const MAX_AHEAD: usize = 4096;
/// Bytes to pass on before other connections get a turn. actix-http keeps them until the request takes them.
const MAX_AT_ONCE: usize = 16 * 1024;
/// The same for a chunked body. actix-http keeps a list of chunks, and may need 32 bytes for each.
const MAX_OF_CHUNKS: usize = 4096;

/// A connection to a client.
#[derive(Debug)]
pub(crate) struct Conversation<T> {
    io: T,
    framing: Framing,
    /// Bytes that have arrived and are not passed on yet.
    ahead: Vec<u8>,
    has_ended: bool,
    /// Bytes passed on since the reader last had to wait.
    passed: usize,
    /// Whether written bytes may not have left yet.
    is_unsent: bool,
    turn: Rc<Turn>,
}

/// Whether the connection is answering a request.
#[derive(Default)]
pub(crate) struct Turn {
    is_taken: Cell<bool>,
    /// The reader that waits for the next request.
    waiting: Cell<Option<Waker>>,
}

/// A request in progress; dropped when its response has been handed to actix-http.
#[derive(Debug)]
pub(crate) struct Answering(Rc<Turn>);

/// A connection that runs over TCP.
pub(crate) trait OverTcp {
    fn tcp(&self) -> &TcpStream;
}

impl OverTcp for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl OverTcp for TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}

impl<T: OverTcp> OverTcp for Conversation<T> {
    fn tcp(&self) -> &TcpStream {
        self.io.tcp()
    }
}

impl std::fmt::Debug for Turn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Turn").field("is_taken", &self.is_taken).finish_non_exhaustive()
    }
}

impl Turn {
    /// A guard to hold until the present request is answered.
    pub(crate) fn answering(self: &Rc<Self>) -> Answering {
        Answering(Rc::clone(self))
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.is_taken.set(false);
        if let Some(waker) = self.0.waiting.take() {
            waker.wake();
        }
    }
}

impl<T> Conversation<T> {
    pub(super) fn new(io: T) -> Self {
        let turn = Rc::default();
        Self { io, framing: Framing::new(), ahead: Vec::new(), has_ended: false, passed: 0, is_unsent: false, turn }
    }

    pub(super) fn turn(&self) -> Rc<Turn> {
        Rc::clone(&self.turn)
    }

    /// Whether bytes may be passed on: the next request waits until the previous response has left.
    fn may_pass(&self) -> bool {
        !self.framing.is_between() || !(self.turn.is_taken.get() || self.is_unsent)
    }

    /// The number of these bytes that may go to actix-http now.
    fn pass(&mut self, bytes: &mut [u8]) -> usize {
        let begins = self.framing.is_between();
        let count = self.framing.pass(bytes);
        if begins && count > 0 {
            self.turn.is_taken.set(true);
        }
        self.passed += count;
        count
    }

    /// Passes on the bytes that were kept back.
    fn pass_ahead(&mut self, buf: &mut ReadBuf<'_>) -> usize {
        let mut ahead = std::mem::take(&mut self.ahead);
        let room = ahead.len().min(buf.remaining());
        let count = ahead.get_mut(..room).map_or(0, |bytes| self.pass(bytes));
        buf.put_slice(ahead.get(..count).unwrap_or_default());
        ahead.drain(..count);
        if !ahead.is_empty() {
            self.ahead = ahead;
        }
        count
    }

    fn limit(&self) -> usize {
        if self.framing.is_chunked() { MAX_OF_CHUNKS } else { MAX_AT_ONCE }
    }
}

impl<T: AsyncRead + Unpin> Conversation<T> {
    /// Reads into the caller's own buffer and keeps back the bytes that it may not have yet.
    fn poll_through(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<usize>> {
        let before = buf.filled().len();
        std::task::ready!(Pin::new(&mut self.io).poll_read(cx, buf))?;
        self.has_ended = buf.filled().len() == before;
        let fresh = buf.filled_mut().get_mut(before..).unwrap_or_default();
        let count = self.pass(fresh);
        if let Some(rest) = fresh.get(count..).filter(|rest| !rest.is_empty()) {
            self.ahead.extend_from_slice(rest);
        }
        buf.set_filled(before + count);
        Poll::Ready(Ok(count))
    }

    /// Reads bytes that may not be passed on yet.
    fn poll_ahead(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut bytes = [std::mem::MaybeUninit::uninit(); MAX_AHEAD];
        let mut more = ReadBuf::uninit(&mut bytes);
        std::task::ready!(Pin::new(&mut self.io).poll_read(cx, &mut more))?;
        self.has_ended = more.filled().is_empty();
        if !self.framing.is_over() {
            self.ahead.extend_from_slice(more.filled());
        }
        Poll::Ready(Ok(()))
    }

    fn wait(&mut self, cx: &Context<'_>) {
        self.passed = 0;
        if !self.ahead.is_empty() {
            self.turn.waiting.set(Some(cx.waker().clone()));
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Conversation<T> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.passed >= this.limit() {
            this.passed = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        loop {
            if this.framing.is_over() {
                this.ahead = Vec::new();
            }
            let may_pass = this.may_pass();
            if may_pass && !this.ahead.is_empty() && this.pass_ahead(buf) > 0 {
                return Poll::Ready(Ok(()));
            }
            if this.has_ended {
                return Poll::Ready(Ok(()));
            }
            let read = match may_pass && this.ahead.is_empty() && !this.framing.is_over() {
                true => this.poll_through(cx, buf)?,
                false if !may_pass && this.ahead.len() >= MAX_AHEAD => Poll::Pending,
                false => this.poll_ahead(cx)?.map(|()| 0),
            };
            match read {
                Poll::Ready(0) => {}
                Poll::Ready(_) => return Poll::Ready(Ok(())),
                Poll::Pending => {
                    this.wait(cx);
                    return Poll::Pending;
                }
            }
        }
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Conversation<T> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.is_unsent = true;
        Pin::new(&mut this.io).poll_write(cx, bytes)
    }

    /// actix-http flushes once it has written everything.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        std::task::ready!(Pin::new(&mut this.io).poll_flush(cx))?;
        if this.is_unsent {
            this.is_unsent = false;
            if !this.ahead.is_empty() {
                cx.waker().wake_by_ref();
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }
}
