//! What the service does by itself: learns of revocations, failed attempts, new keys and costlier hashes, writes noted uses,
//! deletes what has expired.

use std::fmt::Display;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use futures_util::future::{FutureExt, join, select};
use tokio::sync::oneshot::{Receiver, Sender, channel};
use tokio::time::{Instant, sleep, timeout};

use crate::accounts::store as accounts;
use crate::attempts::Attempts;
use crate::db::{Db, StoreError, Timestamp};
use crate::operations::health::Pulse;
use crate::passwords::Passwords;
use crate::sessions::Sessions;
use crate::sessions::revocations::POLL_MILLIS;
use crate::tokens::keyring::RELOAD_SECONDS;

/// How often expired rows are looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(60);
/// How long the last uses may take to be written: a database that is away does not hold up the end.
const LAST_ROUND: Duration = Duration::from_secs(3);

/// What it works with.
pub(crate) struct Work {
    pub db: Db,
    pub sessions: Arc<Sessions>,
    pub attempts: Arc<Attempts>,
    pub passwords: Arc<Passwords>,
}

/// The thread that does it; ends, after a last round, when this is dropped.
#[derive(Debug)]
pub(crate) struct Background {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
    pulse: Pulse,
}

impl Background {
    /// A thread of its own, so that it also runs inside another application, whatever its runtime.
    pub(crate) fn start(work: Work) -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        let (stop, stopped) = channel();
        let heart = Arc::new(());
        let pulse = Pulse::of(&heart);
        let thread = std::thread::Builder::new().name("keyfob-background".into()).spawn(move || {
            let _until_the_end = heart;
            runtime.block_on(run(&work, stopped));
        })?;
        Ok(Self { stop: Some(stop), thread: Some(thread), pulse })
    }

    pub(crate) fn pulse(&self) -> Pulse {
        self.pulse.clone()
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn run(work: &Work, stopped: Receiver<()>) {
    let sessions = &work.sessions;
    {
        // Side by side: writes that must wait for the database do not keep news away.
        let rounds = pin!(join(listen(sessions, &work.attempts), keep_up(work)));
        select(rounds, stopped).await;
    }
    let flushed = timeout(LAST_ROUND, attempt("uses could not be written", sessions.flush_uses(Timestamp::now())));
    let _out_of_time = flushed.await;
}

async fn listen(sessions: &Sessions, attempts: &Attempts) {
    loop {
        sleep(Duration::from_millis(POLL_MILLIS)).await;
        let now = Timestamp::now();
        attempt("revocations could not be read", sessions.poll_revocations(now)).await;
        attempt("failed attempts could not be read", attempts.poll(now)).await;
    }
}

async fn keep_up(Work { db, sessions, attempts, passwords }: &Work) {
    // What is due is told by a clock that nobody sets.
    let reload_every = Duration::from_secs(RELOAD_SECONDS);
    let (mut reload_at, mut sweep_at) = (Instant::now() + reload_every, Instant::now());
    loop {
        sleep(Duration::from_millis(POLL_MILLIS)).await;
        let (now, instant) = (Timestamp::now(), Instant::now());
        attempt("uses could not be written", sessions.flush_uses(now)).await;
        if instant >= reload_at {
            attempt("keys could not be reloaded", sessions.keyring.reload(db, now)).await;
            attempt("the kinds of password hashes could not be read", learn_kinds(db, passwords)).await;
            reload_at = instant + reload_every;
        }
        if instant >= sweep_at {
            let what = "expired rows could not be deleted";
            let swept =
                [attempt(what, sessions.delete_expired(now)).await, attempt(what, attempts.delete_expired(now)).await];
            if !swept.contains(&Some(true)) {
                sweep_at = instant + SWEEP_EVERY;
            }
        }
    }
}

/// Learns which kinds of password hashes the accounts have; what was known stays while the database is away.
pub(super) async fn learn_kinds(db: &Db, passwords: &Passwords) -> Result<(), StoreError> {
    passwords.learn_kinds(&db.read(accounts::list_kinds_of_hashes).await?);
    Ok(())
}

/// Does one thing, and says what went wrong. A panic ends that alone: everything else, and the next try, goes on.
async fn attempt<T, E: Display>(what: &str, work: impl Future<Output = Result<T, E>>) -> Option<T> {
    match AssertUnwindSafe(work).catch_unwind().await {
        Ok(Ok(done)) => return Some(done),
        Ok(Err(error)) => tracing::warn!(cause = %error, "{what}"),
        Err(_) => tracing::error!(cause = "a panic", "{what}"),
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[actix_web::test]
    async fn what_panics_is_an_attempt_that_failed_and_nothing_else_ends() {
        let panics = async || -> Result<(), String> { panic!("on purpose") };
        for _ in 0..2 {
            assert_eq!(attempt("a test", panics()).await, None);
        }
        assert_eq!(attempt("a test", async { Err::<(), _>("a fault") }).await, None);
        assert_eq!(attempt("a test", async { Ok::<_, String>(1) }).await, Some(1));
    }
}
