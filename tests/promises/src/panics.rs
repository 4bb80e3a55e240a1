//! Separates the panics that the tests cause from unexpected ones.

use std::any::Any;
use std::panic;
use std::sync::{Mutex, PoisonError};

use tokio::task::JoinError;

/// The message of an intended panic.
pub(crate) const ASKED: &str = "asked to panic";

/// The messages of unexpected panics.
static OTHERS: Mutex<String> = Mutex::new(String::new());

/// Installs a panic hook that hides intended panics, and records and prints the others.
pub(crate) fn install_hook() {
    let print = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if text(info.payload()) != ASKED {
            let mut others = OTHERS.lock().unwrap_or_else(PoisonError::into_inner);
            others.push_str(text(info.payload()));
            others.push('\n');
            drop(others);
            print(info);
        }
    }));
}

/// The messages of all unexpected panics so far.
pub(crate) fn unexpected() -> String {
    OTHERS
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone()
}

/// The reason why a task ended unexpectedly.
pub(crate) fn text_of(error: JoinError) -> String {
    match error.try_into_panic() {
        Ok(payload) => text(&*payload).to_owned(),
        Err(error) => error.to_string(),
    }
}

fn text(payload: &(dyn Any + Send)) -> &str {
    let owned = payload.downcast_ref::<String>().map(String::as_str);
    owned
        .or_else(|| payload.downcast_ref::<&str>().copied())
        .unwrap_or("the task panicked")
}
