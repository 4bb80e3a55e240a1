//! From a builder to a cache.

use std::ops::RangeInclusive;
use std::pin::Pin;
use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::builder::{CacheContext, Chosen, NearCacheBuilder};
use super::counters::CacheCounters;
use super::decode;
use super::entries::Capacity;
use super::key_template::KeyTemplate;
use super::near_cache::NearCache;
use super::source::{Get, Source};
use super::store::{Changed, Store};
use crate::error::Result;
use crate::stream::{EventStream, Subscribe};
use crate::subscription::Subscription;
pub(super) use sealed::Values;

/// How many changes may wait to be applied: as many as there may be entries, because a cache with more
/// changes to apply than it has entries can as well begin anew. But at least the first, and at most the
/// last.
const BUFFER: RangeInclusive<usize> = 256..=65_536;

impl<K, V, S: sealed::HasValues<K, V>> NearCacheBuilder<K, V, S> {
    /// Begins the cache without waiting for the server. Until the server has confirmed, calls bypass the
    /// cache.
    ///
    /// If the server denies the invalidations, calls bypass the cache until it does not, and
    /// [`Health`](crate::Health::streams) lists them.
    ///
    /// # Errors
    ///
    /// As those of the future, except that no server is asked.
    pub fn now(self) -> Result<NearCache<K, V>> {
        let (parts, subscribe) = self.into_parts()?;
        Ok(parts.cache(subscribe.now()?))
    }

    fn into_parts(self) -> Result<(Parts<K, V>, Subscribe<Changed>)> {
        let CacheContext {
            mut streams,
            commands,
            registry,
        } = self.context;
        // The stream takes its names from the template, which has the prefix then.
        let prefix = streams.prefix.take().unwrap_or_default();
        let prefix = prefix.replace('{', "{{").replace('}', "}}");
        let keys = KeyTemplate::parse(&format!("{prefix}{}", self.template))?;
        let buffer = self.capacity.entries();
        let buffer = buffer.clamp(*BUFFER.start(), *BUFFER.end());
        let changes = Subscription::invalidation(keys.prefix().to_owned());
        let subscribe = Subscribe::new(streams, changes).buffer(buffer).decode();
        let parts = Parts {
            source: match self.values.into_values() {
                Values::Loaded(loader) => Source::Loader(loader),
                Values::Decoded(decode) => Source::Get(Get {
                    commands,
                    timeout: self.timeout,
                    decode,
                }),
            },
            counters: registry.counters(&keys.to_string()),
            keys,
            capacity: self.capacity,
        };
        Ok((parts, subscribe))
    }
}

/// What a cache is made of, except the stream of changes.
struct Parts<K, V> {
    keys: KeyTemplate,
    source: Source<K, V>,
    capacity: Capacity<V>,
    counters: Arc<CacheCounters>,
}

impl<K, V> Parts<K, V> {
    fn cache(self, changes: EventStream<Changed>) -> NearCache<K, V> {
        let store = Store::new(self.keys, changes, self.capacity, self.counters);
        NearCache::of(store, self.source)
    }
}

impl<K, V> IntoFuture for NearCacheBuilder<K, V>
where
    K: 'static,
    V: DeserializeOwned + Send + Sync + 'static,
{
    type Output = Result<NearCache<K, V>>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        self.choose(Values::Decoded(decode::json)).into_future()
    }
}

impl<K, V> IntoFuture for NearCacheBuilder<K, V, Chosen<K, V>>
where
    K: 'static,
    V: Send + Sync + 'static,
{
    type Output = Result<NearCache<K, V>>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        let parts = self.into_parts();
        let parts = parts.map(|(parts, subscribe)| (parts, subscribe.into_future()));
        Box::pin(async move {
            let (parts, subscribing) = parts?;
            Ok(parts.cache(subscribing.await?))
        })
    }
}

mod sealed {
    use serde::de::DeserializeOwned;

    use crate::cache::builder::{Chosen, Unset};
    use crate::cache::decode::{self, Decode};
    use crate::cache::source::Loader;

    /// Where values come from.
    pub enum Values<K, V> {
        Decoded(Decode<V>),
        Loaded(Loader<K, V>),
    }

    pub trait HasValues<K, V> {
        fn into_values(self) -> Values<K, V>;
    }

    impl<K, V: DeserializeOwned> HasValues<K, V> for Unset {
        fn into_values(self) -> Values<K, V> {
            Values::Decoded(decode::json)
        }
    }

    impl<K, V> HasValues<K, V> for Chosen<K, V> {
        fn into_values(self) -> Values<K, V> {
            self.0
        }
    }
}
