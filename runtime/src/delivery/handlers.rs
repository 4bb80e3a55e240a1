//! The handlers of a subscriber, with those that were mounted or unmounted while it ran.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::context::HandlerContext;
use super::resume::SharedLoopState;
use crate::broadcast::BacklogMeter;
use crate::tasks::Task;
use crate::telemetry::HandlerStats;
use crate::util::Mutex;

/// A mounted handler, with its loop.
pub(crate) struct Mounted {
    /// What [`Handlers::number`] has returned for it.
    pub(crate) number: u64,
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
    numbers: AtomicU64,
    state: Mutex<State>,
}

/// So many handlers that have ended may wait for a look in any case.
const FEW: usize = 16;

/// The name of a handler, and what it listens to.
type Label = (String, String);

#[derive(Default)]
struct State {
    /// By their numbers.
    running: BTreeMap<u64, Arc<Mounted>>,
    /// The same as a list, since it was last asked for. So to mount one more does not cost what there is.
    list: Option<HandlerList>,
    /// Handlers that were unmounted, whose loops may not have ended yet.
    ending: Vec<Arc<Mounted>>,
    /// How many of these there may be before those are looked for that have ended.
    most_ending: usize,
    /// The counts of those that have ended.
    ended: BTreeMap<Label, HandlerStats>,
}

impl Handlers {
    /// Returns the handlers that run, in the order of mounting.
    ///
    /// The list is the same until a handler is added or removed.
    pub(crate) fn running(&self) -> HandlerList {
        let State { running, list, .. } = &mut *self.state.lock();
        let list = list.get_or_insert_with(|| running.values().cloned().collect());
        Arc::clone(list)
    }

    /// Returns how many handlers run.
    pub(crate) fn len(&self) -> usize {
        self.state.lock().running.len()
    }

    /// Returns a number for the next handler.
    pub(crate) fn number(&self) -> u64 {
        self.numbers.fetch_add(1, Relaxed)
    }

    pub(crate) fn add(&self, handlers: impl IntoIterator<Item = Arc<Mounted>>) {
        let mut state = self.state.lock();
        state.list = None;
        let handlers = handlers.into_iter().map(|one| (one.number, one));
        state.running.extend(handlers);
    }

    /// Removes a handler. Its counts stay.
    pub(crate) fn remove(&self, handler: &Arc<Mounted>) {
        let mut state = self.state.lock();
        let Some(handler) = state.running.remove(&handler.number) else {
            return;
        };
        state.list = None;
        state.ending.push(handler);
        if state.ending.len() > state.most_ending {
            state.settle();
            state.most_ending = 2 * state.ending.len() + FEW;
        }
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
