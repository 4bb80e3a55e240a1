use std::borrow::Borrow;
use std::fmt::{self, Display};
use std::sync::Arc;

use super::concurrent::all;
use super::flight::Outcome;
use super::source::{Loaded, Source};
use super::store::Store;
use super::ticket::{Found, Ticket};
use crate::error::Result;
use crate::telemetry::CacheStats;

/// How many keys [`NearCache::get_many`] reads in one round trip.
const AT_ONCE: usize = 500;

/// A cache of values that are removed when the server reports that they have changed.
///
/// ```
/// # use redis_push::{NearCache, Subscriber, testing::Broker};
/// use serde::Deserialize;
///
/// #[derive(Deserialize)]
/// struct User {
///     name: String,
/// }
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = Broker::start().await?;
/// # let mut writer = redis_push::redis::Client::open(server.url())?
/// #     .get_multiplexed_async_connection().await?;
/// # let set = |key, value| { let mut set = redis_push::redis::cmd("SET"); set.arg(key).arg(value); set };
/// # set("user:7", r#"{"name": "Ada"}"#).exec_async(&mut writer).await?;
/// # let url = server.url();
/// let handle = Subscriber::new(url).start().await?;
/// let users = NearCache::<u64, User>::new(&handle, "user:{id}").await?;
///
/// let user = users.get(&7).await?; // reads `user:7` from the server
/// assert_eq!(user.unwrap().name, "Ada");
/// users.get(&7).await?; // does not
/// assert_eq!((users.stats().hits, users.stats().loads), (1, 1));
///
/// // Somebody changes the key.
/// # set("user:7", r#"{"name": "Grace"}"#).exec_async(&mut writer).await?;
/// # while users.stats().invalidations == 0 { users.peek(&7); tokio::task::yield_now().await; }
/// let user = users.get(&7).await?;
/// assert_eq!(user.unwrap().name, "Grace");
/// # Ok(())
/// # }
/// ```
///
/// The keys are those of a template with one param, such as `user:{id}`. A value is read with `GET` and
/// decoded from JSON, or by another [codec](crate::NearCacheBuilder::codec), or
/// [loaded by a function](crate::NearCacheBuilder::load_with): from a hash, or from a database. That a key is
/// absent is remembered too. The server reports each change of a key with the text before the param
/// (`CLIENT TRACKING` by prefix: see [`Invalidation`](crate::Invalidation)), and the cache removes it.
///
/// A cache is cheap to clone, and all clones are the same cache. It has no task of its own: each call
/// first applies what the server has reported by then.
///
/// # What it guarantees
///
/// **Whatever it serves was still right when the last `PING` was answered.** The subscriber sends one
/// each five seconds, and notices a silent connection after ten
/// ([`Subscriber::ping`](crate::Subscriber::ping)). While the connection is up, a change arrives
/// within a round trip.
///
/// - A value that changes while it is loaded is given to those who wait for it, and not kept.
/// - After an outage, and after everything else after which a change may have been missed, the cache
///   is empty.
/// - From the moment at which an outage is noticed until its end, each call *bypasses* the cache: it
///   loads what it needs, and keeps nothing. Calls do not share such a load, because it is not known
///   whether the value has changed since it began. So an outage of the server puts the full load on
///   whatever a [loader](crate::NearCacheBuilder::load_with) asks; limit it there if it must not. After the
///   subscriber has ended, all calls bypass the cache.
/// - A key is loaded by one caller at a time, and the others wait for it. If that caller's future is
///   dropped, one of the others loads it. An error goes to all who wait, and is not kept.
///
/// It does not wait for changes: a program that has just written a key may still get the previous value.
/// [`invalidate`](Self::invalidate) after the write prevents that, for this cache. No server reports
/// `SWAPDB`.
///
/// A value that is read from the server is not served any longer than its key lives. The server reports
/// the end of a key only when it removes it, which may be much later, so the time to live is read with the
/// value. A [loader](crate::NearCacheBuilder::load_with) cannot do that.
///
/// # Capacity
///
/// A cache holds 10,000 entries, or as many as [`capacity`](crate::NearCacheBuilder::capacity) says, or as many
/// [bytes](crate::NearCacheBuilder::capacity_bytes). Of those that are seldom used, it removes the oldest first
/// (S3-FIFO, by the crate `quick_cache`).
///
/// # Cost
///
/// A hit takes a few short locks and no round trip. A cache counts as one
/// [stream](crate::Subscriber::max_streams). Changes that nobody has applied wait in its buffer. A call
/// applies up to 1,024 of them, and bypasses the cache if more wait. If more wait than the cache can hold
/// entries, but at least 256 and at most 65,536, it is emptied instead.
pub struct NearCache<K, V> {
    inner: Arc<Inner<K, V>>,
}

