//! A bare connection, for requests that no client library would send.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::thread;
use std::time::Duration;

use rustix::net::{AddressFamily, SocketType, bind, connect, socket};

use super::Answer;

/// A connection from an address of this machine that is to be chosen.
#[track_caller]
pub fn connect_from(source: Ipv4Addr, address: &str) -> TcpStream {
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
    bind(&socket, &SocketAddrV4::new(source, 0)).expect("an address of this machine");
    connect(&socket, &address.parse::<SocketAddrV4>().expect("an address")).expect("the server listens");
    socket.into()
}

/// One connection to a server.
pub struct Wire {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Wire {
    #[track_caller]
    pub fn open(address: &str) -> Self {
        Self::on(TcpStream::connect(address).expect("the server listens"))
    }

    #[track_caller]
    pub fn on(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(Duration::from_mins(1))).expect("a read timeout");
        Self { stream, received: Vec::new() }
    }

    /// Sends one request in full on a connection of its own, and reads the answer.
    ///
    /// A server that has seen enough may close while the body is still on its way, so a failed write is no fault.
    #[track_caller]
    pub fn exchange(address: &str, request: &[u8]) -> Answer {
        let mut wire = Self::open(address);
        let mut writer = wire.stream.try_clone().expect("a second handle");
        let bytes = request.to_vec();
        let sending = thread::spawn(move || writer.write_all(&bytes));
        let method = request.split(|&byte| byte == b' ').next().unwrap_or_default();
        let answer = wire.answer(method == b"HEAD");
        drop(wire);
        let _closed_early = sending.join().expect("the writer does not panic");
        let line = request.split(|&byte| byte == b'\r').next().unwrap_or_default();
        Answer { request: String::from_utf8_lossy(line).into_owned(), ..answer }
    }

    #[track_caller]
    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the server reads");
    }

    /// Whether the server takes it.
    pub fn try_send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// Reads one answer; `is_head` says that none of its kind has a body.
    #[track_caller]
    pub fn answer(&mut self, is_head: bool) -> Answer {
        let (status, headers) = self.head();
        let find = |wanted: &str| headers.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.clone());
        let body = if is_head || status < 200 || status == 204 || status == 304 {
            Vec::new()
        } else if find("transfer-encoding").is_some_and(|value| value == "chunked") {
            self.chunks()
        } else if let Some(length) = find("content-length") {
            self.take(length.parse().expect("a length"))
        } else {
            self.rest()
        };
        Answer { request: "a request on the wire".to_owned(), status, headers, body }
    }

    /// Whatever still comes until the server closes; a reset is an end too.
    #[track_caller]
    pub fn until_closed(&mut self) -> Vec<u8> {
        let mut received = std::mem::take(&mut self.received);
        match self.stream.read_to_end(&mut received) {
            Err(fault) if fault.kind() != ErrorKind::ConnectionReset => panic!("it was not closed: {fault}"),
            _ => received,
        }
    }

    /// Sends a byte now and then, until the server does not want any more.
    pub fn drip(&self, byte: u8) {
        let mut writer = self.stream.try_clone().expect("a second handle");
        thread::spawn(move || {
            while writer.write_all(&[byte]).is_ok() {
                thread::sleep(Duration::from_millis(200));
            }
        });
    }

    /// Whether the server has neither sent anything nor closed.
    pub fn is_silent(&self) -> bool {
        self.stream.set_nonblocking(true).expect("a mode");
        let peeked = self.stream.peek(&mut [0]);
        self.stream.set_nonblocking(false).expect("a mode");
        peeked.is_err_and(|fault| fault.kind() == ErrorKind::WouldBlock)
    }

    fn head(&mut self) -> (u16, Vec<(String, String)>) {
        let end = loop {
            if let Some(end) = self.received.windows(4).position(|window| window == b"\r\n\r\n") {
                break end;
            }
            assert!(self.more(), "closed before a whole head: {}", String::from_utf8_lossy(&self.received));
        };
        let head = String::from_utf8_lossy(&self.take(end + 4)).into_owned();
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|word| word.parse().ok());
        let headers = lines.filter_map(|line| line.split_once(':'));
        let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect();
        (status.unwrap_or_else(|| panic!("no status line: {head}")), headers)
    }

    fn chunks(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let line = loop {
                if let Some(end) = self.received.windows(2).position(|window| window == b"\r\n") {
                    break self.take(end + 2);
                }
                assert!(self.more(), "closed inside the chunks");
            };
            let size = usize::from_str_radix(String::from_utf8_lossy(&line).trim(), 16).expect("a chunk size");
            let chunk = self.take(size + 2);
            if size == 0 {
                return body;
            }
            body.extend_from_slice(&chunk[..size]);
        }
    }

    fn take(&mut self, count: usize) -> Vec<u8> {
        while self.received.len() < count {
            assert!(self.more(), "closed inside the body");
        }
        self.received.drain(..count).collect()
    }

    fn rest(&mut self) -> Vec<u8> {
        while self.more() {}
        std::mem::take(&mut self.received)
    }

    /// Reads some more; false at the end.
    fn more(&mut self) -> bool {
        let mut buffer = [0; 8192];
        let count = self.stream.read(&mut buffer).expect("an answer within the deadline");
        self.received.extend_from_slice(&buffer[..count]);
        count > 0
    }
}
