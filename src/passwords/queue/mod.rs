//! A bounded queue and dedicated threads for CPU-heavy work. Networks are served in turn. Jobs whose caller has gone
//! are skipped; callers that would wait too long get [`Busy`].

mod turns;

use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tokio::time::timeout;

use turns::{Turns, Waits};

use crate::metrics;
use crate::network::network;

/// Niceness of the hashing threads (19 is the most). At 13 another thread of the service weighs as much as nineteen of
/// them: it gets the processor first, and logins still come through when the processor is never idle.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 13;

/// The queue is full, the wait was too long, or the work failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the password queue is full")]
pub struct Busy {
    /// Seconds until the work ahead of the caller's network is done.
    pub retry_after_seconds: u64,
}

/// A piece of work. `begins` tells its caller when it starts.
struct Job {
    begins: oneshot::Sender<()>,
    watched: Option<metrics::Waiting>,
    work: Box<dyn FnOnce() + Send>,
}

impl Waits for Job {
    fn is_abandoned(&self) -> bool {
        self.begins.is_closed()
    }
}

/// State that the threads and the callers share.
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    /// How long a job takes: a moving average, in microseconds.
    work_micros: AtomicU64,
}

struct State {
    turns: Turns<Job>,
    is_closed: bool,
}

/// The queue. Its threads end when it is dropped.
pub(super) struct Queue {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    max_wait: Duration,
    watched: OnceLock<metrics::Queue>,
}

impl Queue {
    /// Starts the threads.
    ///
    /// # Errors
    /// When a thread cannot be started.
    pub(super) fn start(threads: usize, length: usize, max_wait: Duration) -> std::io::Result<Self> {
        let state = Mutex::new(State { turns: Turns::new(length), is_closed: false });
        let shared = Arc::new(Shared { state, changed: Condvar::new(), work_micros: AtomicU64::new(0) });
        let mut queue = Self { shared, threads: Vec::new(), max_wait, watched: OnceLock::new() };
        for number in 0..threads {
            let shared = Arc::clone(&queue.shared);
            let thread = std::thread::Builder::new().name(format!("keyfob-hash-{number}"));
            queue.threads.push(thread.spawn(move || shared.work())?);
        }
        Ok(queue)
    }

    /// Whether all threads work.
    pub(super) fn is_alive(&self) -> bool {
        self.threads.iter().all(|thread| !thread.is_finished())
    }

    /// As if the threads had died of something that they do not survive.
    #[cfg(test)]
    pub(super) fn end_threads(&mut self) {
        self.shared.lock().is_closed = true;
        self.shared.changed.notify_all();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
        self.threads.push(std::thread::spawn(|| ()));
        while self.is_alive() {
            std::thread::yield_now();
        }
    }

    /// Records metrics from now on.
    pub(super) fn watch(&self, queue: metrics::Queue) {
        let _ = self.watched.set(queue);
    }

    /// Runs the work on a thread when it is the turn of the caller's network, and waits for the result. The work is
    /// skipped if the caller goes away before it begins.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        address: IpAddr,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Busy> {
        let network = network(address);
        let (begins, begun) = oneshot::channel();
        let (answer, answered) = oneshot::channel();
        let work = Box::new(move || {
            let _ = answer.send(work());
        });
        self.add(network, Job { begins, watched: self.watched.get().map(metrics::Queue::enter), work })?;
        // Only the wait is bounded: work that has begun is completed.
        match timeout(self.max_wait, begun).await {
            // No result: the work panicked.
            Ok(Ok(())) => answered.await.map_err(|_| self.busy(0)),
            // The job lost its place, or waited too long.
            Ok(Err(_)) | Err(_) => Err(self.busy(self.shared.lock().turns.ahead_of(network))),
        }
    }

    fn add(&self, network: IpAddr, job: Job) -> Result<(), Busy> {
        let mut state = self.shared.lock();
        match state.turns.push(network, job) {
            Ok(()) => {
                self.shared.changed.notify_one();
                Ok(())
            }
            Err(_) => Err(self.busy(state.turns.ahead_of(network))),
        }
    }

    /// No job waits for longer than `max_wait`, so the jobs ahead are gone by then.
    fn busy(&self, ahead: usize) -> Busy {
        let each = Duration::from_micros(self.shared.work_micros.load(Ordering::Relaxed));
        let rounds = u32::try_from(ahead.div_ceil(self.threads.len().max(1))).unwrap_or(u32::MAX);
        let until_done = each.saturating_mul(rounds).min(self.max_wait);
        Busy { retry_after_seconds: until_done.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX).max(1) }
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.shared.lock().is_closed = true;
        self.shared.changed.notify_all();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        step_back();
        while let Some((network, job)) = self.next() {
            // Skip jobs whose caller has gone away.
            if job.begins.send(()).is_ok() {
                if let Some(watched) = job.watched {
                    watched.served();
                }
                let begin = Instant::now();
                // The thread serves all callers, so it must survive a panic over one password.
                if catch_unwind(AssertUnwindSafe(job.work)).is_err() {
                    tracing::error!("a password job panicked");
                }
                self.note(begin.elapsed());
            }
            self.lock().turns.finish(network);
        }
    }

    fn next(&self) -> Option<(IpAddr, Job)> {
        let mut state = self.lock();
        loop {
            if state.is_closed {
                return None;
            }
            if let Some(next) = state.turns.pop() {
                return Some(next);
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn note(&self, took: Duration) {
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let before = self.work_micros.load(Ordering::Relaxed);
        let average = if before == 0 { took } else { before - before / 8 + took / 8 };
        self.work_micros.store(average, Ordering::Relaxed);
    }
}

/// Lowers the thread's priority. On Linux it belongs to the thread (POSIX would have it the process's).
fn step_back() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        tracing::warn!(cause = %error, "could not lower the priority of the password threads");
    }
}

#[cfg(test)]
mod tests;
