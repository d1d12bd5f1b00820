//! The head of a request, line by line.

/// Longest line that can matter, in bytes.
const MAX_LINE: usize = 1024;
/// Room for the end of a request line, ` HTTP/1.1`, and for the longest name that matters.
const TAIL: usize = 24;
const NAMES: [&str; 4] = ["connection", "upgrade", "content-length", "transfer-encoding"];

/// What the request's lines so far say.
#[derive(Debug, Default)]
pub(super) struct Head {
    has_request_line: bool,
    is_connect: bool,
    is_http_1_0: bool,
    length: Option<u64>,
    is_chunked: bool,
    is_faulty: bool,
    wants_close: bool,
    wants_keep_alive: bool,
}

/// What to do with the beginning of a line.
pub(super) enum Line {
    /// This many bytes may be passed on. The rest waits for more.
    Wait(usize),
    /// The line may be passed on as it arrives.
    Indifferent,
    /// The line matters and is too long to be valid. It has been made unreadable, so that actix-http answers 400.
    TooLong,
}

impl Head {
    /// Examines a line whose end has not arrived yet.
    pub(super) fn begin_line(&mut self, bytes: &mut [u8]) -> Line {
        if !self.has_request_line {
            self.is_connect = self.is_connect || bytes.starts_with(b"CONNECT ");
            return Line::Wait(if bytes.len() > MAX_LINE { bytes.len().saturating_sub(TAIL) } else { 0 });
        }
        if !may_matter(bytes) {
            return Line::Indifferent;
        }
        match bytes.len() > MAX_LINE {
            true => {
                bytes.fill(0);
                Line::TooLong
            }
            false => Line::Wait(0),
        }
    }

    /// Reads a whole line; true at the end of the head.
    pub(super) fn read_line(&mut self, line: &mut [u8]) -> bool {
        if line.first().is_none_or(u8::is_ascii_whitespace) && line.trim_ascii().is_empty() {
            // Skip empty lines before a request (RFC 9112 §2.2).
            return self.has_request_line;
        }
        if !self.has_request_line {
            let text = line.trim_ascii_end();
            self.has_request_line = true;
            self.is_connect = self.is_connect || text.starts_with(b"CONNECT ");
            self.is_http_1_0 = text.ends_with(b" HTTP/1.0");
            return false;
        }
        // The names that matter are told apart by their lengths.
        let is_name = |known: &&str| line.get(known.len()) == Some(&b':');
        let Some(name) = NAMES.into_iter().find(is_name) else { return false };
        let Some((start, value)) = line.split_at_mut_checked(name.len()) else { return false };
        let Some(value) = value.get_mut(1..) else { return false };
        match Some(name).filter(|name| start.eq_ignore_ascii_case(name.as_bytes())) {
            Some("connection") => self.read_connection(value),
            Some("upgrade") => blank(value),
            Some("content-length") => self.read_length(value),
            Some(_) => self.read_transfer_encoding(value),
            None => {}
        }
        false
    }

    fn read_connection(&mut self, value: &mut [u8]) {
        for option in value.split_mut(|byte| *byte == b',') {
            let name = option.trim_ascii();
            self.wants_close |= name.eq_ignore_ascii_case(b"close");
            self.wants_keep_alive |= name.eq_ignore_ascii_case(b"keep-alive");
            if name.eq_ignore_ascii_case(b"upgrade") {
                blank(option);
            }
        }
    }

    fn read_length(&mut self, value: &[u8]) {
        let text = std::str::from_utf8(value).map(str::trim).unwrap_or_default();
        let length = text.parse().ok().filter(|_| !text.starts_with('+'));
        self.is_faulty |= length.is_none() || self.length.is_some();
        self.length = length;
    }

    fn read_transfer_encoding(&mut self, value: &[u8]) {
        self.is_faulty |= self.is_chunked || !value.trim_ascii().eq_ignore_ascii_case(b"chunked");
        self.is_chunked = true;
    }

    /// Whether actix-http answers 400, because two servers could read the head in two ways.
    pub(super) fn is_faulty(&self) -> bool {
        self.is_faulty || (self.is_chunked && (self.length.is_some() || self.is_http_1_0))
    }

    pub(super) const fn is_chunked(&self) -> bool {
        self.is_chunked
    }

    pub(super) const fn is_connect(&self) -> bool {
        self.is_connect
    }

    pub(super) fn length(&self) -> u64 {
        self.length.unwrap_or_default()
    }

    /// Whether this is the connection's last request.
    pub(super) const fn closes(&self) -> bool {
        self.wants_close || (self.is_http_1_0 && !self.wants_keep_alive)
    }
}

/// Whether this can begin a line that matters, or the empty line.
fn may_matter(bytes: &[u8]) -> bool {
    if bytes == b"\r" {
        return true;
    }
    let name = bytes.split(|byte| *byte == b':').next().unwrap_or_default();
    let has_name = name.len() < bytes.len();
    NAMES.into_iter().map(str::as_bytes).any(|known| match has_name {
        true => name.eq_ignore_ascii_case(known),
        false => known.get(..name.len()).is_some_and(|start| name.eq_ignore_ascii_case(start)),
    })
}

/// Overwrites everything except the end of the line.
fn blank(value: &mut [u8]) {
    value.iter_mut().filter(|byte| !matches!(byte, b'\r' | b'\n')).for_each(|byte| *byte = b' ');
}
