use std::num::NonZeroU64;
use std::time::{Duration, SystemTime};

/// A time of day in half the memory of a [`SystemTime`], for what is kept in large numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Timestamp(
    /// Nanoseconds since the Unix epoch. Not zero, so that an `Option` takes no more memory.
    NonZeroU64,
);

impl Timestamp {
    /// The earliest time: a nanosecond after the Unix epoch.
    pub(crate) const MIN: Self = Self(NonZeroU64::MIN);

    #[inline]
    pub(crate) fn from_nanos(nanos: u64) -> Self {
        Self(NonZeroU64::new(nanos).unwrap_or(NonZeroU64::MIN))
    }

    #[inline]
    pub(crate) fn as_nanos(self) -> u64 {
        self.0.get()
    }
}

/// A time before 1970 or after 2554 becomes the nearest one that fits.
impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        let since = time.duration_since(SystemTime::UNIX_EPOCH);
        let nanos = u64::try_from(since.unwrap_or_default().as_nanos());
        Self::from_nanos(nanos.unwrap_or(u64::MAX))
    }
}

impl From<Timestamp> for SystemTime {
    fn from(time: Timestamp) -> Self {
        Self::UNIX_EPOCH + Duration::from_nanos(time.as_nanos())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::util::clock;

    #[test]
    fn a_time_of_day_is_kept_to_the_nanosecond_and_others_become_the_nearest() {
        let now = clock::wall();
        assert_eq!(SystemTime::from(Timestamp::from(now)), now);
        let before = SystemTime::UNIX_EPOCH - Duration::from_secs(1);
        assert_eq!(Timestamp::from(before), Timestamp::MIN);
        let late = SystemTime::UNIX_EPOCH + Duration::from_secs(20_000_000_000);
        assert_eq!(Timestamp::from(late).as_nanos(), u64::MAX);
    }
}
