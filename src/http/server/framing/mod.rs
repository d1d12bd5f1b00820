//! Finds where one HTTP/1.1 request ends and the next begins, and which bytes of a head ask for an upgrade.
//!
//! actix-http 3.20 parses the requests; this module only follows along, by the same rules. It overwrites bytes but
//! never adds or removes any, so it cannot move the end of a request.

mod head;

use head::{Head, Line};

/// The position within the connection's requests.
#[derive(Debug)]
pub(super) struct Framing(At);

#[derive(Debug)]
enum At {
    /// No byte of the next request has been seen.
    Between,
    Head(Head),
    /// In a line of the head that does not matter here.
    Middle(Head),
    /// In a body, with this many bytes to come.
    Body(u64, Next),
    /// In the line with the size of a chunk.
    Size {
        bytes: u64,
        is_done: bool,
        next: Next,
    },
    /// Between the end of a chunk and the next size.
    ChunkEnd(Next),
    /// After the last chunk: in or at the start of a trailer line, perhaps after a CR there.
    Trailer {
        in_line: bool,
        has_cr: bool,
        next: Next,
    },
    /// CONNECT: all further bytes belong to this request.
    Open,
    /// Nothing more is read: the client said so, or its bytes cannot be parsed.
    Over,
}

/// What follows a body.
#[derive(Clone, Copy, Debug)]
enum Next {
    Request,
    Nothing,
    /// The next chunk, and what follows the last one.
    Chunk {
        closes: bool,
    },
}

impl Next {
    fn after(closes: bool) -> Self {
        if closes { Self::Nothing } else { Self::Request }
    }
}

impl Framing {
    pub(super) const fn new() -> Self {
        Self(At::Between)
    }

    /// Whether the next byte begins a request.
    pub(super) const fn is_between(&self) -> bool {
        matches!(self.0, At::Between)
    }

    /// Whether nothing more will be passed on.
    pub(super) const fn is_over(&self) -> bool {
        matches!(self.0, At::Over)
    }

    /// Whether the present body is chunked.
    pub(super) const fn is_chunked(&self) -> bool {
        matches!(self.0, At::Size { .. } | At::ChunkEnd(_) | At::Body(_, Next::Chunk { .. }))
    }

    /// The number of these bytes that belong to the present request and may be passed on. Pass the others again,
    /// followed by more.
    pub(super) fn pass(&mut self, bytes: &mut [u8]) -> usize {
        let mut passed = 0;
        while let Some(rest) = bytes.get_mut(passed..).filter(|rest| !rest.is_empty()) {
            let count = self.step(rest);
            passed += count;
            if count == 0 || self.is_between() || self.is_over() {
                break;
            }
        }
        passed
    }

    /// Advances as far as the present state reaches.
    fn step(&mut self, bytes: &mut [u8]) -> usize {
        let here = std::mem::replace(&mut self.0, At::Over);
        let (count, next) = match here {
            At::Between => read_head(Head::default(), bytes),
            At::Head(head) => read_head(head, bytes),
            At::Middle(head) => match line_end(bytes) {
                Some(end) => (end, At::Head(head)),
                None => (bytes.len(), At::Middle(head)),
            },
            At::Body(left, next) => read_body(left, next, bytes.len()),
            At::Size { bytes: size, is_done, next } => read_size(size, is_done, next, bytes),
            At::ChunkEnd(next) => match line_end(bytes) {
                Some(end) => (end, At::Size { bytes: 0, is_done: false, next }),
                None => (bytes.len(), At::ChunkEnd(next)),
            },
            At::Trailer { in_line, has_cr, next } => read_trailer(in_line, has_cr, next, bytes),
            At::Open => (bytes.len(), At::Open),
            At::Over => (0, At::Over),
        };
        self.0 = next;
        count
    }
}

fn line_end(bytes: &[u8]) -> Option<usize> {
    memchr::memchr(b'\n', bytes).map(|at| at + 1)
}

fn read_head(mut head: Head, bytes: &mut [u8]) -> (usize, At) {
    let mut read = 0;
    while let Some(rest) = bytes.get_mut(read..).filter(|rest| !rest.is_empty()) {
        let Some(line) = line_end(rest).and_then(|end| rest.get_mut(..end)) else {
            return match head.begin_line(rest) {
                Line::Wait(passed) => (read + passed, At::Head(head)),
                Line::Indifferent => (bytes.len(), At::Middle(head)),
                Line::TooLong => (bytes.len(), At::Over),
            };
        };
        read += line.len();
        if head.read_line(line) {
            return (read, body_of(&head));
        }
    }
    (read, At::Head(head))
}

/// What follows the head.
fn body_of(head: &Head) -> At {
    let closes = head.closes();
    match head.length() {
        _ if head.is_faulty() => At::Over,
        _ if head.is_chunked() => At::Size { bytes: 0, is_done: false, next: Next::Chunk { closes } },
        0 if head.is_connect() => At::Open,
        0 => end(Next::after(closes)),
        bytes => At::Body(bytes, Next::after(closes)),
    }
}

fn end(next: Next) -> At {
    match next {
        Next::Request => At::Between,
        Next::Nothing => At::Over,
        Next::Chunk { .. } => At::ChunkEnd(next),
    }
}

fn read_body(left: u64, next: Next, available: usize) -> (usize, At) {
    match usize::try_from(left) {
        Ok(left) if left <= available => (left, end(next)),
        _ => (available, At::Body(left.saturating_sub(available as u64), next)),
    }
}

fn read_size(mut size: u64, mut is_done: bool, next: Next, bytes: &[u8]) -> (usize, At) {
    for (at, byte) in bytes.iter().enumerate() {
        let digit = char::from(*byte).to_digit(16).filter(|_| !is_done);
        match (digit, byte) {
            (Some(digit), _) => match size.checked_mul(16) {
                Some(more) => size = more + u64::from(digit),
                None => return (at + 1, At::Over),
            },
            (None, b'\n') if size == 0 => return (at + 1, At::Trailer { in_line: false, has_cr: false, next }),
            (None, b'\n') => return (at + 1, At::Body(size, next)),
            (None, _) => is_done = true,
        }
    }
    (bytes.len(), At::Size { bytes: size, is_done, next })
}

fn read_trailer(mut in_line: bool, mut has_cr: bool, next: Next, bytes: &[u8]) -> (usize, At) {
    let closes = matches!(next, Next::Chunk { closes: true });
    for (at, byte) in bytes.iter().enumerate() {
        match (has_cr, byte) {
            (true, b'\n') if !in_line => return (at + 1, end(Next::after(closes))),
            (true, b'\n') => (in_line, has_cr) = (false, false),
            (true, _) => return (at + 1, At::Over),
            (false, b'\r') => has_cr = true,
            // A bare LF also begins a line, as in actix-http.
            (false, _) => in_line = true,
        }
    }
    (bytes.len(), At::Trailer { in_line, has_cr, next })
}

#[cfg(test)]
mod tests;
