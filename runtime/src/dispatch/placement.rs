//! One name on one node: where it is placed, and what the server has said about it.

use std::sync::Arc;
use std::time::SystemTime;

use crate::push::NodeId;
use crate::util::Timestamp;

/// The state of a subscription on the current connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SubscriptionState {
    /// The server has not answered yet, or was not asked yet.
    Pending,
    Confirmed,
    /// Denied by the server, for this reason.
    Denied(Arc<str>),
    /// Ended by the server's unsubscribe push.
    Ended,
    /// Nobody wants it any more, and the server was asked to end it.
    Leaving,
}

impl SubscriptionState {
    /// Returns whether the server must be asked for it.
    pub(crate) fn needs_subscribing(&self) -> bool {
        matches!(self, Self::Pending | Self::Ended)
    }

    pub(crate) fn is_confirmed(&self) -> bool {
        *self == Self::Confirmed
    }
}

/// The state of a name on a node.
#[derive(Debug)]
pub(super) struct Placement {
    node: NodeId,
    /// The [term](super::node::Node) in which this was written. In a later one, nothing of
    /// it holds: the name is pending.
    term: u64,
    state: SubscriptionState,
    /// When the first command was sent that the server may not have confirmed yet.
    asked: Option<Timestamp>,
    turn: Turn,
}

/// Where a name is on its way to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Nothing is to be done: it is confirmed or denied, or nobody has looked at it in this term.
    None,
    /// It is in the queue of what the session sends next.
    Queued,
    /// The subscribe command is sent.
    Sent,
    /// Its answer is that another node has the name.
    Refused,
    /// The command was not executed, or its confirmation has not arrived. It is sent with the next
    /// retry.
    Postponed,
}

impl Placement {
    pub(super) fn new(node: NodeId, term: u64) -> Self {
        Self {
            node,
            term,
            state: SubscriptionState::Pending,
            asked: None,
            turn: Turn::None,
        }
    }

    #[inline]
    pub(super) fn node(&self) -> NodeId {
        self.node
    }

    /// Returns the state in a term of the node.
    pub(super) fn state(&self, term: u64) -> &SubscriptionState {
        self.state_in(term).unwrap_or(&SubscriptionState::Pending)
    }

    /// Returns the state if it was written in this term, whose node is then the one of the placement.
    #[inline]
    pub(super) fn state_in(&self, term: u64) -> Option<&SubscriptionState> {
        (self.term == term).then_some(&self.state)
    }

    /// Returns whether a subscribe command is sent in this term, and not answered by a confirmation
    /// or a denial.
    pub(super) fn is_in_flight(&self, term: u64) -> bool {
        matches!(self.turn(term), Turn::Sent | Turn::Refused) && self.state.needs_subscribing()
    }

    /// Returns where the name is in a term.
    pub(super) fn turn(&self, term: u64) -> Turn {
        if self.term == term {
            self.turn
        } else {
            Turn::None
        }
    }

    /// Sets where the name is, in the term that was entered last.
    pub(super) fn set_turn(&mut self, turn: Turn) {
        self.turn = turn;
    }

    /// Returns whether the server may have the subscription in a term: it has confirmed it, or was asked
    /// for it.
    pub(super) fn is_asked(&self, term: u64) -> bool {
        self.term == term && (self.state.is_confirmed() || self.asked.is_some())
    }

    /// Records that a subscribe command is sent. An earlier one may still be confirmed.
    pub(super) fn ask(&mut self, now: SystemTime) {
        self.turn = Turn::Sent;
        self.asked.get_or_insert(now.into());
    }

    /// Records that no command is without a confirmation. Returns when the first was sent.
    pub(super) fn take_asked(&mut self) -> Option<SystemTime> {
        self.asked.take().map(SystemTime::from)
    }

    /// Enters a term: what an earlier one said does not hold any more.
    pub(super) fn enter(&mut self, term: u64) {
        if self.term != term {
            *self = Self::new(self.node, term);
        }
    }

    /// Sets the state in the term that was entered last.
    pub(super) fn set(&mut self, state: SubscriptionState) -> SubscriptionState {
        std::mem::replace(&mut self.state, state)
    }
}
