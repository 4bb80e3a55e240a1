//! The reserved channel names that mark a place in the stream of pushes. Nobody subscribes to them;
//! they are unsubscribed, and the server confirms that with a push.

use std::time::{Duration, SystemTime};

use super::{Kind, Subscription};

/// What the names of all fences begin with.
const RESERVED: &str = "redis-push:";

impl Subscription {
    /// Returns why nobody can subscribe to the name, if that is so. What the server says about it could
    /// not be told from what it says about a fence.
    pub(crate) fn reserved(&self) -> Option<String> {
        let is_name = matches!(self.kind, Kind::Channel | Kind::Pattern | Kind::Shard);
        (is_name && self.name.starts_with(RESERVED)).then(|| {
            format!(
                "names that begin with `{RESERVED}` are reserved for this library: choose another"
            )
        })
    }
}

/// A fence for the invalidations of one key prefix. The server's confirmation of the fence's name
/// is a push, so it has a place in the order of the invalidations, which a reply does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TrackingFence {
    /// From here on, the server reports keys with the prefix.
    On,
    /// No invalidation with the prefix follows.
    Off,
}

impl TrackingFence {
    const fn marker(self) -> &'static [u8] {
        match self {
            Self::On => b"redis-push:tracking-on:",
            Self::Off => b"redis-push:tracking-off:",
        }
    }

    /// Returns the channel name that the server confirms.
    pub(crate) fn name(self, prefix: &str) -> Vec<u8> {
        [self.marker(), prefix.as_bytes()].concat()
    }

    /// Returns the fence and the prefix that a confirmed name stands for.
    pub(crate) fn of(name: &[u8]) -> Option<(Self, &[u8])> {
        [Self::On, Self::Off]
            .into_iter()
            .find_map(|fence| Some((fence, name.strip_prefix(fence.marker())?)))
    }
}

/// A fence for everything that was published until it was sent: its confirmation arrives after all
/// pushes that the server has sent before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PingFence(
    /// When the command is sent.
    pub(crate) SystemTime,
);

impl PingFence {
    const MARKER: &'static [u8] = b"redis-push:ping:";

    /// Returns the channel name that the server confirms. It contains the time.
    pub(crate) fn name(self) -> Vec<u8> {
        let since = self.0.duration_since(SystemTime::UNIX_EPOCH);
        let nanos = since.unwrap_or_default().as_nanos();
        [Self::MARKER, nanos.to_string().as_bytes()].concat()
    }

    /// Returns the fence that a confirmed name stands for.
    pub(crate) fn of(name: &[u8]) -> Option<Self> {
        let nanos = str::from_utf8(name.strip_prefix(Self::MARKER)?).ok()?;
        let since = Duration::from_nanos(nanos.parse().ok()?);
        SystemTime::UNIX_EPOCH.checked_add(since).map(Self)
    }
}

/// A fence of the test kit: its confirmation arrives after all pushes that the server has sent before.
#[cfg(feature = "testing")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KitFence(pub(crate) u64);

#[cfg(feature = "testing")]
impl KitFence {
    const MARKER: &'static [u8] = b"redis-push:test:";

    /// Returns the channel name that the server confirms.
    pub(crate) fn name(self) -> Vec<u8> {
        [Self::MARKER, self.0.to_string().as_bytes()].concat()
    }

    /// Returns the fence that a confirmed name stands for.
    pub(crate) fn of(name: &[u8]) -> Option<Self> {
        let number = str::from_utf8(name.strip_prefix(Self::MARKER)?).ok()?;
        number.parse().ok().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fence_is_read_back_from_its_name() {
        assert_eq!(
            TrackingFence::of(b"redis-push:tracking-on:user:"),
            Some((TrackingFence::On, &b"user:"[..]))
        );
        assert_eq!(
            TrackingFence::of(b"redis-push:tracking-off:"),
            Some((TrackingFence::Off, &b""[..]))
        );
        assert_eq!(TrackingFence::of(b"news"), None);
        let ping =
            PingFence(SystemTime::UNIX_EPOCH + Duration::from_nanos(1_234_567_890_123_456_789));
        assert_eq!(PingFence::of(&ping.name()), Some(ping));
        assert_eq!(PingFence::of(b"redis-push:ping:now"), None);
    }
}
