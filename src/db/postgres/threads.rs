//! The threads on which PostgreSQL is waited for.

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

/// Threads of their own, and not those of the runtime that asks: this one waits for its threads when it ends, and one that
/// waits for a server which stands still would keep the service from stopping.
pub(in crate::db) struct Threads(Option<Runtime>);

impl Threads {
    pub(in crate::db) fn start() -> std::io::Result<Self> {
        // Nothing runs on it but what blocks, so nobody need drive it.
        Builder::new_current_thread().thread_name("keyfob-database").build().map(|runtime| Self(Some(runtime)))
    }

    /// Runs the work on one of the threads; `None` at the end of the service.
    pub(in crate::db) fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<JoinHandle<T>> {
        self.0.as_ref().map(|runtime| runtime.spawn_blocking(work))
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
