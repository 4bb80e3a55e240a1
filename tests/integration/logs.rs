//! Reads what the library has logged about one handler.

use std::collections::HashMap;

pub(crate) use tests::overheard::listen;

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
