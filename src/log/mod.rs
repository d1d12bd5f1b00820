//! The service's log: readable lines on a terminal, JSON everywhere else.

mod filter;
mod lines;
mod output;
mod quiet;

use std::io::IsTerminal;

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use filter::parse;
use lines::{Clock, JsonLines};
pub(crate) use output::Output;
use quiet::Quiet;

/// actix-server's lines at INFO (threads, its own line for each address) say nothing that an operator needs.
const DEFAULT_FILTER: &str = "info,actix_server=warn";

/// The target of the one line for each request.
pub(crate) const REQUEST: &str = "keyfob::request";

/// Starts the log with the filter of `RUST_LOG`, if that is set. Dropping the returned output writes all remaining
/// lines.
///
/// # Errors
/// If the filter is wrong, or the system refuses a thread for the writer.
pub(crate) fn start(filter: Option<&str>) -> std::io::Result<Option<Output>> {
    let filter = parse(filter.unwrap_or(DEFAULT_FILTER))?;
    // Drop a line that cannot be written. The library would report it on standard error, and panic in the middle of a
    // request if that cannot be written either (a log on a full disk, or a reader of both that has gone).
    let log = tracing_subscriber::fmt().with_env_filter(filter).log_internal_errors(false);
    if std::io::stdout().is_terminal() {
        log.with_target(false).with_timer(Clock).compact().finish().with(Quiet).init();
        return Ok(None);
    }
    let output = Output::start(std::io::stdout())?;
    let log = log.json().with_timer(Clock).event_format(JsonLines::default()).with_writer(output.lines());
    log.finish().with(Quiet).init();
    Ok(Some(output))
}
