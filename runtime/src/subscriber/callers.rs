//! Calls of `shutdown` from inside a handler or the failure hook.

use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use tokio::task::{self, Id};

use crate::delivery::Mounted;
use crate::util::Mutex;

/// The tasks that wait for a shutdown, which must not wait for them.
///
/// They are found by the ids of their tasks, so a delivery pays nothing for this.
#[derive(Debug, Default)]
pub(super) struct Callers {
    tasks: Mutex<Vec<Id>>,
    added: Notify,
}

/// A call of `shutdown`, until it is dropped.
pub(super) struct Call<'c> {
    callers: &'c Callers,
    task: Option<Id>,
}

impl Callers {
    /// Records that the current task waits for a shutdown.
    pub(super) fn enter(&self) -> Call<'_> {
        let task = task::try_id();
        self.tasks.lock().extend(task);
        self.added.notify_waiters();
        let callers = self;
        Call { callers, task }
    }

    /// Is woken by the next call. Must be created before the callers are read.
    pub(super) fn added(&self) -> Notified<'_> {
        self.added.notified()
    }

    /// Returns whether this task waits for a shutdown.
    pub(super) fn contain(&self, task: Option<Id>) -> bool {
        task.is_some_and(|task| self.tasks.lock().contains(&task))
    }

    /// Returns which of a handler's tasks wait for a shutdown.
    pub(super) fn of(&self, handler: &Mounted) -> HandlerCallers {
        let workers = handler.context.worker_tasks.lock();
        let calls = |worker: &&task::AbortHandle| self.contain(Some(worker.id()));
        HandlerCallers {
            is_loop: self.contain(handler.task.id()),
            workers: workers.iter().filter(calls).count() as u64,
        }
    }

    /// Aborts the workers of a handler, except those that wait for a shutdown.
    pub(super) fn abort_other_workers(&self, handler: &Mounted) {
        let workers = handler.context.worker_tasks.lock();
        let others = workers
            .iter()
            .filter(|worker| !self.contain(Some(worker.id())));
        others.for_each(task::AbortHandle::abort);
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        let mut tasks = self.callers.tasks.lock();
        if let Some(at) = tasks.iter().position(|task| Some(*task) == self.task) {
            tasks.swap_remove(at);
        }
    }
}

/// The tasks of a handler that wait for a shutdown.
#[derive(Clone, Copy, Debug)]
pub(super) struct HandlerCallers {
    /// Its loop: in a delivery, or in the gap handler.
    pub(super) is_loop: bool,
    /// How many of its workers.
    pub(super) workers: u64,
}

impl HandlerCallers {
    pub(super) fn is_any(self) -> bool {
        self.count() > 0
    }

    pub(super) fn count(self) -> u64 {
        self.workers + u64::from(self.is_loop)
    }
}