struct Inner<K, V> {
    store: Store<V>,
    source: Source<K, V>,
}

impl<K, V> NearCache<K, V> {
    /// Returns how many loads are registered.
    #[cfg(all(test, not(shuttle)))]
    pub(super) fn loads_under_way(&self) -> usize {
        self.inner.store.loads_under_way()
    }

    pub(super) fn of(store: Store<V>, source: Source<K, V>) -> Self {
        let inner = Arc::new(Inner { store, source });
        Self { inner }
    }

    /// Returns the value of a key, or `None` if the key is absent: from the cache, or else it is loaded.
    ///
    /// # Errors
    ///
    /// Returns an error when
    ///
    /// - the key cannot be part of a name, because it is empty or contains `.`, `:` or `/`
    ///   ([`Error::is_encode`]); a param such as `{id*}` takes these characters;
    /// - the server cannot be reached, or cannot answer in its present state, such as while it loads its
    ///   data ([`Error::is_connection`]), does not answer in time ([`Error::is_timeout`]), or refuses the
    ///   read ([`Error::is_denied`]);
    /// - the key holds no string, the value does not decode, or the loader returns an error or panics
    ///   ([`Error::is_load`]).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: if the future is dropped, the next caller who waits for the same key loads it.
    ///
    /// [`Error::is_encode`]: crate::Error::is_encode
    /// [`Error::is_connection`]: crate::Error::is_connection
    /// [`Error::is_timeout`]: crate::Error::is_timeout
    /// [`Error::is_denied`]: crate::Error::is_denied
    /// [`Error::is_load`]: crate::Error::is_load
    pub async fn get<Q>(&self, key: &Q) -> Result<Option<Arc<V>>>
    where
        K: Borrow<Q>,
        Q: Display + ToOwned<Owned = K> + ?Sized,
    {
        // A task that finds all it asks for must not keep its thread from other tasks.
        tokio::task::consume_budget().await;
        let store = &self.inner.store;
        let param = store.keys.param(key)?;
        let found = store.find(&param);
        self.inner.outcome(found, key, &param).await
    }

    /// Returns the values of keys, in their order. Those that are not in the cache are read in one round
    /// trip, up to 500 at a time, or loaded by the loader, up to 32 at a time.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get), for any of the keys. The values of the others are in the cache then.
    ///
    /// # Cancel safety
    ///
    /// As [`get`](Self::get).
    pub async fn get_many<'q, Q>(
        &self,
        keys: impl IntoIterator<Item = &'q Q>,
    ) -> Result<Vec<Option<Arc<V>>>>
    where
        K: Borrow<Q>,
        Q: Display + ToOwned<Owned = K> + ?Sized + 'q,
    {
        let keys: Vec<&Q> = keys.into_iter().collect();
        tokio::task::consume_budget().await;
        self.inner.get_many(&keys).await
    }

    /// Returns what the cache knows about a key, and loads nothing: `None` if it does not know the key,
    /// and `Some(None)` if it knows that the key is absent.
    ///
    /// This does not count as a hit, and not as a use of the entry.
    pub fn peek<Q>(&self, key: &Q) -> Option<Option<Arc<V>>>
    where
        K: Borrow<Q>,
        Q: Display + ?Sized,
    {
        let store = &self.inner.store;
        let param = store.keys.param(key).ok()?;
        store.peek(&param)
    }

    /// Removes a key, as if the server had reported a change. A load of the key that has begun is not
    /// kept.
    ///
    /// After a write by this program, [`get`](Self::get) returns what was written even if the report of
    /// the server has not arrived yet.
    pub fn invalidate<Q>(&self, key: &Q)
    where
        K: Borrow<Q>,
        Q: Display + ?Sized,
    {
        let store = &self.inner.store;
        if let Ok(param) = store.keys.param(key) {
            store.forget(&param);
        }
    }

    /// Returns whether the server has confirmed on the current connection that it reports changes. If it
    /// has not, calls bypass the cache.
    #[must_use]
    pub fn is_synced(&self) -> bool {
        self.inner.store.is_synced()
    }

    /// Returns the counts of this cache. Caches of one subscriber with the same template are counted
    /// together.
    #[must_use]
    pub fn stats(&self) -> CacheStats {
        let Store { keys, counters, .. } = &self.inner.store;
        counters.read(&keys.to_string())
    }
}

