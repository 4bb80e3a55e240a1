use std::fmt;

use super::FromPush;
use crate::error::Rejection;
use crate::message::{MessageDescriptor, Source};
use crate::push::Push;
use crate::subscription::Kind;
use crate::util::TextOrBytes;

/// A key whose value may have changed, or all keys: the entries that a cache must drop.
///
/// ```
/// use std::collections::HashMap;
/// use std::sync::{Arc, Mutex};
///
/// use redis_push::{Gap, Invalidation, Mount, State, gap_handler, handlers, push_handler};
///
/// type Cache = Arc<Mutex<HashMap<Vec<u8>, String>>>;
///
/// #[push_handler(invalidate = "user:", on_gap = clear)]
/// async fn evict(changed: Invalidation<'_>, State(cache): State<Cache>) {
///     match changed {
///         Invalidation::Key(key) => _ = cache.lock().unwrap().remove(key),
///         Invalidation::All => cache.lock().unwrap().clear(),
///     }
/// }
///
/// /// Keys may have changed without an invalidation.
/// #[gap_handler]
/// async fn clear(_gap: Gap, State(cache): State<Cache>) {
///     cache.lock().unwrap().clear();
/// }
///
/// let mounts: Vec<Mount<Cache>> = handlers![evict];
/// ```
///
/// The server reports every key that begins with the prefix, in every database, when it is written,
/// deleted or has expired. The subscriber requests this with `CLIENT TRACKING ON BCAST PREFIX …`;
/// the server needs no configuration for it. See
/// [Redis client-side caching](https://redis.io/docs/latest/develop/reference/client-side-caching/).
/// An invalidation contains neither the new value nor the database of the key, and several changes
/// of one key within one pipeline may be reported once. In a cluster, each node reports its own
/// keys only. No server reports a `SWAPDB`.
///
/// A cache is correct only if
///
/// - it drops everything at a [gap](crate::Gap): changes during an outage are never reported. Until
///   the gap is reported, and so during an outage, it may hold old values; callers that must not
///   serve stale values should bypass the cache while [`Handle::is_ready`](crate::Handle::is_ready)
///   is false;
/// - it does not store a value after an invalidation that was read before it;
/// - the handler does not fail: a delivery that returns an error, panics or times out is passed to
///   the failure hook, but not to the handler again.
///
/// `NearCache` (feature `cache`) does all of this.
///
/// Keys are complete: they include the prefix of a [`Router`](crate::Router), if there is one. A
/// handler with overlapping prefixes receives a key once for each of them. With `workers`,
/// deliveries overtake one another, which is harmless if each of them only drops entries.
/// `overflow = "latest"` keeps one waiting message for each key. Rejects a push that is not an
/// invalidation.
///
/// To use a prefix that is only known at run time, replace the attribute's prefix at the mount:
/// `handlers![evict.on(Subscription::invalidation(prefix))]`.
// Not `non_exhaustive`: the server has these two forms, and a cache must handle both.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum Invalidation<'p> {
    /// This key. Keys are bytes; most, not all, are UTF-8.
    Key(&'p [u8]),
    /// Every key with the prefix: the database was flushed. (Also reported when the key with the
    /// empty name has changed.)
    All,
}

impl<'p> Invalidation<'p> {
    /// Returns the key; `None` for all keys.
    #[must_use]
    pub const fn key(self) -> Option<&'p [u8]> {
        match self {
            Self::Key(key) => Some(key),
            Self::All => None,
        }
    }
}

/// Shows the key as text if it is UTF-8.
impl fmt::Debug for Invalidation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => f.debug_tuple("Key").field(&TextOrBytes(key)).finish(),
            Self::All => f.write_str("All"),
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
            _ => Err(Rejection::new("the push is not an invalidation")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::push::OwnedPush;
    use crate::subscription::Subscription;

    #[test]
    fn a_push_without_a_key_means_all_keys() {
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
    fn a_key_is_shown_as_text() {
        assert_eq!(
            format!("{:?}", Invalidation::Key(b"user:7")),
            r#"Key("user:7")"#
        );
        assert_eq!(format!("{:?}", Invalidation::All), "All");
    }

    #[test]
    fn a_message_is_rejected() {
        let push = OwnedPush::new(Subscription::channel("a"), "a", "");
        assert!(Invalidation::from_push(push.as_push(), &()).is_err());
    }
}
