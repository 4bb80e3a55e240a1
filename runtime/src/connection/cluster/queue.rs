use std::collections::VecDeque;
use std::time::Duration;

use super::known::Place;
use crate::connection::node_address::NodeAddress;

/// How often the commands of a slot may be sent to yet another node.
pub(super) const MOST: usize = 5;

/// The pauses before a node is asked again that has just named another one: while a slot moves, two nodes
/// may each say that the other one has it, until both know.
const PAUSES: [Duration; 3] = [
    Duration::from_millis(5),
    Duration::from_millis(25),
    Duration::from_millis(100),
];

/// The commands of a call that go to one place, in their order.
#[derive(Debug)]
pub(super) struct Queue {
    pub(super) place: Place,
    /// The numbers of those that have no outcome and are not under way.
    waiting: VecDeque<usize>,
    /// The nodes that have not executed them, in the order in which they were asked.
    refused_by: Vec<NodeAddress>,
    /// The node that an `ASK` has named, for the next command only.
    once: Option<NodeAddress>,
    /// Whether the next command goes alone. A slot that has just moved may still be on its way, and a node that
    /// takes it over while it reads several commands would answer the first ones with `MOVED`, and execute those
    /// behind.
    is_careful: bool,
}

impl Queue {
    pub(super) fn new(place: Place, is_careful: bool) -> Self {
        Self {
            place,
            waiting: VecDeque::new(),
            refused_by: Vec::new(),
            once: None,
            is_careful,
        }
    }

    pub(super) fn push(&mut self, command: usize) {
        self.waiting.push_back(command);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Takes the commands of the next write, and the node that an `ASK` has named.
    pub(super) fn take(&mut self) -> (Vec<usize>, Option<NodeAddress>) {
        let count = match self.is_careful {
            true => self.waiting.len().min(1),
            false => self.waiting.len(),
        };
        (self.waiting.drain(..count).collect(), self.once.take())
    }

    /// Takes what waits: it has no other chance.
    pub(super) fn take_all(&mut self) -> Vec<usize> {
        self.waiting.drain(..).collect()
    }

    /// Records that a node has executed what was sent to it.
    pub(super) fn executed(&mut self) {
        self.is_careful = false;
        self.refused_by.clear();
    }

    /// Takes back commands that a node has not executed. Returns how long to wait before another one is asked,
    /// or `None` if it was the last one.
    pub(super) fn refused(
        &mut self,
        commands: &[usize],
        by: &NodeAddress,
        to: &NodeAddress,
    ) -> Option<Duration> {
        self.is_careful = true;
        for command in commands.iter().rev() {
            self.waiting.push_front(*command);
        }
        self.refused_by.push(by.clone());
        if self.refused_by.len() > MOST {
            return None;
        }
        if !self.refused_by.contains(to) {
            return Some(Duration::ZERO);
        }
        let bounces = self.refused_by.len().saturating_sub(2);
        Some(PAUSES[bounces.min(PAUSES.len() - 1)])
    }

    /// Sets the node for the next command, as an `ASK` says.
    pub(super) fn ask_once(&mut self, node: NodeAddress) {
        self.once = Some(node);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::slots::Slot;

    fn node(port: u16) -> NodeAddress {
        NodeAddress::new("a", port)
    }

    fn queue(commands: &[usize], is_careful: bool) -> Queue {
        let mut queue = Queue::new(Place::Shard(Slot::of(b"a")), is_careful);
        commands.iter().for_each(|command| queue.push(*command));
        queue
    }

    #[test]
    fn commands_that_moved_come_before_those_behind_and_the_first_goes_alone() {
        let mut queue = queue(&[2, 4, 7], false);
        assert_eq!(queue.take().0, [2, 4, 7]);
        assert!(queue.is_empty());
        assert_eq!(
            queue.refused(&[4, 7], &node(1), &node(2)),
            Some(Duration::ZERO)
        );
        assert_eq!(queue.take().0, [4]);
        queue.executed();
        assert_eq!(queue.take().0, [7]);
    }

    #[test]
    fn a_slot_that_has_just_moved_is_tried_with_one_command() {
        let mut queue = queue(&[0, 1], true);
        assert_eq!(queue.take().0, [0]);
        assert_eq!(queue.take_all(), [1]);
    }

    #[test]
    fn two_nodes_that_name_each_other_are_asked_after_longer_pauses_and_five_times_at_most() {
        let mut queue = queue(&[0], false);
        let mut pauses = Vec::new();
        for round in 0..=MOST {
            queue.take();
            let (by, to) = (round % 2, (round + 1) % 2);
            let [by, to] = [by, to].map(|port| node(port as u16 + 1));
            pauses.push(queue.refused(&[0], &by, &to));
        }
        let millis = |millis| Some(Duration::from_millis(millis));
        let [first, second, longest] = PAUSES.map(Some);
        assert_eq!(
            pauses,
            [millis(0), first, second, longest, longest, None],
            "{queue:?}"
        );
        queue.executed();
        assert_eq!(queue.refused(&[0], &node(1), &node(2)), millis(0));
    }

    #[test]
    fn a_node_that_was_not_asked_yet_is_asked_at_once() {
        let mut queue = queue(&[0], false);
        for port in 1..=5 {
            queue.take();
            let pause = queue.refused(&[0], &node(port), &node(port + 1));
            assert_eq!(pause, Some(Duration::ZERO));
        }
        assert_eq!(queue.refused(&[0], &node(6), &node(7)), None);
    }

    #[test]
    fn an_ask_is_about_the_next_command_only() {
        let mut queue = queue(&[0, 1], true);
        queue.ask_once(node(3));
        assert_eq!(queue.take(), (vec![0], Some(node(3))));
        assert_eq!(queue.take(), (vec![1], None));
    }
}
