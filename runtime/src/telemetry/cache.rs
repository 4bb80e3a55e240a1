use serde::{Deserialize, Serialize};

/// The counts of the near caches of one template (feature `cache`): what `NearCache::stats` returns.
///
/// Each key that was asked for is in one of `hits`, `misses` and `bypasses`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CacheStats {
    /// The template of the keys.
    pub keys: String,
    /// Keys that were in the cache, including those that it knew to be absent.
    pub hits: u64,
    /// Keys that were not in the cache. The caller has loaded the key, or has waited for a load of it
    /// that was under way.
    pub misses: u64,
    /// Keys that were loaded without the cache, because it could not know what had changed.
    pub bypasses: u64,
    /// Loads that were begun: keys that were read from the server, or calls of the loader.
    pub loads: u64,
    /// Keys that the server has reported as changed, in the cache or not.
    pub invalidations: u64,
    /// How often everything was removed: because changes may have been missed, or were too many, or the
    /// server was flushed.
    pub clears: u64,
    /// Entries that were removed to make room for others.
    pub evictions: u64,
    /// Entries that are in the caches now.
    pub entries: u64,
}
