//! The reserved channel names that mark, in the stream of pushes, where tracking begins and ends.

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
    }
}
