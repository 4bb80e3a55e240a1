//! What caches count.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::telemetry::{CacheStats, one_of_bounded};
use crate::util::Mutex;

/// The counters of all caches of a subscriber, by the template of their keys. Those of caches that are
/// gone stay.
#[derive(Debug, Default)]
pub(crate) struct CacheRegistry {
    by_keys: Mutex<BTreeMap<String, Arc<CacheCounters>>>,
}

impl CacheRegistry {
    /// Returns the counters for a template.
    pub(super) fn counters(&self, keys: &str) -> Arc<CacheCounters> {
        let mut by_keys = self.by_keys.lock();
        let keys = one_of_bounded(&by_keys, keys).to_owned();
        Arc::clone(by_keys.entry(keys).or_default())
    }

    /// Reads the counters.
    pub(crate) fn stats(&self) -> Vec<CacheStats> {
        let by_keys = self.by_keys.lock();
        let each = by_keys.iter();
        each.map(|(keys, counters)| counters.read(keys)).collect()
    }
}

/// The counters of the caches of one template.
#[derive(Debug, Default)]
pub(super) struct CacheCounters {
    pub(super) hits: Counter,
    pub(super) misses: Counter,
    pub(super) bypasses: Counter,
    pub(super) loads: Counter,
    pub(super) invalidations: Counter,
    pub(super) clears: Counter,
    pub(super) evictions: Counter,
    /// How many entries there are now.
    entries: Counter,
}

impl CacheCounters {
    /// Records a change of the number of entries.
    pub(super) fn entries_changed(&self, before: usize, after: usize) {
        if before != after {
            let change = (after as u64).wrapping_sub(before as u64);
            self.entries.0.fetch_add(change, Relaxed);
        }
    }

    pub(super) fn read(&self, keys: &str) -> CacheStats {
        CacheStats {
            keys: keys.to_owned(),
            hits: self.hits.read(),
            misses: self.misses.read(),
            bypasses: self.bypasses.read(),
            loads: self.loads.read(),
            invalidations: self.invalidations.read(),
            clears: self.clears.read(),
            evictions: self.evictions.read(),
            entries: self.entries.read(),
        }
    }
}

/// A count that only grows.
#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn add(&self, count: usize) {
        if count > 0 {
            self.0.fetch_add(count as u64, Relaxed);
        }
    }

    fn read(&self) -> u64 {
        self.0.load(Relaxed)
    }
}
