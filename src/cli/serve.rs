//! `keyfob serve`

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use super::{CommandError, open};
use crate::config::Settings;

pub(super) async fn serve(settings: Settings) -> Result<(), CommandError> {
    start_log();
    open(settings).await?.serve().await?;
    tracing::info!("stopped");
    Ok(())
}

/// Lines for people on a terminal, JSON for everything else; `RUST_LOG` chooses what is shown.
fn start_log() {
    let filter = || EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    if std::io::stdout().is_terminal() {
        tracing_subscriber::fmt().with_env_filter(filter()).with_target(false).compact().init();
    } else {
        tracing_subscriber::fmt()
            .json()
            .with_env_filter(filter())
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false)
            .init();
    }
}
