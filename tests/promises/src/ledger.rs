//! Counts losses, duplicates and inversions in a stream of numbers.

use redis_push::Missed;

use crate::stream::{Event, reported_loss};

/// The counts of one stream, or the sum of several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ledger {
    pub(crate) delivered: u64,
    /// Numbers that were not delivered, where a loss was reported between the two deliveries around
    /// them.
    pub(crate) reported: u64,
    /// Numbers that were not delivered, where no loss was reported.
    pub(crate) unreported: u64,
    /// Like `unreported`, if each notice of a disconnection counted as a gap.
    pub(crate) unreported_without_disconnect: u64,
    pub(crate) duplicates: u64,
    /// Numbers that were first delivered after a higher one.
    pub(crate) inversions: u64,
    /// Gaps that named a wrong number.
    pub(crate) miscounted: u64,
    /// Gaps that named a number.
    pub(crate) counted: u64,
}

/// Numbers that were skipped between two deliveries.
struct Hole {
    from: u64,
    to: u64,
    reported: bool,
    disconnected: bool,
}

impl Ledger {
    /// Reads a stream to which `published` messages were published, numbered from 0.
    pub(crate) fn of(events: &[Event], published: u64) -> Self {
        let mut ledger = Self::default();
        let mut seen = vec![false; usize::try_from(published).expect("a count")];
        let mut holes = Vec::new();
        let mut next = 0;
        let mut between: Vec<&Event> = Vec::new();
        for event in events {
            let Event::Message(number) = event else {
                between.push(event);
                continue;
            };
            ledger.delivered += 1;
            match seen.get_mut(*number as usize) {
                Some(seen) if *seen => ledger.duplicates += 1,
                Some(seen) => {
                    *seen = true;
                    ledger.inversions += u64::from(*number < next);
                }
                None => ledger.inversions += 1,
            }
            if *number >= next {
                ledger.note(&mut holes, next..*number, &between);
                next = number + 1;
                between.clear();
            }
        }
        ledger.note(&mut holes, next..published, &between);
        for Hole {
            from,
            to,
            reported,
            disconnected,
        } in holes
        {
            let lost = (from..to).filter(|number| !seen[*number as usize]).count() as u64;
            if reported {
                ledger.reported += lost;
            } else {
                ledger.unreported += lost;
            }
            if !reported && !disconnected {
                ledger.unreported_without_disconnect += lost;
            }
        }
        ledger
    }

    /// Adds a hole, which may be empty, and checks the count that was reported for it.
    fn note(&mut self, holes: &mut Vec<Hole>, hole: std::ops::Range<u64>, between: &[&Event]) {
        let losses: Vec<_> = between
            .iter()
            .filter_map(|event| reported_loss(event))
            .collect();
        if let [Missed::Exactly(count)] = losses[..] {
            self.counted += 1;
            self.miscounted += u64::from(count != hole.end - hole.start);
        }
        holes.push(Hole {
            from: hole.start,
            to: hole.end,
            reported: !losses.is_empty(),
            disconnected: between.contains(&&Event::Disconnected),
        });
    }

    /// The sum of two ledgers.
    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            delivered: self.delivered + other.delivered,
            reported: self.reported + other.reported,
            unreported: self.unreported + other.unreported,
            unreported_without_disconnect: self.unreported_without_disconnect
                + other.unreported_without_disconnect,
            duplicates: self.duplicates + other.duplicates,
            inversions: self.inversions + other.inversions,
            miscounted: self.miscounted + other.miscounted,
            counted: self.counted + other.counted,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use redis_push::{Gap, GapCause};

    use super::*;

    fn gap(cause: GapCause, missed: Missed) -> Event {
        let now = SystemTime::now();
        Event::Gap(Gap::new(cause, missed, now, now))
    }

    fn lost() -> Event {
        gap(GapCause::ConnectionLost, Missed::Unknown)
    }

    use Event::{Disconnected, Message};

    #[test]
    fn a_loss_is_unreported_unless_a_gap_comes_between_the_deliveries_around_it() {
        let events = [Message(0), lost(), Message(3), Message(5), lost()];
        let ledger = Ledger::of(&events, 8);
        assert_eq!((ledger.reported, ledger.unreported), (2 + 2, 1));
        let events = [Message(0), Disconnected, Message(3)];
        let ledger = Ledger::of(&events, 5);
        assert_eq!(
            (ledger.unreported, ledger.unreported_without_disconnect),
            (3, 1)
        );
    }

    #[test]
    fn duplicates_and_inversions_are_distinguished_and_are_not_losses() {
        let events = [Message(0), Message(2), Message(1), Message(2), Message(3)];
        let ledger = Ledger::of(&events, 4);
        assert_eq!((ledger.duplicates, ledger.inversions), (1, 1));
        assert_eq!(ledger.unreported, 0);
    }

    #[test]
    fn a_gap_with_a_wrong_count_is_miscounted() {
        let lagged = |count| gap(GapCause::Lagged, Missed::Exactly(count));
        let events = [Message(0), lagged(2), Message(3), lagged(2), Message(5)];
        let ledger = Ledger::of(&events, 6);
        assert_eq!((ledger.counted, ledger.miscounted), (2, 1));
    }
}
