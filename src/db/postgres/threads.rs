//! The threads that wait for PostgreSQL.

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

/// Threads apart from the caller's runtime. A runtime waits for its threads when it ends, so one that waits for a
/// hanging server would keep the service from stopping.
pub(in crate::db) struct Threads(Option<Runtime>);

impl Threads {
    pub(in crate::db) fn start() -> std::io::Result<Self> {
        // It runs only blocking tasks, so it needs no driver.
        Builder::new_current_thread().thread_name("keyfob-database").build().map(|runtime| Self(Some(runtime)))
    }

    /// Runs the work on one of the threads; `None` while the service ends.
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
