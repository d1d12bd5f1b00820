//! What the service does by itself: learns of revocations, failed attempts, new keys and costlier hashes, writes noted uses,
//! deletes what has expired.

use std::pin::pin;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use futures_util::future::{join, select};
use tokio::sync::oneshot::{Receiver, Sender, channel};
use tokio::time::{Instant, sleep, timeout};

use crate::attempts::Attempts;
use crate::db::{Db, Timestamp};
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
}

impl Background {
    /// A thread of its own, so that it also runs inside another application, whatever its runtime.
    pub(crate) fn start(work: Work) -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        let (stop, stopped) = channel();
        let thread = std::thread::Builder::new()
            .name("keyfob-background".into())
            .spawn(move || runtime.block_on(run(&work, stopped)))?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
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
    let flushed = timeout(LAST_ROUND, sessions.flush_uses(Timestamp::now())).await;
    report("uses could not be written", flushed.unwrap_or(Ok(())));
}

async fn listen(sessions: &Sessions, attempts: &Attempts) {
    loop {
        sleep(Duration::from_millis(POLL_MILLIS)).await;
        let now = Timestamp::now();
        report("revocations could not be read", sessions.poll_revocations(now).await);
        report("failed attempts could not be read", attempts.poll(now).await);
    }
}

async fn keep_up(Work { db, sessions, attempts, passwords }: &Work) {
    // What is due is told by a clock that nobody sets.
    let reload_every = Duration::from_secs(RELOAD_SECONDS);
    let (mut reload_at, mut sweep_at) = (Instant::now() + reload_every, Instant::now());
    loop {
        sleep(Duration::from_millis(POLL_MILLIS)).await;
        let (now, instant) = (Timestamp::now(), Instant::now());
        report("uses could not be written", sessions.flush_uses(now).await);
        if instant >= reload_at {
            report("keys could not be reloaded", sessions.keyring.reload(db, now).await);
            report("the kinds of password hashes could not be read", passwords.learn_kinds(db).await);
            reload_at = instant + reload_every;
        }
        if instant >= sweep_at {
            let swept = [sessions.delete_expired(now).await, attempts.delete_expired(now).await];
            let is_done = !swept.iter().any(|swept| matches!(swept, Ok(true)));
            swept.into_iter().for_each(|swept| report("expired rows could not be deleted", swept));
            if is_done {
                sweep_at = instant + SWEEP_EVERY;
            }
        }
    }
}

fn report<T>(what: &str, result: Result<T, impl std::fmt::Display>) {
    if let Err(error) = result {
        tracing::warn!(cause = %error, "{what}");
    }
}
