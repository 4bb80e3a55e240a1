//! What became of the messages of one reader in a cluster.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use redis_push::{Gap, GapCause};

use super::NODE_TIMEOUT;
use crate::stream::Event;

/// A message that a server has acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Acknowledged {
    pub(crate) number: u64,
    /// Where it was published, if messages of different nodes have no order.
    pub(crate) at: u16,
    pub(crate) sent: SystemTime,
    pub(crate) answered: SystemTime,
}

/// The account of one reader, or the sum of several.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Account {
    /// Acknowledged messages that were received.
    pub(crate) heard: u64,
    /// Acknowledged messages that were not received, where a gap says so.
    pub(crate) reported: u64,
    /// Those of them that were certainly not published in the span of that gap.
    pub(crate) outside: u64,
    /// Acknowledged messages that were not received, where nothing says so.
    pub(crate) unreported: u64,
    /// Messages that came again with no gap in between.
    pub(crate) twice: u64,
    /// Messages that came after a higher number with no gap in between.
    pub(crate) disordered: u64,
    /// Messages that came again, or after a higher number, with a gap in between, or from different nodes.
    pub(crate) beyond_gaps: u64,
    /// Messages that came though no server has acknowledged them, as those of a node that thaws.
    pub(crate) unacknowledged: u64,
    /// The gaps.
    pub(crate) gaps: Vec<Gap>,
    /// The longest span between two messages that were both lost with all in between.
    pub(crate) longest_loss: Duration,
}

impl Account {
    /// Compares what a reader received with what was acknowledged, both in order. The acknowledged messages
    /// end before the last one that the reader received.
    pub(crate) fn of(events: &[Event], acknowledged: &[Acknowledged]) -> Self {
        let mut account = Self::default();
        let known: HashMap<_, _> = acknowledged.iter().map(|one| (one.number, one)).collect();
        // In which segment each number came: between which two gaps.
        let mut seen = HashMap::new();
        let mut segment = 0;
        let mut highest = None;
        // By the node that they were published at.
        let mut highest_of_segment: HashMap<u16, u64> = HashMap::new();
        let mut between: Vec<Gap> = Vec::new();
        let mut holes = Vec::new();
        for event in events {
            let number = match event {
                Event::Message(number) => *number,
                Event::Gap(gap) => {
                    account.gaps.push(gap.clone());
                    // It comes late, at no certain place among the messages.
                    if gap.cause != GapCause::Bus {
                        segment += 1;
                        highest_of_segment.clear();
                        between.push(gap.clone());
                    }
                    continue;
                }
                Event::Lagged(_) | Event::Disconnected => continue,
            };
            if let Some(before) = seen.insert(number, segment) {
                match before == segment {
                    true => account.twice += 1,
                    false => account.beyond_gaps += 1,
                }
                continue;
            }
            let Some(at) = known.get(&number).map(|one| one.at) else {
                account.unacknowledged += 1;
                continue;
            };
            account.heard += 1;
            let highest_of_node = highest_of_segment.entry(at).or_insert(number);
            if number < *highest_of_node {
                account.disordered += 1;
            } else if highest.is_some_and(|highest| number < highest) {
                account.beyond_gaps += 1;
            }
            *highest_of_node = number.max(*highest_of_node);
            if highest.is_none_or(|highest| number > highest) {
                holes.push((number, std::mem::take(&mut between)));
                highest = Some(number);
            }
        }
        account.losses(acknowledged, &holes, |number| seen.contains_key(&number));
        account
    }

    /// Counts the losses. `holes` has the gaps before each number that was higher than all before.
    fn losses(
        &mut self,
        acknowledged: &[Acknowledged],
        holes: &[(u64, Vec<Gap>)],
        is_seen: impl Fn(u64) -> bool,
    ) {
        let mut first_lost: Option<SystemTime> = None;
        for one in acknowledged {
            if is_seen(one.number) {
                first_lost = None;
                continue;
            }
            let first = *first_lost.get_or_insert(one.sent);
            let lost_for = one.answered.duration_since(first).unwrap_or_default();
            self.longest_loss = self.longest_loss.max(lost_for);
            let hole = holes.partition_point(|(number, _)| *number < one.number);
            let told = holes.get(hole).map_or(&[][..], |(_, gaps)| gaps);
            let is_by_bus = |gap: &Gap| gap.cause == GapCause::Bus && covers(gap, one);
            let is_covered = told.iter().any(|gap| covers(gap, one));
            if is_covered || self.gaps.iter().any(is_by_bus) {
                self.reported += 1;
            } else if told.is_empty() {
                self.unreported += 1;
            } else {
                self.reported += 1;
                self.outside += 1;
            }
        }
    }