impl<K, V> Inner<K, V> {
    /// Returns the value of a key, after what was found for it.
    async fn outcome<Q>(&self, found: Found<Ticket<'_, V>, V>, key: &Q, param: &str) -> Outcome<V>
    where
        Q: ToOwned<Owned = K> + ?Sized,
    {
        match found {
            Found::Known(outcome) => outcome,
            Found::Loading(mut ticket) => match ticket.outcome().await {
                Some(outcome) => outcome,
                None => ticket.end(self.load(key, param).await),
            },
            Found::NotSynced => Ok(self.load(key, param).await?.value.map(Arc::new)),
        }
    }

    async fn load<Q>(&self, key: &Q, param: &str) -> Result<Loaded<V>>
    where
        Q: ToOwned<Owned = K> + ?Sized,
    {
        self.store.counters.loads.add(1);
        let name = self.store.keys.key(param);
        match &self.source {
            Source::Get(get) => get.read_one(name).await,
            Source::Loader(loader) => loader.load(key.to_owned(), &name).await,
        }
    }

    async fn get_many<Q>(&self, keys: &[&Q]) -> Result<Vec<Option<Arc<V>>>>
    where
        Q: Display + ToOwned<Owned = K> + ?Sized,
    {
        let Self { store, source } = self;
        let params = keys.iter().map(|key| store.keys.param(*key));
        let params: Vec<String> = params.collect::<Result<_>>()?;
        let mut found = store.find_all(&params);
        if let Source::Get(get) = source {
            // What nobody reads yet is read together.
            let mut unread: Vec<_> = found
                .iter_mut()
                .zip(&params)
                .filter_map(|(found, param)| found.try_turn().then_some((found, param)))
                .collect();
            for unread in unread.chunks_mut(AT_ONCE) {
                store.counters.loads.add(unread.len());
                let names = unread.iter().map(|(_, param)| store.keys.key(param));
                let read = get.read(&names.collect::<Vec<_>>()).await;
                for ((found, _), loaded) in unread.iter_mut().zip(read) {
                    found.end(loaded);
                }
            }
        }
        let others = found.iter_mut().zip(keys).zip(&params);
        let others = others.filter(|((found, _), _)| !found.is_known());
        let others = others.map(|((found, key), param)| async move {
            let outcome = self.outcome(found.take(), *key, param).await;
            *found = Found::Known(outcome);
        });
        // Collected, because a future that holds the closures across an `.await` is not `Send`.
        all(others.collect::<Vec<_>>()).await;
        let outcomes = found.into_iter().map(|found| match found {
            Found::Known(outcome) => outcome,
            Found::Loading(_) | Found::NotSynced => unreachable!("each is known by now"),
        });
        outcomes.collect()
    }
}

impl<K, V> Clone for NearCache<K, V> {
    fn clone(&self) -> Self {
        let inner = Arc::clone(&self.inner);
        Self { inner }
    }
}

impl<K, V> fmt::Debug for NearCache<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The values are the user's data.
        f.debug_struct("NearCache")
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}
