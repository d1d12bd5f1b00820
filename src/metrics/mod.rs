//! Metrics for Prometheus. The only folder that uses `prometheus`.
//!
//! They exist only if `server.metrics_bind` is set: then [`Metrics`] is part of the application, and each queue gets a
//! [`Queue`]. A request costs a look-up of its endpoint and some atomic additions; only the first response of each kind
//! allocates or locks.

mod endpoints;
mod mail;
mod queue;

use std::time::Duration;

use actix_web::http::{Method, StatusCode};
use prometheus::core::Collector;
use prometheus::{Error, Gauge, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder};
use utoipa::openapi::OpenApi;

use endpoints::Endpoints;
pub(crate) use mail::MailCounts;
pub(crate) use queue::{Queue, Waiting};

/// The label for any unknown value.
pub(crate) const OTHER: &str = "other";

/// The values of labels; the features supply them.
#[derive(Clone, Copy)]
pub(crate) struct Labels<'a> {
    /// The routes.
    pub document: &'a OpenApi,
    /// Paths that the document leaves out.
    pub files: &'a [&'a str],
    /// The grants of a token request.
    pub grants: &'a [&'static str],
    /// The outcomes of a token request.
    pub outcomes: &'a [&'static str],
    /// The kinds of mail.
    pub mails: &'a [&'static str],
}

/// All metrics.
pub(crate) struct Metrics {
    registry: Registry,
    endpoints: Endpoints,
    logins: Vec<Login>,
    refused_connections: IntCounter,
    /// Passwords waiting to be hashed.
    pub(crate) hash_queue: Queue,
    pub(crate) password_work: PasswordWork,
    pub(crate) unlisted_refusals: UnlistedRefusals,
    /// Mails sent and given up.
    pub(crate) mails: MailCounts,
    /// Writes waiting for SQLite's writer.
    pub(crate) write_queue: Queue,
    gauges: Gauges,
}

/// The work of comparing and hashing passwords, by algorithm.
#[derive(Clone)]
pub(crate) struct PasswordWork {
    bcrypt: IntCounter,
    pbkdf2: IntCounter,
    argon2: IntCounter,
}

/// Counts refused logins that the audit trail does not list each.
#[derive(Clone)]
pub(crate) struct UnlistedRefusals(IntCounter);

/// The number of logins with a grant and an outcome.
struct Login {
    grant: &'static str,
    outcome: &'static str,
    count: IntCounter,
}

/// Values read when Prometheus scrapes.
struct Gauges {
    connections: IntGaugeVec,
    connections_max: IntGauge,
    feed_age_seconds: Gauge,
    mails_waiting: IntGauge,
    mail_age_seconds: Gauge,
}

/// The state of the service at a moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    pub connections_used: u32,
    pub connections_idle: u32,
    pub connections_max: u32,
    /// Age of the newest successful read of revocations.
    pub feed_age: Duration,
    /// Mails that wait; `None`: the database does not respond.
    pub mails_waiting: Option<i64>,
    /// How long the oldest of them has waited.
    pub mail_age: Duration,
}

impl Metrics {
    /// `has_writer`: whether one thread does all writing.
    ///
    /// # Errors
    /// If two metrics have the same name.
    pub(crate) fn new(labels: Labels<'_>, has_writer: bool) -> Result<Self, Error> {
        let registry = Registry::new();
        let hash_queue = Queue::new("keyfob_hash_queue", "for a thread that hashes passwords")?;
        hash_queue.register(&registry)?;
        let write_queue = Queue::new("keyfob_write_queue", "for SQLite's single writer")?;
        if has_writer {
            write_queue.register(&registry)?;
        }
        register_process(&registry)?;
        Ok(Self {
            endpoints: Endpoints::new(labels.document, labels.files, &registry)?,
            logins: logins(labels, &registry)?,
            refused_connections: refused_connections(&registry)?,
            gauges: Gauges::new(&registry)?,
            password_work: PasswordWork::new(&registry)?,
            unlisted_refusals: UnlistedRefusals::new(&registry)?,
            mails: MailCounts::new(labels.mails, &registry)?,
            hash_queue,
            write_queue,
            registry,
        })
    }

    /// Counts a finished request; `path` as the router saw it.
    pub(crate) fn count_request(&self, method: &Method, path: &str, status: StatusCode, took: Duration) {
        self.endpoints.count(method, path, status, took);
    }

    /// Counts a finished token request.
    pub(crate) fn count_login(&self, grant: &str, outcome: &str) {
        let is_it = |login: &&Login| login.grant == grant && login.outcome == outcome;
        // The last one is `other`.
        if let Some(login) = self.logins.iter().find(is_it).or(self.logins.last()) {
            login.count.inc();
        }
    }

