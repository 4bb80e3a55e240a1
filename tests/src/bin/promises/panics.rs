//! Panics that handlers are asked for, and others.

use std::any::Any;
use std::panic;
use std::sync::{Mutex, PoisonError};

use tokio::task::JoinError;

/// What a handler says that panics because it is to.
pub(crate) const ASKED: &str = "asked to panic";

/// What others have said.
static OTHERS: Mutex<String> = Mutex::new(String::new());

/// Keeps the panics that are asked for off standard error, and takes down the others.
pub(crate) fn quieten() {
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

/// The messages of all panics so far that were not asked for.
pub(crate) fn text_so_far() -> String {
    OTHERS
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone()
}

/// Why a task has ended that was not to.
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
        .unwrap_or("it panicked")
}
