//! Suppresses log lines whose number clients control.

use std::fmt;

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

/// Where actix-http 3.20 logs at ERROR that a client sent no HTTP or went away; the client gets 400 in that case.
const DISPATCHER: &str = "actix_http::h1::dispatcher";
const FAULTS_OF_CLIENTS: [&str; 2] = ["stream error: request parse error", "stream error: I/O error"];

/// Drops those lines, and nothing else from actix-http.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quiet;

impl<S: Subscriber> Layer<S> for Quiet {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        let metadata = event.metadata();
        if *metadata.level() != Level::ERROR || metadata.target() != DISPATCHER {
            return true;
        }
        let mut message = Message(String::new());
        event.record(&mut message);
        !FAULTS_OF_CLIENTS.into_iter().any(|fault| message.0.starts_with(fault))
    }
}

/// The message of an event.
struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    /// Remembers the targets of the events it receives.
    #[derive(Clone, Default)]
    struct Seen(Arc<Mutex<Vec<String>>>);

    impl<S: Subscriber> Layer<S> for Seen {
        fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
            let mut message = Message(String::new());
            event.record(&mut message);
            self.0.lock().expect("no panic").push(message.0);
        }
    }

    #[test]
    fn only_the_faults_of_clients_are_left_out() {
        let seen = Seen::default();
        let log = tracing_subscriber::registry().with(seen.clone()).with(Quiet);
        tracing::subscriber::with_default(log, || {
            let fault = "request parse error: invalid Header provided";
            tracing::error!(target: "actix_http::h1::dispatcher", "stream error: {fault}");
            tracing::error!(target: "actix_http::h1::dispatcher", "stream error: {}", "I/O error: reset");
            tracing::error!(target: "actix_http::h1::dispatcher", "stream error: {}", "internal error");
            tracing::error!(target: "actix_http::h1::dispatcher", "Internal server error: unexpected eof");
            tracing::error!("stream error: {fault}");
            tracing::info!(target: "actix_http::h1::dispatcher", "stream error: {fault}");
        });
        let seen = seen.0.lock().expect("no panic").clone();
        let others = [
            "stream error: internal error",
            "Internal server error: unexpected eof",
            "stream error: request parse error: invalid Header provided",
            "stream error: request parse error: invalid Header provided",
        ];
        assert_eq!(seen, others);
    }
}
