//! A bounded queue and dedicated threads for CPU-heavy work. Networks are served in turn. Jobs whose caller has gone
//! are skipped; callers that would wait too long get [`Busy`].
//!
//! A thread works on several tasks side by side, because their hashes fill each other's waits ([`keyfob_lanes`]). It never
//! waits for more tasks to arrive: it starts with those in the queue, and adds new ones every few rounds.

mod turns;

use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use keyfob_lanes::{Hash, LANES};
use tokio::sync::oneshot;
use tokio::time::timeout;

use turns::{Turns, Waits};

use crate::metrics;
use crate::network::network;

/// Niceness of the hashing threads (19 is the most). At 13 another thread of the service weighs as much as nineteen of
/// them: it gets the processor first, and logins still come through when the processor is never idle.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 13;
/// Rounds of bcrypt after which a thread takes in jobs that have come meanwhile: some milliseconds.
const ROUNDS_AT_A_TIME: u64 = 32;

/// The queue is full, the wait was too long, or the work failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the password queue is full")]
pub struct Busy {
    /// Seconds until the work ahead of the caller's network is done.
    pub retry_after_seconds: u64,
}

/// Work in pieces, between which hashes are computed.
pub(super) trait Task: Send + 'static {
    /// Goes on until a hash must be computed, which is returned, or until all is done. The thread computes the hash beside
    /// those of others, a part at a time, and asks again: as long as it is not done, it is returned again.
    fn go_on(&mut self) -> Option<&mut Hash>;
}

/// A waiting task. `begins` tells its caller when it starts.
struct Job<T> {
    begins: oneshot::Sender<()>,
    watched: Option<metrics::Waiting>,
    task: T,
}

impl<T> Waits for Job<T> {
    fn is_abandoned(&self) -> bool {
        self.begins.is_closed()
    }
}

/// A task that has begun.
struct Begun<T> {
    network: IpAddr,
    task: T,
}

/// State that the threads and the callers share.
struct Shared<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
    /// How long a thread works for each job: a moving average, in microseconds.
    work_micros: AtomicU64,
}

struct State<T> {
    turns: Turns<Job<T>>,
    /// The number of tasks that each thread has begun.
    begun: Vec<usize>,
    is_closed: bool,
}

impl<T> State<T> {
    /// Takes a job for that thread, unless it has enough or the threads with less to do should take all that wait.
    fn take(&mut self, thread: usize) -> Option<(IpAddr, Job<T>)> {
        let own = self.begun.get(thread).copied().unwrap_or(LANES);
        let left_to_others: usize = self.begun.iter().map(|other| own.saturating_sub(*other)).sum();
        let is_next = !self.is_closed && own < LANES && self.turns.waiting() > left_to_others;
        if is_next { self.turns.pop() } else { None }
    }

    fn set_begun(&mut self, thread: usize, tasks: usize) {
        if let Some(begun) = self.begun.get_mut(thread) {
            *begun = tasks;
        }
    }
}

/// The queue. Its threads end when it is dropped.
pub(super) struct Queue<T> {
    shared: Arc<Shared<T>>,
    threads: Vec<JoinHandle<()>>,
    max_wait: Duration,
    watched: OnceLock<metrics::Queue>,
}

