//! Log lines as JSON, one object each.

use std::fmt;

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::{Format, Json, Writer};
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use super::REQUEST;
use crate::db::Timestamp;
use crate::json::push_text;

/// Initial capacity of a line.
const USUAL_BYTES: usize = 256;

/// The system clock, to the millisecond.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock;

impl FormatTime for Clock {
    fn format_time(&self, writer: &mut Writer<'_>) -> fmt::Result {
        writer.write_str(Timestamp::now().to_fixed_width().as_str())
    }
}

/// tracing-subscriber's JSON. The line of a successful request is written here instead, in the same format: every
/// request has it, and it was a quarter of a request's work (docs/performance.md).
#[derive(Debug)]
pub(super) struct JsonLines(Format<Json, Clock>);

impl Default for JsonLines {
    fn default() -> Self {
        let json = Format::default().json().with_timer(Clock);
        Self(json.flatten_event(true).with_current_span(false).with_span_list(false))
    }
}

impl<S, N> FormatEvent<S, N> for JsonLines
where
    S: Subscriber + for<'lookup> LookupSpan<'lookup>,
    N: for<'writer> FormatFields<'writer> + 'static,
{
    fn format_event(&self, ctx: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let metadata = event.metadata();
        if metadata.target() != REQUEST || *metadata.level() != Level::INFO {
            return self.0.format_event(ctx, writer, event);
        }
        let mut line = Line(String::with_capacity(USUAL_BYTES));
        line.0.push_str("{\"timestamp\":\"");
        line.0.push_str(Timestamp::now().to_fixed_width().as_str());
        line.0.push_str("\",\"level\":\"INFO\"");
        event.record(&mut line);
        line.0.push_str(",\"target\":\"");
        line.0.push_str(REQUEST);
        line.0.push_str("\"}\n");
        writer.write_str(&line.0)
    }
}

/// A line in progress, to which an event's fields are added.
struct Line(String);

impl Line {
    fn name(&mut self, field: &Field) {
        self.0.push_str(",\"");
        self.0.push_str(field.name());
        self.0.push_str("\":");
    }
}

impl Visit for Line {
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.name(field);
        self.0.push_str(itoa::Buffer::new().format(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.name(field);
        push_text(&mut self.0, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use proptest::prelude::*;
    use serde_json::Value;
    use tracing_subscriber::fmt::SubscriberBuilder;
    use tracing_subscriber::fmt::format::JsonFields;

    use super::*;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Sink {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("no panic").write(text)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// The format's own line for a request, without the time.
    fn line_by<F>(format: F, path: &str, status: u16, micros: u64) -> String
    where
        F: FormatEvent<tracing_subscriber::Registry, JsonFields> + Send + Sync + 'static,
    {
        let sink = Sink::default();
        let writer = sink.clone();
        let log = SubscriberBuilder::default().json().event_format(format).with_writer(move || writer.clone()).finish();
        tracing::subscriber::with_default(log, || {
            let (method, id) = ("GET", "abc-1");
            tracing::info!(target: REQUEST, method, path, status, micros, id);
        });
        let text = String::from_utf8(sink.0.lock().expect("no panic").clone()).expect("UTF-8");
        let parsed: Value = serde_json::from_str(&text).expect("JSON");
        let time = parsed["timestamp"].as_str().expect("a time");
        assert_eq!(time.len(), 24);
        text.replace(time, "")
    }

    proptest! {
        #![proptest_config(crate::testing::properties::config())]

        #[test]
        fn the_line_of_a_request_is_what_the_library_would_write(path in any::<String>(), status: u16, micros: u64) {
            let ours = line_by(JsonLines::default(), &path, status, micros);
            prop_assert_eq!(ours, line_by(JsonLines::default().0, &path, status, micros));
        }
    }
}
