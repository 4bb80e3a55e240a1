//! The route of one name: who wants it, and its broadcast channels.

use std::sync::Arc;

use tokio::time::Instant;

use super::counts::{Counted, WantedBy};
use super::placement::Placement;
use super::spread::Part;
use crate::broadcast::Shared;
use crate::push::NodeId;
use crate::subscription::Subscription;
use crate::util::Few;

/// The route of one subscribed name.
#[derive(Debug)]
pub(crate) struct Route {
    /// The subscription. Streams of the name have the same list.
    pub(super) subscriptions: Arc<[Subscription]>,
    pub(super) part: Part,
    pub(super) placement: Placement,
    /// The broadcast channels.
    pub(crate) listeners: Few<Listener>,
    /// The channel that the streams of this name alone share. It is one of the listeners.
    pub(super) shared: Option<Arc<Shared>>,
    /// How many of the listeners are those of handlers.
    pub(super) handlers: u32,
    /// How many streams want the name.
    pub(super) readers: u32,
    /// When it ends, if its last reader has left. Another one may have come since.
    pub(super) leave_at: Option<Instant>,
    /// How often the server has denied the name.
    pub(super) denials: u32,
    /// The node that it was on before it moved, until it is confirmed again.
    pub(super) left: Option<NodeId>,
    /// Whether it is among the [`Holders`](super::holders::Holders).
    pub(super) is_holder: bool,
}

/// A broadcast channel of a route.
#[derive(Clone, Debug)]
pub(crate) struct Listener {
    pub(crate) shared: Arc<Shared>,
    /// The index of the name in the channel's list of subscriptions.
    pub(crate) index: u32,
    /// Its index among the names that have to be confirmed for the channel, where a name that is on
    /// several nodes is several.
    pub(super) name: u32,
    /// Whether it is the channel of streams.
    pub(super) is_of_streams: bool,
}

impl Route {
    /// Creates the route of the only subscription in a list, which is placed on a node.
    pub(super) fn new(
        subscriptions: Arc<[Subscription]>,
        node: NodeId,
        term: u64,
        part: Part,
    ) -> Self {
        Self {
            subscriptions,
            part,
            placement: Placement::new(node, term),
            listeners: Few::new(),
            shared: None,
            handlers: 0,
            readers: 0,
            leave_at: None,
            denials: 0,
            left: None,
            is_holder: false,
        }
    }

    pub(super) fn subscription(&self) -> &Subscription {
        &self.subscriptions[0]
    }

    pub(super) fn wanted(&self) -> WantedBy {
        match (self.handlers, self.readers) {
            (0, 0) => WantedBy::Nobody,
            (0, _) => WantedBy::Streams,
            _ => WantedBy::Handlers,
        }
    }

    pub(super) fn is_at(&self, node: NodeId) -> bool {
        self.placement.node() == node
    }

    /// Whether it is a copy or an anchor.
    pub(super) fn is_spread(&self) -> bool {
        self.part != Part::Whole
    }

    pub(super) fn counted(&self, term: u64) -> Counted<'_> {
        Counted {
            wanted: self.wanted(),
            kind: self.subscription().kind(),
            state: self.placement.state(term),
            is_in_flight: self.placement.is_in_flight(term),
        }
    }

    /// Adds a broadcast channel, in whose list the name has this index.
    pub(super) fn listen(&mut self, shared: &Arc<Shared>, index: usize, is_of_streams: bool) {
        let index = u32::try_from(index).expect("no list has 2^32 subscriptions");
        self.listeners.push(Listener {
            shared: Arc::clone(shared),
            index,
            name: index,
            is_of_streams,
        });
    }

    /// Removes a broadcast channel. Returns whether it was here.
    pub(super) fn unlisten(&mut self, shared: &Arc<Shared>) -> bool {
        let is_it = |listener: &Listener| Arc::ptr_eq(&listener.shared, shared);
        let at = self.listeners.iter().position(is_it);
        at.map(|at| self.listeners.swap_remove(at)).is_some()
    }
}

impl Listener {
    /// In place of the index of a name that does not have to be confirmed here.
    pub(super) const NO_NAME: u32 = u32::MAX;
}
