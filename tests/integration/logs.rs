//! Reads what the library has logged about one handler.

use std::collections::HashMap;

pub(crate) use tests::overheard::listen;

/// How many failed deliveries of a handler are accounted for: by a line each, by the number in a later
/// line, or by a line with a number alone.
pub(crate) fn accounted(name: &str) -> u64 {
    let number = |fields: &HashMap<_, String>| fields["suppressed"].parse::<u64>().unwrap();
    let lines = of_handler(name);
    let by_lines = lines.iter().map(|line| 1 + number(line)).sum::<u64>();
    by_lines + counts_of(name).iter().map(number).sum::<u64>()
}

/// The fields of the events that only say how many lines about a handler were not logged.
pub(crate) fn counts_of(name: &str) -> Vec<HashMap<&'static str, String>> {
    let mut events = tests::overheard::events("redis_push");
    events.retain(|fields| {
        let is_of_handler = fields.get("handler").is_some_and(|handler| handler == name);
        is_of_handler && fields.contains_key("event")
    });
    events
}

/// The fields of the events about a handler's deliveries. Tests run concurrently, so the name of the
/// handler must be unique.
pub(crate) fn of_handler(name: &str) -> Vec<HashMap<&'static str, String>> {
    let mut events = tests::overheard::events("redis_push");
    events.retain(|fields| {
        let is_of_handler = fields.get("handler").is_some_and(|handler| handler == name);
        is_of_handler && fields.contains_key("outcome")
    });
    events
}

/// How many events were logged about gaps of a handler.
pub(crate) fn gaps_of(name: &str) -> usize {
    let events = tests::overheard::events("redis_push").into_iter();
    let is_of_handler = |fields: &HashMap<&'static str, String>| {
        fields.get("handler").is_some_and(|handler| handler == name)
    };
    events
        .filter(|fields| fields.contains_key("gap") && is_of_handler(fields))
        .count()
}
