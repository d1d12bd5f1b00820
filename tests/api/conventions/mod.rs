//! Contract, "Conventions": what holds on every route that is no OAuth endpoint.

mod bodies;
mod faults;
mod order;
mod request_ids;
mod routes;

use crate::support::{Actor, Answer, Server, Wire};

/// The default of `server.max_body_bytes`.
const MAX_BODY_BYTES: usize = 262_144;

/// Someone who has written one post, and its path for `{own}`.
fn author(server: &Server) -> (Actor, String) {
    let bob = server.sign_up("bob@example.com");
    let own = bob.write_post("mine");
    (bob, own)
}

/// How the end of a body is told.
#[derive(Clone, Copy)]
enum Framing {
    Length,
    Chunked,
}

/// The text, followed by blanks, so many bytes in all.
fn padded(text: &str, bytes: usize) -> Vec<u8> {
    let mut body = text.as_bytes().to_vec();
    body.resize(bytes, b' ');
    body
}

/// Sends a request with this body as it stands; `line` is method and path, `headers` are whole lines.
#[track_caller]
fn upload(server: &Server, line: &str, headers: &str, body: &[u8], framing: Framing) -> Answer {
    let mut request = format!("{line} HTTP/1.1\r\nhost: {}\r\n{headers}", server.address).into_bytes();
    match framing {
        Framing::Length => {
            request.extend_from_slice(format!("content-length: {}\r\n\r\n", body.len()).as_bytes());
            request.extend_from_slice(body);
        }
        Framing::Chunked => {
            request.extend_from_slice(b"transfer-encoding: chunked\r\n\r\n");
            for chunk in body.chunks(10_000) {
                request.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                request.extend_from_slice(chunk);
                request.extend_from_slice(b"\r\n");
            }
            request.extend_from_slice(b"0\r\n\r\n");
        }
    }
    Wire::exchange(&server.address, &request)
}
