//! Where the connections for commands go in a test: to the server of the test kit, whatever address they
//! have.
//!
//! A publisher in the state of an application has an address of its own, and the kit cannot reach it there.
//! So the address is looked up where a connection is made: by the runtime, of which each test has its own.
//! Without a test kit there is nothing to look up.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Acquire, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::runtime::{Handle, Id};

use super::destination::Destination;
use crate::error::Error;
use crate::probe::SharedProbe;

/// How many kits there are in the process.
static KITS: AtomicUsize = AtomicUsize::new(0);

static ENTRIES: Mutex<Vec<Entry>> = Mutex::new(Vec::new());

struct Entry {
    number: u64,
    runtime: Id,
    to: Destination,
    probe: SharedProbe,
}

/// Redirects the connections that are made on a runtime, until it is dropped.
#[derive(Debug)]
pub(crate) struct Redirect {
    number: u64,
}

impl Redirect {
    /// Begins to redirect the connections of the current runtime.
    pub(crate) fn begin(to: Destination, probe: SharedProbe) -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        let number = LAST.fetch_add(1, Relaxed);
        entries().push(Entry {
            number,
            runtime: Handle::current().id(),
            to,
            probe,
        });
        KITS.fetch_add(1, Acquire);
        Self { number }
    }
}

impl Drop for Redirect {
    fn drop(&mut self) {
        entries().retain(|entry| entry.number != self.number);
        KITS.fetch_sub(1, Relaxed);
    }
}

/// Returns where to connect to, instead of there.
///
/// # Errors
///
/// Returns an error if several kits run on this runtime and the server is that of none of them.
pub(super) fn destination(own: &Destination) -> Result<Destination, Error> {
    let Some(found) = find(own, |entry| entry.to.clone()) else {
        return Ok(own.clone());
    };
    found.ok_or_else(|| {
        Error::config(format!(
            "several test kits run on this runtime, so it is not known to which of them the connection to \
             {own} belongs; run each kit on a runtime of its own, as `#[tokio::test]` does"
        ))
    })
}

/// Returns the probe of the kit that a connection belongs to.
pub(super) fn probe(own: &Destination) -> Option<SharedProbe> {
    find(own, |entry| Arc::clone(&entry.probe)).flatten()
}

/// Finds the kit that a server belongs to. Returns `None` if no kit runs on this runtime, and `Some(None)`
/// if there are several and the server is that of none of them.
fn find<T>(own: &Destination, get: impl FnOnce(&Entry) -> T) -> Option<Option<T>> {
    if KITS.load(Acquire) == 0 {
        return None;
    }
    let runtime = Handle::try_current().ok()?.id();
    let entries = entries();
    let here: Vec<_> = entries
        .iter()
        .filter(|entry| entry.runtime == runtime)
        .collect();
    let belongs = |entry: &&&Entry| entry.to.address() == own.address();
    match &*here {
        [] => None,
        [only] => Some(Some(get(only))),
        several => Some(several.iter().find(belongs).map(|entry| get(entry))),
    }
}

fn entries() -> MutexGuard<'static, Vec<Entry>> {
    ENTRIES.lock().unwrap_or_else(PoisonError::into_inner)
}