    /// Counts a connection over `server.max_connections_per_address`.
    pub(crate) fn count_refused_connection(&self) {
        self.refused_connections.inc();
    }

    /// The page that Prometheus scrapes.
    pub(crate) fn page(&self, reading: Reading) -> Result<String, Error> {
        self.gauges.set(reading);
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}

impl PasswordWork {
    fn new(registry: &Registry) -> Result<Self, Error> {
        let help = "Password work: rounds of bcrypt, iterations of PBKDF2, KiB times passes of Argon2.";
        let all = IntCounterVec::new(Opts::new("keyfob_password_work_total", help), &["algorithm"])?;
        let all = registered(registry, all)?;
        let of = |algorithm| all.get_metric_with_label_values(&[algorithm]);
        Ok(Self { bcrypt: of("bcrypt")?, pbkdf2: of("pbkdf2")?, argon2: of("argon2")? })
    }

    /// Adds work.
    pub(crate) fn count(&self, bcrypt_rounds: u64, pbkdf2_iterations: u64, argon2_kib: u64) {
        self.bcrypt.inc_by(bcrypt_rounds);
        self.pbkdf2.inc_by(pbkdf2_iterations);
        self.argon2.inc_by(argon2_kib);
    }
}

impl UnlistedRefusals {
    fn new(registry: &Registry) -> Result<Self, Error> {
        let help = "Refused logins that the audit trail only counts: there were too many to list each.";
        registered(registry, IntCounter::new("keyfob_audit_unlisted_refusals_total", help)?).map(Self)
    }

    pub(crate) fn count(&self) {
        self.0.inc();
    }
}

impl Gauges {
    fn new(registry: &Registry) -> Result<Self, Error> {
        let connections = Opts::new("keyfob_database_connections", "Connections in the pool, by state.");
        let feed_age = "Seconds since revocations were last read.";
        Ok(Self {
            connections: registered(registry, IntGaugeVec::new(connections, &["state"])?)?,
            connections_max: registered(
                registry,
                IntGauge::new("keyfob_database_connections_max", "Maximum number of connections in the pool.")?,
            )?,
            feed_age_seconds: registered(registry, Gauge::new("keyfob_revocation_feed_age_seconds", feed_age)?)?,
            mails_waiting: registered(
                registry,
                IntGauge::new("keyfob_mail_queued", "Mails that wait to be sent, of all replicas.")?,
            )?,
            mail_age_seconds: registered(
                registry,
                Gauge::new("keyfob_mail_oldest_seconds", "Time that the oldest of them has waited.")?,
            )?,
        })
    }

    fn set(&self, reading: Reading) {
        self.connections.with_label_values(&["used"]).set(reading.connections_used.into());
        self.connections.with_label_values(&["idle"]).set(reading.connections_idle.into());
        self.connections_max.set(reading.connections_max.into());
        self.feed_age_seconds.set(reading.feed_age.as_secs_f64());
        // While the database does not respond, the last known values stay.
        if let Some(waiting) = reading.mails_waiting {
            self.mails_waiting.set(waiting);
            self.mail_age_seconds.set(reading.mail_age.as_secs_f64());
        }
    }
}

/// A counter for each pair, from the start: a rate needs a counter that already existed.
fn logins(labels: Labels<'_>, registry: &Registry) -> Result<Vec<Login>, Error> {
    let opts = Opts::new("keyfob_logins_total", "Token requests, by grant and outcome.");
    let all = registered(registry, IntCounterVec::new(opts, &["grant", "outcome"])?)?;
    let with_other = |known: &[&'static str]| [known, &[OTHER]].concat();
    let (grants, outcomes) = (with_other(labels.grants), with_other(labels.outcomes));
    let pairs = grants.iter().flat_map(|grant| outcomes.iter().map(move |outcome| (*grant, *outcome)));
    let login = |(grant, outcome)| {
        let count = all.get_metric_with_label_values(&[grant, outcome])?;
        Ok(Login { grant, outcome, count })
    };
    pairs.map(login).collect()
}

fn refused_connections(registry: &Registry) -> Result<IntCounter, Error> {
    let help = "Connections over server.max_connections_per_address, closed at once.";
    registered(registry, IntCounter::new("keyfob_connections_refused_total", help)?)
}

/// CPU time, memory, threads and files of the process, under the standard names of exporters.
#[cfg(target_os = "linux")]
fn register_process(registry: &Registry) -> Result<(), Error> {
    registry.register(Box::new(prometheus::process_collector::ProcessCollector::for_self()))
}

#[cfg(not(target_os = "linux"))]
fn register_process(_: &Registry) -> Result<(), Error> {
    Ok(())
}

fn registered<C: Collector + Clone + 'static>(registry: &Registry, collector: C) -> Result<C, Error> {
    registry.register(Box::new(collector.clone()))?;
    Ok(collector)
}
