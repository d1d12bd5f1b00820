//! The worker that sends mails.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use secrecy::ExposeSecret;

use super::folder;
use super::limits::{DAY_SECONDS, HOUR_SECONDS, Recipients, budget};
use super::message::{Composed, From, compose};
use super::model::{Composers, Desk};
use super::outbox::Outbox;
use super::smtp::{Connected, Failure, Smtp};
use super::store::{self, End};
use super::templates::Templates;
use super::turn::{Clerk, Leased, Turn};
use crate::config::MailSettings;
use crate::db::{Db, StoreError, Timestamp};
use crate::metrics::MailCounts;
use crate::tokens::keys::random_bytes;

/// Time between two looks at the outbox.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Most mails on one connection.
const MAX_A_ROUND: usize = 20;
/// Pause after the first failure to reach the server, and the longest one. Each is twice as long as the one before.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_mins(5);
/// Pauses between the attempts at one mail, in seconds; the last one repeats.
const RETRY_SECONDS: [u64; 5] = [30, 120, 600, 1800, 3600];
/// Pause after an attempt of which nobody knows whether it succeeded, in seconds.
const UNCLEAR_SECONDS: u64 = 900;
/// How long a mail is tried, and how long a sent one is listed, in seconds.
const TRY_SECONDS: u64 = DAY_SECONDS;
const KEEP_SECONDS: u64 = 7 * DAY_SECONDS;
/// The longest note about a failure, in characters.
const MAX_ERROR: usize = 300;

/// Why mails cannot be sent with these settings.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct MailError(String);

/// What the worker is told by the application.
pub(crate) struct Told {
    pub outbox: Arc<Outbox>,
    pub desk: Desk,
    pub composers: Composers,
    /// The key for the names of recipients.
    pub recipients_key: Vec<u8>,
    /// Whether the log shows links, where mails are files.
    pub shows_links: bool,
}

/// Sends queued mails.
pub(crate) struct Mailer {
    db: Db,
    clerk: Clerk,
    from: From,
    templates: Templates,
    transport: Transport,
    max_per_hour: u32,
    shows_links: bool,
    away: Mutex<Away>,
    is_over_budget: AtomicBool,
    metrics: OnceLock<MailCounts>,
}

enum Transport {
    Smtp(Box<Smtp>),
    Folder(PathBuf),
}

/// A way to send some mails in a row.
enum Way {
    Connected(Box<Connected>),
    Folder,
}

/// Since when the server cannot be reached.
#[derive(Default)]
struct Away {
    pause: Option<Duration>,
    cause: String,
}

impl Mailer {
    /// Reads the templates and the files of the settings.
    pub(crate) fn open(settings: &MailSettings, db: &Db, told: Told) -> Result<Self, MailError> {
        let host = told.outbox.host();
        let transport = match &settings.smtp_url {
            Some(url) => Transport::Smtp(Box::new(Smtp::new(url, settings, host).map_err(MailError)?)),
            None => Transport::Folder(settings.outbox_dir.clone()),
        };
        let templates = Templates::load(settings.templates_dir.as_deref(), host);
        Ok(Self {
            db: db.clone(),
            from: From::new(settings.from.as_ref(), host).map_err(MailError)?,
            templates: templates.map_err(|error| MailError(error.to_string()))?,
            transport,
            max_per_hour: settings.max_per_hour,
            shows_links: told.shows_links,
            away: Mutex::default(),
            is_over_budget: AtomicBool::new(false),
            metrics: OnceLock::new(),
            clerk: Clerk {
                outbox: told.outbox,
                recipients: Arc::new(Recipients::new(&told.recipients_key)),
                desk: Arc::new(told.desk),
                composers: told.composers,
            },
        })
    }

    /// Counts mails from now on.
    pub(crate) fn watch(&self, metrics: MailCounts) {
        let _ = self.metrics.set(metrics);
    }

    /// Sends what is due, until `is_stopping`. Returns when to come back.
    pub(crate) async fn round(
        &self,
        clock: fn() -> Timestamp,
        is_stopping: impl Fn() -> bool,
    ) -> Result<Duration, StoreError> {
        let now = clock();
        if !self.has_work(now).await? {
            return Ok(LOOK_EVERY);
        }
        // Connect first: no mail is begun that cannot be sent.
        let mut way = match self.connect().await {
            Ok(way) => way,
            Err(cause) => return Ok(self.pause(&cause)),
        };
        let mut sent = Ok(true);
        for _ in 0..MAX_A_ROUND {
            if is_stopping() {
                break;
            }
            sent = self.send_next(&mut way, clock).await;
            if !matches!(sent, Ok(true)) {
                break;
            }
        }
        self.close(way).await;
        match sent {
            Ok(true) => Ok(Duration::ZERO),
            Ok(false) => Ok(self.paused().unwrap_or(LOOK_EVERY)),
            Err(error) => Err(error),
        }
    }

