//! What a cache holds, and what it does when something has changed.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::counters::CacheCounters;
use super::entries::{Capacity, Entries, Entry, Garbage};
use super::flight::Flight;
use super::key_template::KeyTemplate;
use super::ticket::{Found, Ticket};
use crate::error::Rejection;
use crate::extract::{FromPush, Invalidation};
use crate::push::Push;
use crate::stream::{Event, EventStream};
use crate::util::{Mutex, MutexGuard};

/// How many changes one call applies. Others wait for the lock meanwhile.
const AT_ONCE: usize = 1_024;

/// The entries of a cache, the loads under way, and the stream of what has changed.
///
/// Nothing happens by itself: whoever uses the store first applies what has arrived.
pub(super) struct Store<V> {
    pub(super) keys: KeyTemplate,
    pub(super) counters: Arc<CacheCounters>,
    pub(super) capacity: Capacity<V>,
    contents: Mutex<Contents<V>>,
}

/// What is under the lock. No user code runs under it.
///
/// Keys are identified by the text of their param.
struct Contents<V> {
    changes: EventStream<Changed>,
    /// Whether the stream has reported its beginning.
    has_begun: bool,
    entries: Entries<V>,
    /// The loads whose outcome will be kept. A key that changes is removed, so that the outcome is not
    /// kept and the next caller begins another load.
    flights: HashMap<Box<str>, Arc<Flight<V>>>,
    /// What was removed, until the lock is released.
    garbage: Garbage<V>,
}

impl<V> Store<V> {
    pub(super) fn new(
        keys: KeyTemplate,
        changes: EventStream<Changed>,
        capacity: Capacity<V>,
        counters: Arc<CacheCounters>,
    ) -> Self {
        let contents = Contents {
            changes,
            has_begun: false,
            entries: Entries::new(&capacity),
            flights: HashMap::new(),
            garbage: Garbage::default(),
        };
        Self {
            keys,
            counters,
            capacity,
            contents: Mutex::new(contents),
        }
    }

    /// Looks a key up. If it is not here, the caller takes part in its load.
    pub(super) fn find(&self, param: &str) -> Found<Ticket<'_, V>, V> {
        let found = self.with(|contents, is_synced| contents.find(param, is_synced));
        self.ticket(param, found)
    }

    /// Looks keys up at one moment.
    pub(super) fn find_all(&self, params: &[String]) -> Vec<Found<Ticket<'_, V>, V>> {
        let found: Vec<_> = self.with(|contents, is_synced| {
            let params = params.iter();
            params
                .map(|param| contents.find(param, is_synced))
                .collect()
        });
        let both = params.iter().zip(found);
        both.map(|(param, found)| self.ticket(param, found))
            .collect()
    }

    /// Returns what is known about a key, and loads nothing.
    pub(super) fn peek(&self, param: &str) -> Option<Option<Arc<V>>> {
        self.with(|contents, is_synced| {
            let entries = is_synced.then_some(&contents.entries)?;
            entries.peek(param)?.known()
        })
    }

    /// Removes a key, as if it had changed.
    pub(super) fn forget(&self, param: &str) {
        self.with(|contents, _| contents.forget(param));
    }

    /// Ends a load. Its entry, if it has brought one, is kept unless it may be out of date.
    pub(super) fn land(&self, param: &str, flight: &Arc<Flight<V>>, entry: Option<Entry<V>>) {
        self.with(|contents, _| {
            let is_registered = contents.unregister(param, flight);
            let Some(entry) = entry else { return };
            if !is_registered {
                contents.garbage.one_by_one.push(entry);
                return;
            }
            let evicted = contents.entries.insert(param.into(), entry);
            self.counters.evictions.add(evicted.len());
            contents.garbage.one_by_one.extend(evicted);
        });
    }

    /// Counts one who takes part in a load no more. The last one ends it without an outcome.
    pub(super) fn leave(&self, param: &str, flight: &Arc<Flight<V>>) {
        let mut contents = self.contents.lock();
        if flight.takes_part.fetch_sub(1, Relaxed) == 1 {
            contents.unregister(param, flight);
        }
    }

    pub(super) fn is_synced(&self) -> bool {
        self.with(|_, is_synced| is_synced)
    }

    #[cfg(all(test, not(shuttle)))]
    pub(super) fn loads_under_way(&self) -> usize {
        self.contents.lock().flights.len()
    }

    /// Counts what was found, and makes it the caller's.
    fn ticket(&self, param: &str, found: Found<Arc<Flight<V>>, V>) -> Found<Ticket<'_, V>, V> {
        match found {
            Found::Known(value) => {
                self.counters.hits.add(1);
                Found::Known(value)
            }
            Found::Loading(flight) => {
                self.counters.misses.add(1);
                Found::Loading(Ticket::new(self, param, flight))
            }
            Found::NotSynced => {
                self.counters.bypasses.add(1);
                Found::NotSynced
            }
        }
    }

    /// Applies what has arrived, and runs a closure on the contents, with whether they are synced: they
    /// may be served, and loads that begin now may be kept.
    fn with<R>(&self, run: impl FnOnce(&mut Contents<V>, bool) -> R) -> R {
        let mut contents = self.contents.lock();
        let before = contents.entries.len();
        let is_synced = contents.catch_up(&self.keys, &self.counters);
        let result = run(&mut contents, is_synced);
        self.counters
            .entries_changed(before, contents.entries.len());
        unlock(contents);
        result
    }
}

