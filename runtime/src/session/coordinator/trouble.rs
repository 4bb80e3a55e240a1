//! How soon the coordinator looks again while something is wrong.

use std::time::Duration;

use tokio::time::Instant;

/// The time between two looks, until what is wrong has lasted.
pub(super) const SOON: Duration = Duration::from_millis(100);

/// The time between two looks after that.
const SELDOM: Duration = Duration::from_secs(1);

/// After how long something lasts. It may not change soon then, and many clients may ask.
const LONG: Duration = Duration::from_secs(30);

/// What is wrong, as far as the time of the next look depends on it.
#[derive(Debug, Default)]
pub(super) struct Trouble {
    /// Since when every look has found something wrong, and nothing new.
    since: Option<Instant>,
}

impl Trouble {
    /// Notes that something has changed, so that looks are soon again.
    pub(super) fn note_change(&mut self) {
        self.since = None;
    }

    /// Returns the time until the next look, after one that has found everything in order or not.
    pub(super) fn pause_after(
        &mut self,
        is_whole: bool,
        interval: Duration,
        now: Instant,
    ) -> Duration {
        if is_whole {
            self.since = None;
            return interval;
        }
        let since = *self.since.get_or_insert(now);
        let pause = if now - since < LONG { SOON } else { SELDOM };
        pause.min(interval)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::util::clock;

    #[test]
    fn looks_are_soon_until_nothing_has_changed_for_long() {
        let (mut trouble, begin) = (Trouble::default(), clock::now());
        let interval = Duration::from_secs(5);
        let mut pause = |is_whole, seconds| {
            let now = begin + Duration::from_secs(seconds);
            trouble.pause_after(is_whole, interval, now)
        };
        assert_eq!(pause(true, 0), interval);
        assert_eq!(pause(false, 1), SOON);
        assert_eq!(pause(false, 30), SOON);
        assert_eq!(pause(false, 31), SELDOM);
        assert_eq!(pause(true, 32), interval);
        assert_eq!(pause(false, 33), SOON);
        assert_eq!(pause(false, 63), SELDOM);
        trouble.note_change();
        let now = begin + Duration::from_secs(64);
        assert_eq!(trouble.pause_after(false, interval, now), SOON);
        let short = Duration::from_millis(10);
        assert_eq!(trouble.pause_after(false, short, now), short);
    }
}
