use super::handle::Handle;
use crate::cache::{NearCache, NearCacheBuilder};

impl<K, V> NearCache<K, V> {
    /// Begins a cache of the keys of a template, such as `user:{id}`.
    ///
    /// The cache begins when the returned value is awaited: see [`NearCacheBuilder`] for the options
    /// and the errors. It does not keep the subscriber alive.
    #[expect(
        clippy::new_ret_no_self,
        reason = "as with `Handle::subscribe`, awaiting what it returns waits for the server"
    )]
    pub fn new(handle: &Handle, keys: impl Into<String>) -> NearCacheBuilder<K, V> {
        NearCacheBuilder::new(handle.running.caches.clone(), keys.into())
    }
}
