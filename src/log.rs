//! The log of the service: lines for people on a terminal, JSON for everything else.

mod lines;
mod output;

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use lines::{Clock, JsonLines};
pub(crate) use output::Output;

/// The target of the one line that each request has.
pub(crate) const REQUEST: &str = "keyfob::request";

/// Starts the log; `RUST_LOG` chooses what is shown. What is dropped at the end writes what has not been written yet.
///
/// # Errors
/// When the system gives no thread to write it.
pub(crate) fn start() -> std::io::Result<Option<Output>> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt().with_env_filter(filter);
    if std::io::stdout().is_terminal() {
        log.with_target(false).compact().init();
        return Ok(None);
    }
    let output = Output::start(std::io::stdout())?;
    log.json().with_timer(Clock).event_format(JsonLines::default()).with_writer(output.lines()).init();
    Ok(Some(output))
}