    /// Gives up mails that were tried for a day, and deletes those that ended long ago. Returns whether there may be more.
    pub(crate) async fn sweep(&self, now: Timestamp) -> Result<bool, StoreError> {
        let given_up = self.db.write(move |conn| {
            let old = store::list_too_old(conn, now.minus_seconds(TRY_SECONDS), now)?;
            for (id, _) in &old {
                store::update_given_up(conn, *id, "it could not be sent within a day", now)?;
            }
            Ok(old)
        });
        for (id, kind) in given_up.await? {
            tracing::error!(%id, kind, "a mail was given up: it could not be sent within a day");
            self.count(&kind, "failed");
        }
        self.db.write(move |conn| store::delete_ended(conn, now.minus_seconds(KEEP_SECONDS))).await
    }

    /// Whether a mail is due that may be sent at present.
    async fn has_work(&self, now: Timestamp) -> Result<bool, StoreError> {
        let (notices, others) =
            self.db.read(move |conn| Ok((store::has_due(conn, true, now)?, store::has_due(conn, false, now)?))).await?;
        if !notices && !others {
            return Ok(false);
        }
        let sent = self.count_sent(now).await?;
        let may = |is_notice| budget(self.max_per_hour, sent, is_notice) > 0;
        let has_work = (notices && may(true)) || (others && may(false));
        let is_over = others && !may(false);
        if is_over && !self.is_over_budget.swap(true, Ordering::Relaxed) {
            tracing::warn!(self.max_per_hour, "mail.max_per_hour is reached: mails wait");
        }
        if !is_over {
            self.is_over_budget.store(false, Ordering::Relaxed);
        }
        Ok(has_work)
    }

    async fn count_sent(&self, now: Timestamp) -> Result<i64, StoreError> {
        self.db.read(move |conn| store::count_sent(conn, now.minus_seconds(HOUR_SECONDS))).await
    }

    /// Sends one mail: a notice, or else any other. Returns whether to go on.
    async fn send_next(&self, way: &mut Way, clock: fn() -> Timestamp) -> Result<bool, StoreError> {
        let now = clock();
        let sent = self.count_sent(now).await?;
        for is_notice in [true, false] {
            if budget(self.max_per_hour, sent, is_notice) == 0 {
                continue;
            }
            match self.take(is_notice, now).await? {
                Turn::Nothing => {}
                Turn::Dropped => return Ok(true),
                Turn::Mail(mail) => return self.deliver(way, *mail, clock).await,
            }
        }
        Ok(false)
    }

    async fn take(&self, is_notice: bool, now: Timestamp) -> Result<Turn, StoreError> {
        let clerk = self.clerk.clone();
        // One for each attempt, so that one that was given up cannot end a later one.
        let lease = random_bytes::<8>().map_err(|error| StoreError::Internal(error.to_string()))?;
        let lease = hex::encode(lease);
        self.db.write(move |conn| clerk.take(conn, is_notice, &lease, now)).await
    }

    /// Sends a leased mail and notes how that ended. Returns whether to go on.
    async fn deliver(&self, way: &mut Way, mail: Leased, clock: fn() -> Timestamp) -> Result<bool, StoreError> {
        let outcome = self.hand_over(way, &mail, clock()).await;
        if !matches!(outcome, Err(Failure::Away(_))) {
            self.resume();
        }
        let now = clock();
        let (end, goes_on) = match outcome {
            Ok(()) => (End::Sent, true),
            Err(Failure::Refused(error)) => (End::GivenUp(note(&error)), false),
            Err(Failure::Postponed(error)) => (End::Later(later(mail.tries, now), note(&error)), false),
            Err(Failure::Unclear(error)) => {
                let due_at = now.plus_seconds(UNCLEAR_SECONDS);
                (End::Later(due_at, format!("it may have arrived: {}", note(&error))), false)
            }
            Err(Failure::Away(error)) => {
                self.pause(&error);
                (End::Untouched, false)
            }
        };
        self.report(&mail, &end);
        let (id, lease) = (mail.id, mail.lease);
        self.db.write(move |conn| store::update_ended(conn, id, &lease, &end, now)).await?;
        Ok(goes_on)
    }

