//! A handler whose broadcast channel is filled, for the tests of its loop.

use std::sync::Arc;

use super::context::HandlerContext;
use super::instruments::Observation;
use super::resume::{LoopState, SharedLoopState};
use crate::broadcast::Shared;
use crate::config::Settings;
use crate::dispatch::{Dispatcher, RoutingTable};
use crate::failure::Failures;
use crate::handler::Spec;
use crate::push::{Extensions, Incoming};

pub(super) struct Filled {
    pub(super) shared: Arc<Shared>,
    pub(super) loop_state: SharedLoopState,
    pub(super) context: Arc<HandlerContext>,
}

impl Filled {
    /// Fills the channel of a handler of one name with so many messages.
    pub(super) fn with(messages: u64, spec: Spec, observation: &Observation) -> Self {
        let shared = Arc::new(Shared::new(spec.subscriptions.len(), spec.budget));
        let mut routes = RoutingTable::default();
        routes.add(&shared, &spec.subscriptions);
        let loop_state = LoopState::new(shared.subscribe());
        let dispatcher = Dispatcher::new(routes, &Settings::default());
        dispatcher.open(1.into());
        let (kind, name) = spec.subscriptions[0].key();
        dispatcher.accept(1.into(), &Incoming::Subscribed { kind, name });
        for _ in 0..messages {
            let message = Incoming::Message {
                kind,
                name,
                channel: name,
                payload: b"7",
            };
            dispatcher.accept(1.into(), &message);
        }
        let (failures, extensions) = (Failures::default(), Extensions::default());
        let context = HandlerContext::new(spec, failures, extensions, Arc::default());
        Self {
            shared,
            loop_state,
            context: Arc::new(context.observed(observation)),
        }
    }
}
