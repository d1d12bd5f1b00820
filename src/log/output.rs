//! Writes the lines: a thread writes them in batches, so that no request needs a system call of its own.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

/// How long lines gather before they are written. `kill -9` loses that much.
const GATHER: Duration = Duration::from_millis(10);
/// Most bytes that may wait to be written; then logging blocks until the log's reader has caught up.
const MAX_WAITING: usize = 1024 * 1024;

/// The writing thread. Dropping it writes everything first.
#[derive(Debug)]
pub(crate) struct Output {
    lines: Lines,
    thread: Option<JoinHandle<()>>,
}

/// The sending end of the log.
#[derive(Clone, Debug, Default)]
pub(super) struct Lines(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    text: Vec<u8>,
    is_closed: bool,
}

impl Output {
    /// # Errors
    /// If the system refuses a thread.
    pub(super) fn start(to: impl Write + Send + 'static) -> io::Result<Self> {
        let lines = Lines::default();
        let shared = Arc::clone(&lines.0);
        let thread = std::thread::Builder::new().name("keyfob-log".into()).spawn(move || shared.write_all(to))?;
        Ok(Self { lines, thread: Some(thread) })
    }

    pub(super) fn lines(&self) -> Lines {
        self.lines.clone()
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        self.lines.0.lock().is_closed = true;
        self.lines.0.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_while(&self, is_so: impl FnMut(&mut Waiting) -> bool) -> MutexGuard<'_, Waiting> {
        self.changed.wait_while(self.lock(), is_so).unwrap_or_else(PoisonError::into_inner)
    }

    fn write_all(&self, mut to: impl Write) {
        let mut text = Vec::new();
        loop {
            let waiting = self.wait_while(|waiting| waiting.text.is_empty() && !waiting.is_closed);
            let gathers = |waiting: &mut Waiting| waiting.text.len() < MAX_WAITING && !waiting.is_closed;
            let gathered = self.changed.wait_timeout_while(waiting, GATHER, gathers);
            let (mut waiting, _) = gathered.unwrap_or_else(PoisonError::into_inner);
            std::mem::swap(&mut text, &mut waiting.text);
            let is_closed = waiting.is_closed;
            drop(waiting);
            self.changed.notify_all();
            if is_closed && text.is_empty() {
                return;
            }
            // A log whose reader has gone does not stop the service.
            let _ = to.write_all(&text).and_then(|()| to.flush());
            text.clear();
        }
    }
}

impl Write for &Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut waiting = self.0.wait_while(|waiting| waiting.text.len() >= MAX_WAITING && !waiting.is_closed);
        if waiting.text.is_empty() {
            self.0.changed.notify_all();
        }
        waiting.text.extend_from_slice(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = &'a Lines;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// Takes each write when told to.
    struct Slow {
        permits: Receiver<()>,
        written: Sender<Vec<u8>>,
    }

    impl Write for Slow {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            let _ = self.permits.recv();
            let _ = self.written.send(text.to_vec());
            Ok(text.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn slow() -> (Output, Sender<()>, Receiver<Vec<u8>>) {
        let ((permit, permits), (written, read)) = (channel(), channel());
        (Output::start(Slow { permits, written }).expect("a thread"), permit, read)
    }

    #[test]
    fn everything_is_written_in_order_before_the_end() {
        let (output, permit, read) = slow();
        drop(permit);
        let lines = output.lines();
        for number in 0..1000 {
            (&lines).write_all(format!("{number}\n").as_bytes()).expect("never fails");
        }
        drop(output);
        let all: Vec<u8> = read.iter().flatten().collect();
        let expected: String = (0..1000).map(|number| format!("{number}\n")).collect();
        assert_eq!(String::from_utf8(all).expect("UTF-8"), expected);
    }

    #[test]
    fn who_logs_more_than_is_read_waits_and_loses_nothing() {
        let (output, permit, read) = slow();
        let lines = output.lines();
        let line = vec![b'x'; MAX_WAITING];
        let (told, tell) = channel();
        let sent = line.clone();
        std::thread::spawn(move || {
            for number in 0..4 {
                let _ = (&lines).write_all(&sent);
                let _ = told.send(number);
            }
        });
        // One is being written, one waits: the third blocks.
        assert_eq!([tell.recv(), tell.recv()], [Ok(0), Ok(1)]);
        assert!(tell.recv_timeout(GATHER * 5).is_err());
        drop(permit);
        assert_eq!([tell.recv(), tell.recv()], [Ok(2), Ok(3)]);
        drop(output);
        assert_eq!(read.iter().map(|text| text.len()).sum::<usize>(), 4 * line.len());
    }
}
