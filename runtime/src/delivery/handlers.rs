//! The handlers of a subscriber, with those that were mounted or unmounted while it ran.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::context::HandlerContext;
use super::resume::SharedLoopState;
use crate::broadcast::BacklogMeter;
use crate::tasks::Task;
use crate::telemetry::HandlerStats;
use crate::util::Mutex;

/// A mounted handler, with its loop.
pub(crate) struct Mounted {
    pub(crate) context: Arc<HandlerContext>,
    /// Shared with the loop, so that a shutdown can end its workers too.
    pub(crate) loop_state: SharedLoopState,
    pub(crate) meter: BacklogMeter,
    pub(crate) task: Task,
}

impl Mounted {
    pub(crate) fn stats(&self) -> HandlerStats {
        let subscriptions = self.context.spec.subscriptions.iter();
        let subscriptions = subscriptions.map(ToString::to_string).collect();
        HandlerStats::read(&self.context, subscriptions, &self.meter)
    }
}

/// A list of handlers at one moment.
pub(crate) type HandlerList = Arc<[Arc<Mounted>]>;

/// The handlers that run, and the counts of those that have ended.
#[derive(Default)]
pub(crate) struct Handlers {
    state: Mutex<State>,
}

/// The name of a handler, and what it listens to.
type Label = (String, String);

#[derive(Default)]
struct State {
    running: HandlerList,
    /// Handlers that were unmounted, whose loops may not have ended yet.
    ending: Vec<Arc<Mounted>>,
    /// The counts of those that have ended.
    ended: BTreeMap<Label, HandlerStats>,
}

impl Handlers {
    /// Returns the handlers that run, in the order of mounting.
    ///
    /// The list is the same until a handler is added or removed.
    pub(crate) fn running(&self) -> HandlerList {
        Arc::clone(&self.state.lock().running)
    }

    pub(crate) fn add(&self, handlers: impl IntoIterator<Item = Arc<Mounted>>) {
        let mut state = self.state.lock();
        let running = state.running.iter().cloned().chain(handlers);
        state.running = running.collect();
    }

    /// Removes a handler. Its counts stay.
    pub(crate) fn remove(&self, handler: &Arc<Mounted>) {
        let mut state = self.state.lock();
        let is_other = |other: &&Arc<Mounted>| !Arc::ptr_eq(other, handler);
        let others: HandlerList = state.running.iter().filter(is_other).cloned().collect();
        if others.len() < state.running.len() {
            state.running = others;
            state.ending.push(Arc::clone(handler));
        }
        state.settle();
    }

    /// Returns the counts of the handlers that were unmounted, by their names and what they listened to.
    pub(crate) fn unmounted(&self) -> Vec<HandlerStats> {
        let mut state = self.state.lock();
        state.settle();
        let mut all = state.ended.clone();
        for handler in &state.ending {
            let mut stats = handler.stats();
            stats.cancel_rest(stats.running);
            add(&mut all, stats);
        }
        all.into_values().collect()
    }
}

impl State {
    /// Keeps only the counts of handlers that have ended.
    fn settle(&mut self) {
        let ended = self.ending.extract_if(.., |one| one.task.is_finished());
        for handler in ended {
            let mut stats = handler.stats();
            stats.cancel_rest(0);
            add(&mut self.ended, stats);
        }
    }
}

fn add(all: &mut BTreeMap<Label, HandlerStats>, stats: HandlerStats) {
    let label = (stats.handler.clone(), stats.listens_to.clone());
    match all.get_mut(&label) {
        Some(sum) => sum.add(&stats),
        None => _ = all.insert(label, stats),
    }
}
