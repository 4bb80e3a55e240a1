use super::FromPush;
use crate::error::Rejection;
use crate::message::{MessageDescriptor, Source};
use crate::push::Push;
use crate::subscription::Kind;

/// A key whose value may have changed, or all of them: what a cache is to forget.
///
/// ```
/// use std::collections::HashMap;
/// use std::sync::{Arc, Mutex};
///
/// use redis_push::{Gap, Invalidation, Mount, State, gap_handler, handlers, push_handler};
///
/// type Cache = Arc<Mutex<HashMap<Vec<u8>, String>>>;
///
/// #[push_handler(invalidate = "user:", on_gap = forget_all)]
/// async fn forget(changed: Invalidation<'_>, State(cache): State<Cache>) {
///     match changed {
///         Invalidation::Key(key) => _ = cache.lock().unwrap().remove(key),
///         Invalidation::All => cache.lock().unwrap().clear(),
///     }
/// }
///
/// /// Nobody knows what has changed meanwhile.
/// #[gap_handler]
/// async fn forget_all(_gap: Gap, State(cache): State<Cache>) {
///     cache.lock().unwrap().clear();
/// }
///
/// let mounts: Vec<Mount<Cache>> = handlers![forget];
/// ```
///
/// The server tells of every key that begins with the prefix, in every database, when it is
/// written, deleted or has expired: it is asked by `CLIENT TRACKING ON BCAST PREFIX …`, and needs
/// no configuration for it; see
/// [Redis client-side caching](https://redis.io/docs/latest/develop/reference/client-side-caching/).
/// It does not say what the value is now, nor in which database the key is, and what happens to one
/// key within one pipeline may be told once. In a cluster each node tells of its own keys only.
/// `SWAPDB` is not told at all, by no server.
///
/// A cache is right only if
///
/// - it forgets everything at a [gap](crate::Gap): what changed while there was no connection is
///   never told. Until the gap is told, an outage included, it may hold old values; who must not
///   serve them reads past it while [`Handle::is_ready`](crate::Handle::is_ready) is false;
/// - a value that was read before the invalidation is not put into it after that;
///   `examples/near_cache.rs` shows how;
/// - the handler does not fail: a delivery that returns an error, panics or times out is told to the
///   failure hook, and not again to the handler.
///
/// Keys come whole, with the prefix of a [`Router`](crate::Router) if there is one. A handler of
/// prefixes that overlap hears a key once for each. With `workers` deliveries overtake one another,
/// which is no harm where each only forgets; `overflow = "latest"` keeps one of each key that
/// waits. It rejects what is no invalidation.
///
/// A prefix that is known at run time only takes the place of the attribute's at the mount:
/// `handlers![forget.on(Subscription::invalidation(prefix))]`.
// Not `non_exhaustive`: the server has these two forms, and who forgets must deal with both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Invalidation<'p> {
    /// This key. Keys are bytes; most, not all, are UTF-8.
    Key(&'p [u8]),
    /// Every key of the prefix: the database was flushed. (Also told where the one key that is
    /// empty has changed.)
    All,
}

impl<'p> Invalidation<'p> {
    /// The key, unless all are meant.
    #[must_use]
    pub const fn key(self) -> Option<&'p [u8]> {
        match self {
            Self::Key(key) => Some(key),
            Self::All => None,
        }
    }
}

impl<'p, S> FromPush<'p, S> for Invalidation<'p> {
    const MESSAGE: Option<MessageDescriptor> =
        Some(MessageDescriptor::from_source(Source::Invalidation));

    fn from_push(push: Push<'p>, _state: &'p S) -> Result<Self, Rejection> {
        match push.subscription().kind() {
            Kind::Invalidation if push.channel().is_empty() => Ok(Self::All),
            Kind::Invalidation => Ok(Self::Key(push.channel())),
            _ => Err(Rejection::new("this is no invalidation of a key")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::push::OwnedPush;
    use crate::subscription::Subscription;

    #[test]
    fn a_push_without_a_key_is_of_all() {
        let taken = |key: &[u8]| {
            let push = OwnedPush::new(Subscription::invalidation("a"), key, "");
            Invalidation::from_push(push.as_push(), &())
                .unwrap()
                .key()
                .map(<[u8]>::to_vec)
        };
        assert_eq!(taken(b"a\xff"), Some(b"a\xff".to_vec()));
        assert_eq!(taken(b""), None);
    }

    #[test]
    fn a_message_is_rejected() {
        let push = OwnedPush::new(Subscription::channel("a"), "a", "");
        assert!(Invalidation::from_push(push.as_push(), &()).is_err());
    }
}
