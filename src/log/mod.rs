//! The log of the service: lines for people on a terminal, JSON for everything else.

mod lines;
mod output;
mod quiet;

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use lines::{Clock, JsonLines};
pub(crate) use output::Output;
use quiet::Quiet;

/// The target of the one line that each request has.
pub(crate) const REQUEST: &str = "keyfob::request";

/// Starts the log; `RUST_LOG` chooses what is shown. What is dropped at the end writes what has not been written yet.
///
/// # Errors
/// When the system gives no thread to write it.
pub(crate) fn start() -> std::io::Result<Option<Output>> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    // A line that cannot be written is dropped: the library would say so on standard error, and panic where that cannot be
    // written either, in the middle of a request (a log on a full disk, or a reader of both that went away).
    let log = tracing_subscriber::fmt().with_env_filter(filter).log_internal_errors(false);
    if std::io::stdout().is_terminal() {
        log.with_target(false).compact().finish().with(Quiet).init();
        return Ok(None);
    }
    let output = Output::start(std::io::stdout())?;
    let log = log.json().with_timer(Clock).event_format(JsonLines::default()).with_writer(output.lines());
    log.finish().with(Quiet).init();
    Ok(Some(output))
}
