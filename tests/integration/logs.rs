//! Reads what the library has logged about one handler.

use std::collections::HashMap;

pub(crate) use tests::overheard::listen;

/// How many lines about a handler's deliveries were not logged, by what they were about, from the lines
/// that report such a number alone.
pub(crate) fn not_logged(name: &str) -> HashMap<String, u64> {
    let mut numbers = HashMap::new();
    for fields in tests::overheard::events("redis_push") {
        let is_of_handler = fields.get("handler").is_some_and(|handler| handler == name);
        if is_of_handler && let Some(event) = fields.get("event") {
            let suppressed: u64 = fields["suppressed"].parse().unwrap();
            *numbers.entry(event.clone()).or_default() += suppressed;
        }
    }
    numbers
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