    async fn hand_over(&self, way: &mut Way, mail: &Leased, now: Timestamp) -> Result<(), Failure> {
        let mut values = mail.values.clone();
        if let Some(link) = &mail.link {
            values.insert("link", link.expose_secret().to_owned());
        }
        let texts = self.templates.render(mail.kind, mail.language, values);
        let texts = texts.map_err(|error| Failure::Postponed(error.to_string()))?;
        let composed = compose(&self.from, &mail.to, &mail.message_id, texts, now).map_err(Failure::Refused)?;
        match (&self.transport, way) {
            (Transport::Smtp(smtp), Way::Connected(connected)) => smtp.send(connected, &composed).await,
            (Transport::Folder(folder), _) => self.write(folder, mail, &composed, now),
            (Transport::Smtp(_), Way::Folder) => Err(Failure::Away("there is no connection".to_owned())),
        }
    }

    fn write(&self, folder: &Path, mail: &Leased, composed: &Composed, now: Timestamp) -> Result<(), Failure> {
        let written = folder::write(folder, mail.kind, mail.id, &composed.bytes, now);
        let path = written.map_err(|error| Failure::Away(format!("mail.outbox_dir {}: {error}", folder.display())))?;
        // The one secret that a log line holds: in development, where mails reach nobody (docs/security.md).
        let link = mail.link.as_ref().filter(|_| self.shows_links).map(|link| link.expose_secret().to_owned());
        tracing::info!(kind = mail.kind.as_str(), file = %path.display(), link, "mail written");
        Ok(())
    }

    async fn connect(&self) -> Result<Way, String> {
        match &self.transport {
            Transport::Smtp(smtp) => smtp.connect().await.map(|connected| Way::Connected(Box::new(connected))),
            Transport::Folder(_) => Ok(Way::Folder),
        }
    }

    async fn close(&self, way: Way) {
        if let (Transport::Smtp(smtp), Way::Connected(connected)) = (&self.transport, way) {
            smtp.close(*connected).await;
        }
    }

    /// Notes that the server cannot be reached, and returns how long to wait. Logs each cause once.
    fn pause(&self, cause: &str) -> Duration {
        let mut away = self.away.lock().unwrap_or_else(PoisonError::into_inner);
        let pause = away.pause.map_or(FIRST_PAUSE, |pause| (pause * 2).min(LONGEST_PAUSE));
        if away.pause.is_none() || away.cause != cause {
            tracing::warn!(cause, "mails cannot be sent, and wait");
        }
        *away = Away { pause: Some(pause), cause: cause.to_owned() };
        pause
    }

    fn paused(&self) -> Option<Duration> {
        self.away.lock().unwrap_or_else(PoisonError::into_inner).pause
    }

    fn resume(&self) {
        let away = std::mem::take(&mut *self.away.lock().unwrap_or_else(PoisonError::into_inner));
        if away.pause.is_some() {
            tracing::info!("mails are sent again");
        }
    }

    fn report(&self, mail: &Leased, end: &End) {
        let (id, kind, tries) = (mail.id, mail.kind.as_str(), mail.tries);
        match end {
            End::Sent => {
                if matches!(self.transport, Transport::Smtp(_)) {
                    tracing::info!(%id, kind, tries, "mail sent");
                }
                self.count(kind, "sent");
            }
            End::GivenUp(cause) => {
                tracing::error!(%id, kind, tries, cause, "mail refused for good");
                self.count(kind, "failed");
            }
            End::Later(due_at, cause) => {
                tracing::warn!(%id, kind, tries, cause, next = %due_at, "mail not sent yet");
            }
            End::Untouched => {}
        }
    }

    fn count(&self, kind: &str, outcome: &str) {
        if let Some(metrics) = self.metrics.get() {
            metrics.count(kind, outcome);
        }
    }
}

/// When to try a mail again, give or take a fifth, so that many do not come at once.
fn later(tries: i64, now: Timestamp) -> Timestamp {
    let place = usize::try_from(tries - 1).unwrap_or(0).min(RETRY_SECONDS.len() - 1);
    let seconds = RETRY_SECONDS.get(place).copied().unwrap_or(3600);
    now.plus_seconds(fastrand::u64(seconds * 4 / 5..=seconds * 6 / 5))
}

/// A failure in one line.
fn note(error: &str) -> String {
    error.chars().map(|character| if character.is_control() { ' ' } else { character }).take(MAX_ERROR).collect()
}