/// Releases the lock, and then drops what was removed.
fn unlock<V>(mut contents: MutexGuard<'_, Contents<V>>) {
    let garbage = std::mem::take(&mut contents.garbage);
    drop(contents);
    drop(garbage);
}

impl<V> Drop for Store<V> {
    fn drop(&mut self) {
        let mut contents = self.contents.lock();
        self.counters.entries_changed(contents.entries.len(), 0);
        let all = contents.entries.take();
        contents.garbage.all.push(all);
        unlock(contents);
    }
}

impl<V> Contents<V> {
    /// Applies what has arrived, or as much of it as a call may. Returns whether the contents are synced:
    /// if more has arrived, they are not, and the next calls go on.
    fn catch_up(&mut self, keys: &KeyTemplate, counters: &CacheCounters) -> bool {
        // Asked before the changes are read. If the connection was lost and is live again by now, the
        // gap is among them. If it is live a moment later, the gap may not be, and what is here may
        // be from before it.
        let is_live = self.changes.is_live();
        let mut applied = 0;
        while let Some(event) = self.changes.take_ready() {
            match event {
                Event::Message(Changed::Key(key)) => {
                    if let Some(param) = keys.param_of(&key) {
                        counters.invalidations.add(1);
                        self.forget(param);
                    }
                }
                // The server has flushed a database.
                Event::Message(Changed::All) | Event::Rejected(_) => self.clear(counters),
                Event::Gap(_) if self.has_begun => self.clear(counters),
                Event::Gap(_) => self.has_begun = true,
            }
            applied += 1;
            if applied == AT_ONCE {
                return false;
            }
        }
        if self.changes.ended().is_some() && self.entries.len() > 0 {
            self.clear(counters);
        }
        is_live && self.has_begun && self.changes.ended().is_none()
    }

    fn find(&mut self, param: &str, is_synced: bool) -> Found<Arc<Flight<V>>, V> {
        if !is_synced {
            return Found::NotSynced;
        }
        if let Some(entry) = self.entries.get(param) {
            match entry.known() {
                Some(value) => return Found::Known(Ok(value)),
                None => self.forget(param),
            }
        }
        let flight = match self.flights.get(param) {
            Some(flight) => Arc::clone(flight),
            None => {
                let flight = Arc::new(Flight::new());
                self.flights.insert(param.into(), Arc::clone(&flight));
                flight
            }
        };
        flight.takes_part.fetch_add(1, Relaxed);
        Found::Loading(flight)
    }

    /// Removes a key that has changed.
    fn forget(&mut self, param: &str) {
        self.garbage.one_by_one.extend(self.entries.remove(param));
        self.flights.remove(param);
    }

    /// Removes everything: anything may have changed.
    fn clear(&mut self, counters: &CacheCounters) {
        counters.clears.add(1);
        if self.entries.len() > 0 {
            self.garbage.all.push(self.entries.take());
        }
        self.flights.clear();
    }

    /// Ends a load. Returns whether it was registered still: the key has not changed since the load has
    /// begun, as far as that has arrived, and nothing was missed.
    fn unregister(&mut self, param: &str, flight: &Arc<Flight<V>>) -> bool {
        let registered = self.flights.get(param);
        let is_it = registered.is_some_and(|registered| Arc::ptr_eq(registered, flight));
        if is_it {
            self.flights.remove(param);
        }
        is_it
    }
}

/// A key that may have changed, or all keys.
pub(super) enum Changed {
    Key(Box<[u8]>),
    All,
}

impl<'p> FromPush<'p, ()> for Changed {
    fn from_push(push: Push<'p>, state: &'p ()) -> Result<Self, Rejection> {
        Ok(match Invalidation::from_push(push, state)? {
            Invalidation::Key(key) => Self::Key(key.into()),
            Invalidation::All => Self::All,
        })
    }
}
