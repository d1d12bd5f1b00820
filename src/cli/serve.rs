//! `keyfob serve`

use super::{CommandError, open};
use crate::app::StartError;
use crate::config::{Settings, log_filter};
use crate::log;

pub(super) async fn serve(settings: Settings) -> Result<(), CommandError> {
    let _output = log::start(log_filter()?.as_deref()).map_err(StartError::System)?;
    open(settings).await?.serve().await?;
    tracing::info!("stopped");
    Ok(())
}
