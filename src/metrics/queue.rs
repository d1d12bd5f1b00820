//! A measured queue: how many jobs wait, and how long they waited.

use std::time::Instant;

use prometheus::{Error, Histogram, HistogramOpts, IntGauge, Registry};

use super::registered;

/// From 50 microseconds, with an empty queue, to 10 seconds, when callers have given up.
const WAIT_SECONDS: [f64; 12] = [0.000_05, 0.000_2, 0.001, 0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// Counts waiting jobs.
#[derive(Clone)]
pub(crate) struct Queue {
    depth: IntGauge,
    wait: Histogram,
}

/// A waiting job, until dropped.
pub(crate) struct Waiting {
    queue: Queue,
    since: Instant,
}

impl Queue {
    /// `name` begins the names of its metrics; `why` completes "waiting ..." in the help texts.
    pub(super) fn new(name: &str, why: &str) -> Result<Self, Error> {
        let wait = HistogramOpts::new(format!("{name}_wait_seconds"), format!("Time spent waiting {why}."));
        Ok(Self {
            depth: IntGauge::new(format!("{name}_depth"), format!("Number of jobs waiting {why}."))?,
            wait: Histogram::with_opts(wait.buckets(WAIT_SECONDS.to_vec()))?,
        })
    }

    pub(super) fn register(&self, registry: &Registry) -> Result<(), Error> {
        registered(registry, self.depth.clone())?;
        registered(registry, self.wait.clone())?;
        Ok(())
    }

    /// Adds a waiting job.
    pub(crate) fn enter(&self) -> Waiting {
        self.depth.inc();
        Waiting { queue: self.clone(), since: Instant::now() }
    }
}

impl Waiting {
    /// The job's wait is over.
    pub(crate) fn served(self) {
        self.queue.wait.observe(self.since.elapsed().as_secs_f64());
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.queue.depth.dec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_was_served_has_waited_and_nobody_waits_afterwards() {
        let queue = Queue::new("queue", "here").expect("a queue");
        let (first, second) = (queue.enter(), queue.enter());
        assert_eq!(queue.depth.get(), 2);
        first.served();
        drop(second);
        assert_eq!((queue.depth.get(), queue.wait.get_sample_count()), (0, 1));
    }
}
