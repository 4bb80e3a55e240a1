//! Records everything that this process logs, for tests that check that something is never logged:
//! every event and span of `tracing` and every record of `log`, at the finest level, and every
//! panic.

use std::collections::HashMap;
use std::fmt::{self, Write as _};
use std::sync::{Mutex, Once, PoisonError};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());
static EVENTS: Mutex<Vec<(&str, HashMap<&str, String>)>> = Mutex::new(Vec::new());

/// Starts to record. It installs the global `tracing` subscriber, the logger of `log` and a panic
/// hook, which calls the previous hook.
///
/// # Panics
///
/// If another subscriber or logger is installed already.
pub fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        tracing::subscriber::set_global_default(Listener).expect("no other subscriber");
        log::set_logger(&Listener).expect("no other logger");
        log::set_max_level(log::LevelFilter::Trace);
        let print = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            note(panic.to_string());
            // Handlers panic there, thousands of times and on purpose. While their backtraces are
            // resolved, every other panic waits.
            if std::thread::current().name() == Some("tokio-rt-worker") {
                eprintln!("{panic}");
            } else {
                print(panic);
            }
        }));
    });
}

/// The lines recorded so far that contain a text.
pub fn lines_with(text: &str) -> Vec<String> {
    let lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
    let with = lines.iter().filter(|line| line.contains(text));
    with.cloned().collect()
}

/// The fields of the events of a target recorded so far, including the message.
pub fn events(target: &str) -> Vec<HashMap<&'static str, String>> {
    let events = EVENTS.lock().unwrap_or_else(PoisonError::into_inner);
    let of_target = events.iter().filter(|(of, _)| *of == target);
    of_target.map(|(_, fields)| fields.clone()).collect()
}

fn note(line: String) {
    LINES
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(line);
}

struct Listener;

impl Subscriber for Listener {
    fn enabled(&self, _metadata: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut line = Line::of(span.metadata());
        span.record(&mut line);
        note(line.0);
        Id::from_u64(1)
    }

    fn record(&self, _span: &Id, values: &Record<'_>) {
        let mut line = Line(String::new());
        values.record(&mut line);
        note(line.0);
    }

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::of(event.metadata());
        event.record(&mut line);
        note(line.0);
        let mut fields = Fields(HashMap::new());
        event.record(&mut fields);
        EVENTS
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push((event.metadata().target(), fields.0));
    }

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}
    fn enter(&self, _span: &Id) {}
    fn exit(&self, _span: &Id) {}
}

impl log::Log for Listener {
    fn enabled(&self, _metadata: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let (level, target) = (record.level(), record.target());
        note(format!("{level} {target}: {}", record.args()));
    }

    fn flush(&self) {}
}

struct Line(String);

impl Line {
    fn of(metadata: &Metadata<'_>) -> Self {
        Self(format!("{} {}:", metadata.level(), metadata.target()))
    }
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = write!(self.0, " {field}={value:?}");
    }
}

struct Fields(HashMap<&'static str, String>);

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}
