/// What the confirmation of a fence says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TrackingFence {
    /// From here on, keys with the prefix are told of.
    On,
    /// What was to be told has been told.
    Off,
}

impl TrackingFence {
    const fn lead(self) -> &'static [u8] {
        match self {
            Self::On => b"redis-push:tracking-on:",
            Self::Off => b"redis-push:tracking-off:",
        }
    }

    /// The name that the server confirms.
    pub(crate) fn name(self, prefix: &str) -> Vec<u8> {
        [self.lead(), prefix.as_bytes()].concat()
    }

    /// The fence, and the prefix, that a confirmed name stands for.
    pub(crate) fn of(name: &[u8]) -> Option<(Self, &[u8])> {
        [Self::On, Self::Off]
            .into_iter()
            .find_map(|fence| Some((fence, name.strip_prefix(fence.lead())?)))
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
