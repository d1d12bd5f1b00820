//! Threads of their own for work that takes the processor for long, and the bounded queue in front of them. Nothing is
//! worked on that nobody waits for any more, and whoever would wait too long is told so.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::metrics;

/// What the threads are set back by (19 is the most): another thread of the service counts as much as nineteen of them, so
/// it gets the processor first, and log-ins still come through when it is never idle.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 13;

/// More wait than the queue takes, or the wait was too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the queue for password work is full")]
pub struct Busy {
    /// Seconds until what waits now is done.
    pub retry_after_seconds: u64,
}

/// A piece of work, and the one who waits for it: told when it begins.
struct Job {
    begins: oneshot::Sender<()>,
    watched: Option<metrics::Waiting>,
    work: Box<dyn FnOnce() + Send>,
}

/// The threads' side and the callers' side share this.
#[derive(Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    changed: Condvar,
    /// How long a piece of work takes, a moving average in microseconds.
    work_micros: AtomicU64,
}

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    is_closed: bool,
}

/// The queue; its threads end when it is dropped.
pub(super) struct Queue {
    shared: Arc<Shared>,
    threads: usize,
    length: usize,
    max_wait: Duration,
    watched: OnceLock<metrics::Queue>,
}

impl Queue {
    /// Starts the threads.
    ///
    /// # Errors
    /// When one cannot be started.
    pub(super) fn start(threads: usize, length: usize, max_wait: Duration) -> std::io::Result<Self> {
        let queue = Self { shared: Arc::default(), threads, length, max_wait, watched: OnceLock::new() };
        for number in 0..threads {
            let shared = Arc::clone(&queue.shared);
            std::thread::Builder::new().name(format!("keyfob-hash-{number}")).spawn(move || shared.work())?;
        }
        Ok(queue)
    }

    /// Has it watched from now on.
    pub(super) fn watch(&self, queue: metrics::Queue) {
        let _ = self.watched.set(queue);
    }

    /// Has a thread do this, and waits for it. The work is left undone when the caller goes away before it begins.
    pub(super) async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Busy> {
        let (begins, begun) = oneshot::channel();
        let (answer, answered) = oneshot::channel();
        let work = Box::new(move || {
            let _ = answer.send(work());
        });
        self.add(Job { begins, watched: self.watched.get().map(metrics::Queue::enter), work })?;
        // Only the wait is bounded: work that has begun is not thrown away.
        match timeout(self.max_wait, begun).await {
            Ok(Ok(())) => answered.await.map_err(|_| self.busy(0)),
            Ok(Err(_)) | Err(_) => Err(self.busy(self.shared.lock().jobs.len())),
        }
    }

    fn add(&self, job: Job) -> Result<(), Busy> {
        let mut waiting = self.shared.lock();
        if waiting.jobs.len() >= self.length {
            waiting.jobs.retain(|job| !job.begins.is_closed());
        }
        if waiting.jobs.len() >= self.length {
            return Err(self.busy(waiting.jobs.len()));
        }
        waiting.jobs.push_back(job);
        self.shared.changed.notify_one();
        Ok(())
    }

    /// Nobody waits for longer than `max_wait`, so what waits now is gone by then.
    fn busy(&self, ahead: usize) -> Busy {
        let each = Duration::from_micros(self.shared.work_micros.load(Ordering::Relaxed));
        let rounds = u32::try_from(ahead.div_ceil(self.threads.max(1))).unwrap_or(u32::MAX);
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
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        step_back();
        while let Some(job) = self.next() {
            // A caller that hung up, or gave up, is not worked for.
            if job.begins.send(()).is_ok() {
                if let Some(watched) = job.watched {
                    watched.served();
                }
                let begin = Instant::now();
                (job.work)();
                self.note(begin.elapsed());
            }
        }
    }

    fn next(&self) -> Option<Job> {
        let mut waiting = self.lock();
        loop {
            if waiting.is_closed {
                return None;
            }
            if let Some(job) = waiting.jobs.pop_front() {
                return Some(job);
            }
            waiting = self.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn note(&self, took: Duration) {
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let before = self.work_micros.load(Ordering::Relaxed);
        let average = if before == 0 { took } else { before - before / 8 + took / 8 };
        self.work_micros.store(average, Ordering::Relaxed);
    }
}

/// On Linux a priority is a thread's own (POSIX would have it the process's).
fn step_back() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        tracing::warn!(cause = %error, "password work runs at the usual priority");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;
    use std::sync::mpsc::channel;

    use super::*;

    fn queue(length: usize, max_wait: Duration) -> Queue {
        Queue::start(1, length, max_wait).expect("a thread")
    }

    /// Keeps the only thread busy until the sender is dropped.
    async fn occupy(queue: &Arc<Queue>) -> std::sync::mpsc::Sender<()> {
        let (release, released) = channel::<()>();
        let (begins, begun) = oneshot::channel();
        let queue = Arc::clone(queue);
        actix_web::rt::spawn(async move {
            let work = move || {
                let _ = begins.send(());
                let _ = released.recv();
            };
            queue.run(work).await
        });
        begun.await.expect("it begins");
        release
    }

    #[actix_web::test]
    async fn who_waits_too_long_is_told_and_not_worked_for() {
        let queue = Arc::new(queue(4, Duration::from_millis(50)));
        let release = occupy(&queue).await;
        let done = Arc::new(AtomicBool::new(false));
        let set = Arc::clone(&done);
        let told = queue.run(move || set.store(true, Ordering::Relaxed)).await;
        assert_eq!(told, Err(Busy { retry_after_seconds: 1 }));
        drop(release);
        assert_eq!(queue.run(|| 7).await, Ok(7), "the next one is served");
        assert!(!done.load(Ordering::Relaxed));
    }

    #[actix_web::test]
    async fn those_who_went_away_take_no_place_in_a_full_queue() {
        let queue = Arc::new(queue(1, Duration::from_secs(60)));
        let release = occupy(&queue).await;
        let gone = timeout(Duration::from_millis(20), queue.run(|| ())).await;
        assert!(gone.is_err(), "it waited and was dropped");
        let waits = Arc::clone(&queue);
        let waits = actix_web::rt::spawn(async move { waits.run(|| 7).await });
        tokio::task::yield_now().await;
        assert!(matches!(queue.run(|| 8).await, Err(Busy { .. })), "one waits, and the queue is full");
        drop(release);
        assert_eq!(waits.await.expect("no panic"), Ok(7));
    }

    #[actix_web::test]
    async fn the_wait_that_is_told_follows_from_the_work_ahead() {
        let queue = queue(1000, Duration::from_secs(30));
        queue.shared.note(Duration::from_millis(250));
        assert_eq!(queue.busy(0).retry_after_seconds, 1);
        assert_eq!(queue.busy(40).retry_after_seconds, 10);
        assert_eq!(queue.busy(1000).retry_after_seconds, 30, "by then they have given up");
    }
}
