//! The entries of a cache, bounded by their number or by their weight.

use std::fmt;
use std::hash::RandomState;
use std::marker::PhantomData;
use std::sync::Arc;

use quick_cache::unsync::Cache;
use quick_cache::{Lifecycle, OptionsBuilder, Weighter};
use tokio::time::Instant;

use crate::util::{clock, drop_caught};

/// How many entries a cache holds if nothing else is said.
const ENTRIES: usize = 10_000;

/// How many bytes an entry takes in addition to its key and its value, if entries are weighed.
const ENTRY_BYTES: u64 = 128;

/// By how many entries a weight is expected to be used. It decides how many keys are remembered that
/// were evicted, and no more than that.
const EXPECTED_BYTES: u64 = 1_024;

/// How much a cache holds.
pub(super) enum Capacity<V> {
    Entries(usize),
    Bytes { limit: u64, weigh: Weigh<V> },
}

/// Returns the bytes of a value. It is user code.
pub(super) type Weigh<V> = Box<dyn Fn(&V) -> usize + Send + Sync>;

impl<V> Capacity<V> {
    /// Returns about how many entries there is room for.
    pub(super) fn entries(&self) -> usize {
        match self {
            Self::Entries(entries) => *entries,
            Self::Bytes { limit, .. } => {
                usize::try_from(limit / EXPECTED_BYTES).unwrap_or(usize::MAX)
            }
        }
    }

    /// Returns what an entry counts for. Runs user code.
    pub(super) fn weight(&self, param: &str, value: Option<&V>) -> u64 {
        match self {
            Self::Entries(_) => 1,
            Self::Bytes { weigh, .. } => {
                let bytes = value.map_or(0, weigh).saturating_add(param.len());
                ENTRY_BYTES.saturating_add(bytes as u64)
            }
        }
    }
}

impl<V> Default for Capacity<V> {
    fn default() -> Self {
        Self::Entries(ENTRIES)
    }
}

impl<V> fmt::Debug for Capacity<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Entries(entries) => write!(f, "{entries} entries"),
            Self::Bytes { limit, .. } => write!(f, "{limit} bytes"),
        }
    }
}

/// The entries, by the text of their param.
///
/// No user code runs here, also not the destructor of a value: what is removed is returned.
pub(super) struct Entries<V> {
    by_param: Cache<Box<str>, Entry<V>, Weights, RandomState, Evictions<V>>,
    /// About how many there is room for.
    expected: usize,
}

/// A value, or that there is none.
pub(super) struct Entry<V> {
    value: Option<Arc<V>>,
    weight: u64,
    /// The end of the key's time to live. The server may remove the key, and report that, only later.
    until: Option<Instant>,
}

impl<V> Entry<V> {
    pub(super) fn new(value: Option<Arc<V>>, weight: u64, until: Option<Instant>) -> Self {
        Self {
            value,
            weight,
            until,
        }
    }

    /// Returns the value, or that there is none. Returns `None` if the time to live is over.
    pub(super) fn known(&self) -> Option<Option<Arc<V>>> {
        let is_over = self.until.is_some_and(|until| until <= clock::now());
        (!is_over).then(|| self.value.clone())
    }
}

impl<V> Entries<V> {
    pub(super) fn new(capacity: &Capacity<V>) -> Self {
        let limit = match capacity {
            Capacity::Entries(entries) => *entries as u64,
            Capacity::Bytes { limit, .. } => *limit,
        };
        Self::within(limit, capacity.entries())
    }

    fn within(limit: u64, expected: usize) -> Self {
        let options = OptionsBuilder::new()
            .estimated_items_capacity(expected)
            .weight_capacity(limit)
            .build()
            .expect("both capacities are set");
        // Keys may come from the users of a service, so the hash has a secret.
        let hash = RandomState::new();
        Self {
            by_param: Cache::with_options(options, Weights, hash, Evictions(PhantomData)),
            expected,
        }
    }

    /// Takes all entries out.
    pub(super) fn take(&mut self) -> Self {
        let empty = Self::within(self.by_param.capacity(), self.expected);
        std::mem::replace(self, empty)
    }

    pub(super) fn get(&self, param: &str) -> Option<&Entry<V>> {
        self.by_param.get(param)
    }

    /// Like [`get`](Self::get), but does not count as a use.
    pub(super) fn peek(&self, param: &str) -> Option<&Entry<V>> {
        self.by_param.peek(param)
    }

    /// Adds an entry. Returns those that were removed for it, which may be the entry itself if it is
    /// too heavy.
    pub(super) fn insert(&mut self, param: Box<str>, entry: Entry<V>) -> Vec<Entry<V>> {
        let mut evicted = Vec::new();
        self.by_param
            .insert_with_lifecycle(param, entry, &mut evicted);
        evicted
    }

    pub(super) fn remove(&mut self, param: &str) -> Option<Entry<V>> {
        let (_, entry) = self.by_param.remove(param)?;
        Some(entry)
    }

    pub(super) fn len(&self) -> usize {
        self.by_param.len()
    }
}

/// What was removed from a store, to be dropped without its lock: the destructor of a value is user
/// code.
pub(super) struct Garbage<V> {
    pub(super) one_by_one: Vec<Entry<V>>,
    pub(super) all: Vec<Entries<V>>,
}

impl<V> Default for Garbage<V> {
    fn default() -> Self {
        Self {
            one_by_one: Vec::new(),
            all: Vec::new(),
        }
    }
}

impl<V> Drop for Garbage<V> {
    fn drop(&mut self) {
        self.one_by_one.drain(..).for_each(drop_caught);
        for mut entries in self.all.drain(..) {
            entries.by_param.drain().for_each(drop_caught);
        }
    }
}

#[derive(Clone)]
struct Weights;

impl<V> Weighter<Box<str>, Entry<V>> for Weights {
    fn weight(&self, _param: &Box<str>, entry: &Entry<V>) -> u64 {
        // Entries without a weight would never be evicted.
        entry.weight.max(1)
    }
}

/// Collects the entries that are evicted.
struct Evictions<V>(PhantomData<fn() -> V>);

impl<V> Lifecycle<Box<str>, Entry<V>> for Evictions<V> {
    type RequestState = Vec<Entry<V>>;

    fn on_evict(&self, evicted: &mut Vec<Entry<V>>, _param: Box<str>, entry: Entry<V>) {
        evicted.push(entry);
    }
}
