use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;

use super::beginning::Values;
use super::counters::CacheRegistry;
use super::decode;
use super::entries::Capacity;
#[cfg(doc)]
use super::near_cache::NearCache;
use super::source::Loader;
use crate::connection::CommandConnection;
use crate::error::BoxError;
#[cfg(doc)]
use crate::error::Error;
use crate::message::Codec;
use crate::stream::SubscribeContext;
use crate::util::clock::LONGEST;

/// What a subscriber gives to its caches.
#[derive(Clone)]
pub(crate) struct CacheContext {
    pub(crate) streams: SubscribeContext,
    pub(crate) commands: Arc<CommandConnection>,
    pub(crate) registry: Arc<CacheRegistry>,
}

/// Where values come from is not said: they are read with `GET` and decoded from JSON.
#[derive(Debug)]
pub struct Unset;

/// Where values come from is said.
pub struct Chosen<K, V>(pub(super) Values<K, V>);

/// A [`NearCache`] that is about to begin: what [`NearCache::new`] returns.
///
/// Awaiting it requests the invalidations, and returns when the server has confirmed them.
///
/// Values are read with `GET` and decoded from JSON, for which their type needs serde's `Deserialize`,
/// unless another method says where they come from.
///
/// ```
/// # use redis_push::{NearCache, Subscriber, testing::Broker};
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = Broker::start().await?;
/// # let handle = Subscriber::new(server.url()).start().await?;
/// let greetings = NearCache::<String, String>::new(&handle, "greeting:{language}")
///     .text() // not JSON
///     .capacity(100)
///     .await?;
/// assert_eq!(greetings.get("eo").await?, None);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// Awaiting it returns an error when the template is not valid ([`Error::is_config`]), when the server
/// denies the invalidations ([`Error::is_denied`]), and the errors of every
/// [stream](crate::Subscribe#errors).
///
/// # Cancel safety
///
/// Dropping the future ends the cache.
#[must_use = "a cache begins when this is awaited, or with `now`"]
pub struct NearCacheBuilder<K, V, S = Unset> {
    pub(super) context: CacheContext,
    pub(super) template: String,
    pub(super) capacity: Capacity<V>,
    pub(super) timeout: Duration,
    pub(super) values: S,
    key: PhantomData<fn(K)>,
}

impl<K, V> NearCacheBuilder<K, V> {
    pub(crate) fn new(context: CacheContext, template: String) -> Self {
        Self {
            context,
            template,
            capacity: Capacity::default(),
            timeout: Duration::from_secs(5),
            values: Unset,
            key: PhantomData,
        }
    }

    /// Reads values with `GET`, and decodes them with a codec of your own instead of as JSON.
    pub fn codec<C: Codec>(self) -> NearCacheBuilder<K, V, Chosen<K, V>>
    where
        V: DeserializeOwned,
    {
        self.choose(Values::Decoded(decode::coded::<C, V>))
    }

    /// Reads values with `GET`, and parses them from text with [`FromStr`]: as a `String`, a number, an
    /// address.
    pub fn text(self) -> NearCacheBuilder<K, V, Chosen<K, V>>
    where
        V: FromStr<Err: Into<BoxError>>,
    {
        self.choose(Values::Decoded(decode::text))
    }

    /// Reads values with `GET`, as they are: as [`Bytes`](crate::Bytes) or a `Vec<u8>`.
    pub fn bytes(self) -> NearCacheBuilder<K, V, Chosen<K, V>>
    where
        V: From<Vec<u8>>,
    {
        self.choose(Values::Decoded(decode::bytes))
    }

    /// Reads values with `GET`, and decodes them from MessagePack. Requires the feature `msgpack`.
    #[cfg(feature = "msgpack")]
    pub fn msgpack(self) -> NearCacheBuilder<K, V, Chosen<K, V>>
    where
        V: DeserializeOwned,
    {
        self.choose(Values::Decoded(decode::msgpack))
    }