    /// The sum of two accounts.
    pub(crate) fn plus(mut self, other: Self) -> Self {
        self.gaps.extend(other.gaps);
        Self {
            heard: self.heard + other.heard,
            reported: self.reported + other.reported,
            outside: self.outside + other.outside,
            unreported: self.unreported + other.unreported,
            twice: self.twice + other.twice,
            disordered: self.disordered + other.disordered,
            beyond_gaps: self.beyond_gaps + other.beyond_gaps,
            unacknowledged: self.unacknowledged + other.unacknowledged,
            gaps: self.gaps,
            longest_loss: self.longest_loss.max(other.longest_loss),
        }
    }

    /// The lengths of the gaps.
    pub(crate) fn lengths(&self) -> impl Iterator<Item = Duration> {
        let length = |gap: &Gap| gap.until.duration_since(gap.since).unwrap_or_default();
        self.gaps.iter().map(length)
    }
}

/// Whether a message may have been published in the span of a gap.
fn covers(gap: &Gap, one: &Acknowledged) -> bool {
    // A link on which nothing comes is reset after up to this time. Nobody knows how long it was like that.
    let early = match gap.cause {
        GapCause::Bus => NODE_TIMEOUT,
        _ => Duration::ZERO,
    };
    gap.since <= one.answered + early && one.sent <= gap.until
}

#[cfg(test)]
mod tests {
    use redis_push::Missed;

    use super::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    /// Messages of which each is published in the second of its number.
    fn acknowledged(numbers: impl IntoIterator<Item = u64>) -> Vec<Acknowledged> {
        let one = |number| Acknowledged {
            number,
            at: 0,
            sent: at(number),
            answered: at(number),
        };
        numbers.into_iter().map(one).collect()
    }

    fn gap(cause: GapCause, since: u64, until: u64) -> Event {
        Event::Gap(Gap::new(cause, Missed::Unknown, at(since), at(until)))
    }

    use Event::Message;
    use GapCause::{Bus, Moved};

    #[test]
    fn a_loss_is_reported_by_a_gap_at_its_place() {
        let events = [
            Message(0),
            gap(Moved, 0, 3),
            Message(3),
            Message(5),
            gap(Moved, 5, 6),
        ];
        let account = Account::of(&events, &acknowledged(0..=5));
        assert_eq!((account.reported, account.unreported), (2, 1));
        assert_eq!((account.heard, account.outside), (3, 0));
        assert_eq!(account.longest_loss, Duration::from_secs(1));
    }

    #[test]
    fn a_gap_of_another_time_does_not_cover_a_loss() {
        let events = [Message(0), gap(Moved, 3, 4), Message(3)];
        let account = Account::of(&events, &acknowledged(0..=3));
        assert_eq!((account.reported, account.outside), (2, 2));
    }

    #[test]
    fn a_gap_by_the_links_between_nodes_covers_a_time_and_no_place() {
        let events = [Message(0), Message(2), Message(4), gap(Bus, 2, 2)];
        let account = Account::of(&events, &acknowledged(0..=4));
        assert_eq!((account.reported, account.unreported), (1, 1));
    }

    #[test]
    fn repetitions_and_disorder_count_unless_a_gap_is_in_between() {
        let events = [1, 2, 1, 4, 3].map(Message);
        let account = Account::of(&events, &acknowledged(1..=4));
        assert_eq!((account.twice, account.disordered), (1, 1));
        let events = [
            Message(1),
            Message(4),
            gap(Moved, 4, 4),
            Message(1),
            Message(3),
        ];
        let account = Account::of(&events, &acknowledged([1, 3, 4]));
        assert_eq!((account.twice, account.disordered), (0, 0));
        assert_eq!(account.beyond_gaps, 2);
    }

    #[test]
    fn what_nobody_has_acknowledged_may_come_at_any_time_once() {
        let events = [5, 1, 6, 1].map(Message);
        let account = Account::of(&events, &acknowledged([5, 6]));
        assert_eq!((account.unacknowledged, account.disordered), (1, 0));
        assert_eq!(account.twice, 1);
    }
}
