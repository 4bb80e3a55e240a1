//! The handlers of a subscriber, with those that were mounted or unmounted while it ran.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::context::HandlerContext;
use super::resume::SharedLoopState;
use crate::broadcast::BacklogMeter;
use crate::tasks::Task;
use crate::telemetry::{HandlerStats, MOST_LABELS, OTHERS};
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
    /// The counts of those that have ended.
    ended: BTreeMap<Label, HandlerStats>,
}

impl Handlers {
    /// Returns the handlers that run, in the order of mounting.
    ///
    /// The list is the same until a handler is added or removed.
    pub(crate) fn running(&self) -> HandlerList {
        self.state.lock().list()
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
    }

    /// Lets go of the handlers that have ended, which have buffers. The watchdog calls this at each look.
    pub(crate) fn settle(&self) {
        self.state.lock().settle();
    }

    /// Returns the counts of the handlers that run, and of those that were unmounted, by their names and
    /// what they listened to. Each handler is among one of them.
    pub(crate) fn stats(&self) -> (Vec<HandlerStats>, Vec<HandlerStats>) {
        let (running, ending, mut unmounted) = {
            let mut state = self.state.lock();
            state.settle();
            (state.list(), state.ending.clone(), state.ended.clone())
        };
        for handler in ending {
            let mut stats = handler.stats();
            stats.cancel_rest(stats.running);
            add(&mut unmounted, stats);
        }
        let running = running.iter().map(|handler| handler.stats()).collect();
        (running, unmounted.into_values().collect())
    }
}

impl State {
    fn list(&mut self) -> HandlerList {
        let Self { running, list, .. } = self;
        let list = list.get_or_insert_with(|| running.values().cloned().collect());
        Arc::clone(list)
    }

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

/// Adds counts to those of the same label. Labels beyond a thousand are counted together, because a program
/// may make them of the names of its users, and counts are never forgotten.
fn add(all: &mut BTreeMap<Label, HandlerStats>, mut stats: HandlerStats) {
    let mut label = (stats.handler.clone(), stats.listens_to.clone());
    if all.len() >= MOST_LABELS && !all.contains_key(&label) {
        label = (OTHERS.to_owned(), OTHERS.to_owned());
        (stats.handler, stats.listens_to) = label.clone();
        stats.subscriptions = Vec::new();
    }
    match all.get_mut(&label) {
        Some(sum) => sum.add(&stats),
        None => _ = all.insert(label, stats),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_beyond_a_thousand_are_counted_together() {
        let mut all = BTreeMap::new();
        for room in 0..1_100 {
            let stats = HandlerStats {
                handler: format!("room-{room}"),
                handled: 1,
                ..HandlerStats::default()
            };
            add(&mut all, stats.clone());
            add(&mut all, stats);
        }
        assert_eq!(all.len(), MOST_LABELS + 1);
        let others = &all[&(OTHERS.to_owned(), OTHERS.to_owned())];
        assert_eq!(others.handled, 200);
        assert_eq!(all.values().map(|stats| stats.handled).sum::<u64>(), 2_200);
    }
}
