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
    /// Notified of every change, if the health depends on it. Shared by the handlers of a subscriber.
    changed: Option<Arc<Notify>>,
}

/// What a handler has not handled yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Unhandled {
    /// Whether messages may have been lost on the connection or in a restart of the loop, or a resync is
    /// requested.
    pub(crate) gap: bool,
    /// Whether the buffer has dropped messages.
    pub(crate) lag: bool,
}

impl SyncState {
    pub(crate) fn new(changed: Option<Arc<Notify>>) -> Self {
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
        self.notify();
    }

    pub(crate) fn restarted(&self) {
        self.has_restarted.store(true, Release);
    }

    pub(crate) fn failed(&self, problem: String) {
        *self.problem.lock() = Some(problem);
        self.notify();
    }

    /// Notifies the health of a change.
    pub(super) fn notify(&self) {
        if let Some(changed) = &self.changed {
            changed.notify_one();
        }
    }

    pub(crate) fn succeeded(&self) {
        *self.problem.lock() = None;
    }

    /// Returns why the gap handler last failed, if it has not succeeded since.
    pub(crate) fn problem(&self) -> Option<String> {
        self.problem.lock().clone()
    }

    /// Returns what is not handled of these losses.
    pub(super) fn unhandled(&self, losses: Known) -> Unhandled {
        let is_reported = self.segment.load(Acquire) == losses.segment;
        Unhandled {
            gap: !is_reported || self.has_restarted.load(Acquire),
            lag: self.missed.load(Acquire) < losses.missed,
        }
    }
}
