//! Background work: reads revocations, failed attempts, new keys and kinds of password hashes, writes recorded uses and
//! refused logins, sends mails, and deletes expired rows.

use std::fmt::Display;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use futures_util::future::{FutureExt, join, join3, select};
use tokio::sync::oneshot::{Receiver, Sender, channel};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use crate::accounts::leaving;
use crate::accounts::store as accounts;
use crate::attempts::Attempts;
use crate::audit::store as events;
use crate::config::AuditSettings;
use crate::db::{Db, StoreError, Timestamp};
use crate::mail::Mailer;
use crate::one_time_tokens;
use crate::operations::health::Pulse;
use crate::passwords::Passwords;
use crate::sessions::Sessions;
use crate::sessions::revocations::POLL_MILLIS;
use crate::tokens::keyring::RELOAD_SECONDS;

/// Time between two sweeps for expired rows.
const SWEEP_EVERY: Duration = Duration::from_secs(60);
/// Limit for writing what is still in memory: an unreachable database does not delay shutdown.
const LAST_ROUND: Duration = Duration::from_secs(3);
/// Pause after the database failed the mailer.
const MAIL_PAUSE: Duration = Duration::from_secs(2);

/// What the background work needs.
pub(crate) struct Work {
    pub db: Db,
    pub sessions: Arc<Sessions>,
    pub attempts: Arc<Attempts>,
    pub passwords: Arc<Passwords>,
    pub audit: AuditSettings,
    pub mailer: Arc<Mailer>,
}

/// The background thread; dropping this ends it after a last round.
#[derive(Debug)]
pub(crate) struct Background {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
    pulse: Pulse,
}

impl Background {
    /// A thread of its own, so that it also runs inside another application, on any runtime.
    pub(crate) fn start(work: Work) -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
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
    let (stop, stopping) = watch::channel(false);
    let mut mailing = pin!(send_mails(&work.mailer, stopping));
    {
        // Concurrently, so that writes that wait for the database do not delay news.
        let rounds = pin!(join3(listen(sessions, &work.attempts), keep_up(work), mailing.as_mut()));
        select(rounds, stopped).await;
    }
    stop.send_replace(true);
    let now = Timestamp::now();
    let flush = async {
        attempt("could not write session uses", sessions.flush_uses(now)).await;
        attempt("could not write refused passwords", sessions.flush_all_refusals(now)).await;
    };
    // The mail under way may still be handed over.
    let _out_of_time = timeout(LAST_ROUND, join(flush, mailing)).await;
}

async fn listen(sessions: &Sessions, attempts: &Attempts) {
    loop {
        sleep(Duration::from_millis(POLL_MILLIS)).await;
        let now = Timestamp::now();
        attempt("could not read revocations", sessions.poll_revocations(now)).await;
        attempt("could not read failed attempts", attempts.poll(now)).await;
    }
}

/// Sends mails, until told to stop: then the one under way is the last.
async fn send_mails(mailer: &Mailer, mut stopping: watch::Receiver<bool>) {
    while !*stopping.borrow() {
        let round = mailer.round(Timestamp::now, || *stopping.borrow());
        let pause = attempt("could not send mails", round).await.unwrap_or(MAIL_PAUSE);
        let _stopped = timeout(pause, stopping.changed()).await;
    }
}

async fn keep_up(Work { db, sessions, attempts, passwords, audit, mailer }: &Work) {
    // Schedule by the monotonic clock, which nothing can set.
    let reload_every = Duration::from_secs(RELOAD_SECONDS);
    let (mut reload_at, mut sweep_at) = (Instant::now() + reload_every, Instant::now());
    loop {
        sleep(Duration::from_millis(POLL_MILLIS)).await;
        let (now, instant) = (Timestamp::now(), Instant::now());
        attempt("could not write session uses", sessions.flush_uses(now)).await;
        attempt("could not write refused passwords", sessions.flush_refusals(now)).await;
        if instant >= reload_at {
            attempt("could not reload keys", sessions.keyring.reload(db, now)).await;
            attempt("could not read the kinds of password hashes", learn_kinds(db, passwords)).await;
            reload_at = instant + reload_every;
        }
        if instant >= sweep_at {
            let what = "could not delete expired rows";
            let swept = [
                attempt(what, sessions.delete_expired(now)).await,
                attempt(what, attempts.delete_expired(now)).await,
                attempt(what, delete_old_events(db, audit, now)).await,
                attempt("could not delete accounts", leaving::delete_due(db, now)).await,
                attempt(what, one_time_tokens::delete_expired(db, now)).await,
                attempt(what, one_time_tokens::sign_up::delete_expired(db, now)).await,
                attempt(what, mailer.sweep(now)).await,
            ];
            if !swept.contains(&Some(true)) {
                sweep_at = instant + SWEEP_EVERY;
            }
        }
    }
}

/// Deletes a batch of events that are kept no longer. Returns whether there may be more.
async fn delete_old_events(db: &Db, audit: &AuditSettings, now: Timestamp) -> Result<bool, StoreError> {
    let before = now.minus_seconds(u64::from(audit.retention_days) * 86400);
    db.write(move |conn| events::delete_old_events(conn, before)).await
}

/// Reads which kinds of password hashes the accounts have; keeps the last result while the database is unreachable.
pub(super) async fn learn_kinds(db: &Db, passwords: &Passwords) -> Result<(), StoreError> {
    passwords.learn_kinds(&db.read(accounts::list_kinds_of_hashes).await?);
    Ok(())
}

/// Runs one task and logs its failure. A panic ends only that attempt; other tasks and the next attempt continue.
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
