//! Which nodes have taken the last messages, so that the next ones do not overtake them elsewhere.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use super::known::Place;
use crate::connection::node_address::NodeAddress;
use crate::util::clock;

/// How long after a node has taken a message the next one may be published at another node.
///
/// What a node has taken goes to subscribers of other nodes over a link for each of them. What is published at
/// another node meanwhile goes another way, and would overtake it: to a channel, if the subscriber is at a third node;
/// to a sharded channel after a failover, if the subscriber is at the node that has taken over. Whether a node has taken
/// over or has got the slot from another shard is not asked: that would only save a wait.
const SETTLES: Duration = Duration::from_millis(100);

/// The nodes that have taken the last messages.
#[derive(Debug)]
pub(super) struct Taken {
    /// By the place of a message: each node, and when it answered last. Several callers may be at several nodes.
    last: HashMap<Place, Vec<(NodeAddress, Instant)>>,
    /// When those were last removed that are too old to count.
    swept: Instant,
}

impl Taken {
    pub(super) fn new() -> Self {
        Self {
            last: HashMap::new(),
            swept: clock::now(),
        }
    }

    /// Notes that a node has taken a message, or may have.
    pub(super) fn note(&mut self, place: Place, node: &NodeAddress) {
        let now = clock::now();
        if now - self.swept >= SETTLES {
            self.swept = now;
            self.last.retain(|_, nodes| {
                nodes.retain(|(_, since)| now - *since < SETTLES);
                !nodes.is_empty()
            });
        }
        let nodes = self.last.entry(place).or_default();
        match nodes.iter_mut().find(|(last, _)| last == node) {
            Some((_, since)) => *since = now,
            None => nodes.push((node.clone(), now)),
        }
    }

    /// Returns how long to wait before the next message is sent to a node.
    pub(super) fn rest(&self, place: Place, at: &NodeAddress) -> Duration {
        let others = self.last.get(&place).into_iter().flatten();
        let last = others
            .filter(|(node, _)| node != at)
            .map(|(_, since)| *since);
        last.max().map_or(Duration::ZERO, |last| {
            SETTLES.saturating_sub(clock::now() - last)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::slots::Slot;

    fn slot(number: u16) -> Slot {
        Slot::new(number).unwrap()
    }

    fn node(port: u16) -> NodeAddress {
        NodeAddress::new("a", port)
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_waits_until_what_another_node_has_taken_before_is_delivered() {
        let mut taken = Taken::new();
        let place = Place::Shard(slot(0));
        assert_eq!(taken.rest(place, &node(1)), Duration::ZERO);
        taken.note(place, &node(1));
        assert_eq!(taken.rest(place, &node(1)), Duration::ZERO);
        assert_eq!(taken.rest(place, &node(2)), SETTLES);
        // An answer that comes late counts from then on, whatever the map has said meanwhile.
        tokio::time::advance(SETTLES / 2).await;
        assert_eq!(taken.rest(place, &node(2)), SETTLES / 2);
        taken.note(place, &node(1));
        assert_eq!(taken.rest(place, &node(2)), SETTLES);
        tokio::time::advance(SETTLES).await;
        assert_eq!(taken.rest(place, &node(2)), Duration::ZERO);
        // And back.
        taken.note(place, &node(2));
        assert_eq!(taken.rest(place, &node(2)), Duration::ZERO);
        assert_eq!(taken.rest(place, &node(1)), SETTLES);
    }

    #[tokio::test(start_paused = true)]
    async fn what_one_caller_has_sent_elsewhere_does_not_end_the_wait_of_another_one() {
        let mut taken = Taken::new();
        let place = Place::Home(slot(0));
        taken.note(place, &node(1));
        tokio::time::advance(SETTLES / 2).await;
        taken.note(place, &node(2));
        assert_eq!(taken.rest(place, &node(2)), SETTLES / 2);
        assert_eq!(taken.rest(place, &node(1)), SETTLES);
        assert_eq!(taken.rest(place, &node(3)), SETTLES);
        tokio::time::advance(SETTLES / 2).await;
        assert_eq!(taken.rest(place, &node(2)), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn places_do_not_wait_for_each_other() {
        let mut taken = Taken::new();
        taken.note(Place::Shard(slot(0)), &node(1));
        for other in [Place::Shard(slot(1)), Place::Home(slot(0))] {
            assert_eq!(taken.rest(other, &node(2)), Duration::ZERO, "{other:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_does_not_count_any_more_takes_no_memory() {
        let mut taken = Taken::new();
        for slot in (0..Slot::COUNT).filter_map(Slot::new) {
            taken.note(Place::Home(slot), &node(1));
        }
        assert_eq!(taken.last.len(), usize::from(Slot::COUNT));
        tokio::time::advance(SETTLES).await;
        taken.note(Place::Home(slot(0)), &node(1));
        assert_eq!(taken.last.len(), 1);
    }
}
