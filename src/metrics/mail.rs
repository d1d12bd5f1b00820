//! Counts mails.

use prometheus::{Error, IntCounter, IntCounterVec, Opts, Registry};

use super::registered;

const OUTCOMES: [&str; 2] = ["sent", "failed"];

/// Mails by kind and outcome.
#[derive(Clone)]
pub(crate) struct MailCounts(Vec<MailCount>);

#[derive(Clone)]
struct MailCount {
    kind: &'static str,
    outcome: &'static str,
    count: IntCounter,
}

impl MailCounts {
    /// A counter for each pair, from the start: a rate needs a counter that already existed.
    pub(super) fn new(kinds: &[&'static str], registry: &Registry) -> Result<Self, Error> {
        let opts = Opts::new("keyfob_mail_total", "Mails that were sent, or given up, by kind.");
        let all = registered(registry, IntCounterVec::new(opts, &["kind", "outcome"])?)?;
        let pairs = kinds.iter().flat_map(|kind| OUTCOMES.map(|outcome| (*kind, outcome)));
        let count = |(kind, outcome)| {
            let count = all.get_metric_with_label_values(&[kind, outcome])?;
            Ok(MailCount { kind, outcome, count })
        };
        pairs.map(count).collect::<Result<_, _>>().map(Self)
    }

    /// Counts a mail.
    pub(crate) fn count(&self, kind: &str, outcome: &str) {
        if let Some(one) = self.0.iter().find(|one| one.kind == kind && one.outcome == outcome) {
            one.count.inc();
        }
    }
}