impl<T: Task> Queue<T> {
    /// Starts the threads.
    ///
    /// # Errors
    /// When a thread cannot be started.
    pub(super) fn start(threads: usize, length: usize, max_wait: Duration) -> std::io::Result<Self> {
        let state = Mutex::new(State { turns: Turns::new(length), begun: vec![0; threads], is_closed: false });
        let shared = Arc::new(Shared { state, changed: Condvar::new(), work_micros: AtomicU64::new(0) });
        let mut queue = Self { shared, threads: Vec::new(), max_wait, watched: OnceLock::new() };
        for number in 0..threads {
            let shared = Arc::clone(&queue.shared);
            let thread = std::thread::Builder::new().name(format!("keyfob-hash-{number}"));
            queue.threads.push(thread.spawn(move || shared.work(number))?);
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

    /// Has a thread do the task when it is the turn of the caller's network, and waits for the answer. The task is
    /// skipped if the caller goes away before it begins.
    pub(super) async fn run<A>(&self, address: IpAddr, task: impl FnOnce(oneshot::Sender<A>) -> T) -> Result<A, Busy> {
        let network = network(address);
        let (begins, begun) = oneshot::channel();
        let (answer, answered) = oneshot::channel();
        let watched = self.watched.get().map(metrics::Queue::enter);
        self.add(network, Job { begins, watched, task: task(answer) })?;
        // Only the wait is bounded: work that has begun is completed.
        match timeout(self.max_wait, begun).await {
            // No answer: the work panicked.
            Ok(Ok(())) => answered.await.map_err(|_| self.busy(0)),
            // The job lost its place, or waited too long.
            Ok(Err(_)) | Err(_) => Err(self.busy(self.shared.lock().turns.ahead_of(network))),
        }
    }

    fn add(&self, network: IpAddr, job: Job<T>) -> Result<(), Busy> {
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

impl<T> Drop for Queue<T> {
    fn drop(&mut self) {
        self.shared.lock().is_closed = true;
        self.shared.changed.notify_all();
    }
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, took: Duration) {
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let before = self.work_micros.load(Ordering::Relaxed);
        let average = if before == 0 { took } else { before - before / 8 + took / 8 };
        self.work_micros.store(average, Ordering::Relaxed);
    }
}

impl<T: Task> Shared<T> {
    fn work(&self, thread: usize) {
        step_back();
        let mut begun = Vec::with_capacity(LANES);
        let mut since = Instant::now();
        loop {
            let was_idle = begun.is_empty();
            if !self.begin(thread, &mut begun) {
                return;
            }
            if was_idle {
                since = Instant::now();
            }
            let over = go_on(&mut begun);
            if over.is_empty() {
                let over = compute(&mut begun);
                self.end(thread, begun.len(), &over);
                continue;
            }
            let jobs = u32::try_from(over.len()).unwrap_or(u32::MAX);
            self.note(since.elapsed() / jobs);
            since = Instant::now();
            // Their places are free for others before the rest goes on.
            self.end(thread, begun.len(), &over);
        }
    }

    /// Takes the jobs that this thread should do beside those that it has begun. It waits for one if it has none; false
    /// when the queue is closed.
    fn begin(&self, thread: usize, begun: &mut Vec<Begun<T>>) -> bool {
        let mut state = self.lock();
        loop {
            while let Some((network, job)) = state.take(thread) {
                // Skip jobs whose caller has gone away.
                if job.begins.send(()).is_err() {
                    state.turns.finish(network);
                    continue;
                }
                if let Some(watched) = job.watched {
                    watched.served();
                }
                begun.push(Begun { network, task: job.task });
                state.set_begun(thread, begun.len());
            }
            if !begun.is_empty() {
                return true;
            }
            if state.is_closed {
                return false;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Ends jobs of these networks; so many are left.
    fn end(&self, thread: usize, left: usize, over: &[IpAddr]) {
        if over.is_empty() {
            return;
        }
        let mut state = self.lock();
        state.set_begun(thread, left);
        over.iter().for_each(|network| state.turns.finish(*network));
    }
}

/// Each task goes on to its next hash. Returns the networks of those that are over.
fn go_on<T: Task>(begun: &mut Vec<Begun<T>>) -> Vec<IpAddr> {
    let mut over = Vec::new();
    begun.retain_mut(|Begun { network, task }| {
        let has_hash = survive(|| task.go_on().is_some()).unwrap_or(false);
        if !has_hash {
            over.push(*network);
        }
        has_hash
    });
    over
}

/// Computes the hashes of the tasks side by side. If that panics, it is over for all of them: returns their networks.
fn compute<T: Task>(begun: &mut Vec<Begun<T>>) -> Vec<IpAddr> {
    let computed = survive(|| {
        let mut hashes: Vec<&mut Hash> = begun.iter_mut().filter_map(|begun| begun.task.go_on()).collect();
        keyfob_lanes::advance(&mut hashes, ROUNDS_AT_A_TIME);
    });
    if computed.is_some() { Vec::new() } else { begun.drain(..).map(|begun| begun.network).collect() }
}

/// The thread serves all callers, so it must survive a panic over one password.
fn survive<R>(work: impl FnOnce() -> R) -> Option<R> {
    let result = catch_unwind(AssertUnwindSafe(work));
    result.inspect_err(|_| tracing::error!("a password job panicked")).ok()
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
