use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Acquire, Ordering::Release};

use tokio::sync::Notify;

use crate::broadcast::Known;
use crate::util::Mutex;

/// Which losses the handler's gap handler has handled. Written by the handler's loop.
#[derive(Debug, Default)]
pub(crate) struct SyncState {
    segment: AtomicU64,
    missed: AtomicU64,
    /// Whether messages were lost in a restart of the loop, and that is not handled yet.
    has_restarted: AtomicBool,
    /// Why the gap handler last failed, until it succeeds.
    problem: Mutex<Option<String>>,
    /// Notified of every change. Shared by the handlers of a subscriber.
    changed: Arc<Notify>,
}

/// What a handler has not handled yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unhandled {
    /// Messages may have been lost on the connection, or in a restart of the loop.
    Gap,
    /// The buffer has dropped messages, and nothing else is missing.
    Lag,
}

impl SyncState {
    pub(crate) fn new(changed: Arc<Notify>) -> Self {
        Self {
            changed,
            ..Self::default()
        }
    }

    /// Records that the gap handler has succeeded for every loss up to these.
    pub(crate) fn handled(&self, known: Known) {
        self.missed.store(known.missed, Release);
        self.segment.store(known.segment, Release);
        self.has_restarted.store(false, Release);
        self.changed.notify_one();
    }

    pub(crate) fn restarted(&self) {
        self.has_restarted.store(true, Release);
    }

    pub(crate) fn failed(&self, problem: String) {
        *self.problem.lock() = Some(problem);
        self.changed.notify_one();
    }

    pub(crate) fn succeeded(&self) {
        *self.problem.lock() = None;
    }

    /// Returns why the gap handler last failed, if it has not succeeded since.
    pub(crate) fn problem(&self) -> Option<String> {
        self.problem.lock().clone()
    }

    /// Returns what is not handled of these losses.
    pub(crate) fn unhandled(&self, losses: Known) -> Option<Unhandled> {
        if self.segment.load(Acquire) != losses.segment || self.has_restarted.load(Acquire) {
            Some(Unhandled::Gap)
        } else {
            (self.missed.load(Acquire) < losses.missed).then_some(Unhandled::Lag)
        }
    }
}