    /// Loads values with a function of the key, which returns `None` if there is none: from a hash, from
    /// several keys, or from a database of which the keys are a copy.
    ///
    /// ```
    /// # use redis_push::{NearCache, Subscriber, testing::Broker};
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = Broker::start().await?;
    /// # let handle = Subscriber::new(server.url()).start().await?;
    /// # struct Player { name: String }
    /// # struct Db;
    /// # impl Db {
    /// #     async fn player(&self, id: u64) -> Result<Option<Player>, std::io::Error> {
    /// #         Ok((id == 7).then(|| Player { name: "Ada".into() }))
    /// #     }
    /// # }
    /// # let db = std::sync::Arc::new(Db);
    /// let players = NearCache::<u64, Player>::new(&handle, "player:{id}")
    ///     .load_with(move |id| {
    ///         let db = db.clone();
    ///         async move { db.player(id).await }
    ///     })
    ///     .await?;
    /// assert_eq!(players.get(&7).await?.unwrap().name, "Ada");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// An `async` closure is enough if it captures nothing: `.load_with(async |id| load(id).await)`.
    /// Otherwise write a closure that clones what its future needs, as above.
    ///
    /// Two things have to be right for the cache to be right:
    ///
    /// - The function reads what is at least as new as the key: the server that the subscriber is
    ///   connected to, and not a replica, or the database that is written before the key.
    /// - Whatever changes a value writes or deletes its key too. The end of a key's time to live is such a
    ///   change only when the server removes the key, which may be later.
    ///
    /// A panic of the function is an error of the call. It has no timeout of its own.
    pub fn load_with<F, R, E>(self, load: F) -> NearCacheBuilder<K, V, Chosen<K, V>>
    where
        F: Fn(K) -> R + Send + Sync + 'static,
        R: Future<Output = std::result::Result<Option<V>, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        let load = move |key| {
            let loading = load(key);
            Box::pin(async move { loading.await.map_err(Into::into) }) as _
        };
        self.choose(Values::Loaded(Loader(Box::new(load))))
    }

    pub(super) fn choose(self, values: Values<K, V>) -> NearCacheBuilder<K, V, Chosen<K, V>> {
        NearCacheBuilder {
            context: self.context,
            template: self.template,
            capacity: self.capacity,
            timeout: self.timeout,
            values: Chosen(values),
            key: PhantomData,
        }
    }
}

impl<K, V, S> NearCacheBuilder<K, V, S> {
    /// Sets how many entries the cache holds: 10,000 by default. A key that is known to be absent is an
    /// entry too.
    pub fn capacity(self, entries: usize) -> Self {
        let capacity = Capacity::Entries(entries);
        Self { capacity, ..self }
    }

    /// Limits the sum of the bytes of all entries, instead of their number. An entry counts for the
    /// bytes of its value, which `weigh` returns, those of its param, and 128 more.
    ///
    /// ```
    /// # use redis_push::{NearCache, Subscriber, testing::Broker};
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = Broker::start().await?;
    /// # let handle = Subscriber::new(server.url()).start().await?;
    /// let pages = NearCache::<String, String>::new(&handle, "page:{path*}")
    ///     .capacity_bytes(64 * 1024 * 1024, |page| page.len())
    ///     .text()
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// `weigh` is called once for each value that was loaded, and not for absent keys. An entry that
    /// alone exceeds the limit is not kept.
    pub fn capacity_bytes(
        self,
        limit: u64,
        weigh: impl Fn(&V) -> usize + Send + Sync + 'static,
    ) -> Self {
        let weigh = Box::new(weigh);
        let capacity = Capacity::Bytes { limit, weigh };
        Self { capacity, ..self }
    }

    /// Sets how long a read with `GET` may take, including connecting: 5 seconds by default. A
    /// [loader](Self::load_with) has no timeout.
    pub fn timeout(self, timeout: Duration) -> Self {
        let timeout = timeout.min(LONGEST);
        Self { timeout, ..self }
    }
}

impl<K, V, S> fmt::Debug for NearCacheBuilder<K, V, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NearCacheBuilder")
            .field("keys", &self.template)
            .field("capacity", &self.capacity)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}
