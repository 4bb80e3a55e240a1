//! The subscriber's internal tasks. A task that panics is reported, counted and restarted.
//!
//! [`Tasks::spawn`] returns a [`Task`], which owns the task: dropping it aborts the task. Tasks are
//! spawned and ended at any time; they are neither numbered nor registered.
//!
//! ```text
//!        spawn             returns
//!       ───────▶ running ──────────▶ done
//!                ▲     │
//!  after a pause │     │ panics
//!                │     ▼
//!                └─── down (health: not live, `TaskEnded`)
//! ```
//!
//! Each task supervises itself: [`Tasks::spawn`] wraps it in a loop that catches a panic, reports it,
//! pauses and runs the task again. There is no supervising task that could fail too. State that must
//! survive a restart lives outside the part that is run again: the loop of a handler continues at its
//! position, and the session with the next connection.
//!
//! In: `subscriber` spawns and ends tasks, `router` spawns the loops of handlers. Out: `health` reads
//! which tasks are [down](Tasks::down), and the watchdog is notified of every
//! [change](Tasks::changed). `subscriber` reads the number of [restarts](Tasks::restarts) for the
//! stats.
//!
//! Invariants:
//!
//! - A task that returns is done. Only a panic restarts a task.
//! - A task is down from the panic until it runs again. The first pause takes 10 ms, later ones up to
//!   5 s; a task that has run for 10 s is restarted without one. A shutdown ends a pause.
//! - A panic of user code does not reach this module: the callers of user code catch it
//!   (`util::catch_unwind`). A panic that is caught here is a bug in this crate.

use std::borrow::Cow;
use std::fmt;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{Id, JoinHandle};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::util::{Backoff, Ended, Mutex, attempt, clock, drop_caught, runs_without_panic};

/// A task of a subscriber.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TaskName {
    /// Runs the session.
    Session,
    /// Wakes handlers in groups.
    Wakeups,
    /// The loop of a handler.
    Handler {
        name: Cow<'static, str>,
        /// Whether readiness depends on the handler.
        is_required: bool,
    },
    /// Calls the failure hook.
    FailureHook,
    /// Looks for stalled handlers, and publishes the health.
    Watchdog,
    /// Forwards pushes from an attached channel to the dispatcher.
    Forwarding,
    /// Logs what is subscribed after a start that nobody waits for.
    StartLog,
}

impl TaskName {
    /// Whether the subscriber is not ready while this task is down.
    pub(crate) fn bears_readiness(&self) -> bool {
        match self {
            Self::Session | Self::Forwarding => true,
            Self::Handler { is_required, .. } => *is_required,
            Self::Wakeups | Self::FailureHook | Self::Watchdog | Self::StartLog => false,
        }
    }
}

impl fmt::Display for TaskName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Session => "the session's task",
            Self::Wakeups => "the task that wakes handlers",
            Self::Handler { name, .. } => return write!(f, "the loop of handler `{name}`"),
            Self::FailureHook => "the failure hook's task",
            Self::Watchdog => "the watchdog's task",
            Self::Forwarding => "the task that reads the attached channel",
            Self::StartLog => "the task that logs the start",
        })
    }
}

/// The shared state of a subscriber's tasks.
#[derive(Debug)]
pub(crate) struct Tasks {
    /// The tasks that have panicked and do not run again yet.
    down: Mutex<Vec<TaskName>>,
    restarts: AtomicU64,
    changed: watch::Sender<()>,
    /// Cancelled when the subscriber shuts down.
    stop: CancellationToken,
    #[cfg(test)]
    panics: tokio::sync::broadcast::Sender<TaskName>,
}

/// A task that has run for this long is restarted without a pause.
const STEADY: Duration = Duration::from_secs(10);

/// The first and the longest pause before a task that keeps panicking is restarted.
const PAUSES: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(5));

impl Tasks {
    /// Creates the shared state. `stop` is cancelled when the subscriber shuts down.
    pub(crate) fn new(stop: CancellationToken) -> Arc<Self> {
        Arc::new(Self {
            down: Mutex::default(),
            restarts: AtomicU64::new(0),
            changed: watch::Sender::new(()),
            stop,
            #[cfg(test)]
            panics: tokio::sync::broadcast::Sender::new(16),
        })
    }

    /// Spawns a task that runs the future of `run` until it returns. If the future panics, the task
    /// calls `run` again.
    pub(crate) fn spawn<F>(
        self: &Arc<Self>,
        name: TaskName,
        run: impl FnMut() -> F + Send + 'static,
    ) -> Task
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let supervised = supervise(Arc::clone(self), name, run);
        Task(Mutex::new(Some(tokio::spawn(supervised))))
    }

    /// Returns the tasks that have panicked and do not run again yet.
    pub(crate) fn down(&self) -> Vec<TaskName> {
        self.down.lock().clone()
    }

    /// Returns a receiver that is notified whenever a task goes down or runs again.
    pub(crate) fn changed(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Returns the number of restarts of all tasks.
    pub(crate) fn restarts(&self) -> u64 {
        self.restarts.load(Relaxed)
    }

    /// Waits before a restart. The start of a shutdown ends the pause, because a shutdown waits for
    /// the tasks.
    async fn pause(&self, pause: Duration) {
        if self.stop.is_cancelled() {
            sleep(pause).await;
        } else {
            let _ = timeout(pause, self.stop.cancelled()).await;
        }
    }

    /// Reports a task as down until the guard is dropped.
    fn report_down(&self, name: &TaskName) -> Down<'_> {
        self.down.lock().push(name.clone());
        self.changed.send_replace(());
        Down {
            tasks: self,
            name: name.clone(),
        }
    }
}

/// Runs a task, and restarts it after a panic. This is compiled once for each handler, so it is generic
/// only over what it runs.
///
/// Not an `async fn`: its future would have room for each argument twice, and there is one for each handler.
#[expect(clippy::manual_async_fn, reason = "the future is smaller")]
fn supervise<F: Future<Output = ()>>(
    tasks: Arc<Tasks>,
    name: TaskName,
    mut run: impl FnMut() -> F,
) -> impl Future<Output = ()> {
    async move {
        let mut backoff = Backoff::new(PAUSES.0, PAUSES.1);
        loop {
            let started = clock::now();
            if returns(&tasks, &name, &mut run).await {
                return;
            }
            let is_steady = clock::now() - started >= STEADY;
            if is_steady {
                backoff.reset();
            }
            let down = tasks.report_down(&name);
            if !is_steady {
                // Boxed, so that the future of a task that never panics has no room for a timer.
                Box::pin(tasks.pause(backoff.next())).await;
            }
            // What collects the log is the user's code, and this loop has nobody to restart it.
            runs_without_panic(|| {
                tracing::error!(
                    target: "redis_push",
                    task = %name,
                    "task exited unexpectedly; restarting"
                );
            });
            drop(down);
            tasks.restarts.fetch_add(1, Relaxed);
        }
    }
}

/// Runs the task's future. Returns `true` if it returned, and `false` if it panicked.
#[cfg(not(test))]
#[expect(clippy::manual_async_fn, reason = "see `supervise`")]
fn returns<F: Future<Output = ()>>(
    _tasks: &Tasks,
    _name: &TaskName,
    run: impl FnOnce() -> F,
) -> impl Future<Output = bool> {
    async move { matches!(attempt(pin!(None), run).await, Ended::Returned(())) }
}

/// Like the above, and panics whenever [a test requests it](Tasks::panic_in).
#[cfg(test)]
async fn returns<F: Future<Output = ()>>(
    tasks: &Tasks,
    name: &TaskName,
    run: impl FnOnce() -> F,
) -> bool {
    let mut panics = tasks.panics.subscribe();
    let requested = async {
        while panics.recv().await.as_ref() != Ok(name) {}
        panic!("a test has requested this panic");
    };
    // Not owned by the future that panics: it would be dropped while the thread unwinds.
    let mut running = pin!(Some(run()));
    let either = async {
        tokio::select! {
            () = running.as_mut().as_pin_mut().expect("it is set") => {}
            () = requested => {}
        }
    };
    let ended = attempt(pin!(None), || either).await;
    runs_without_panic(|| running.set(None)) && matches!(ended, Ended::Returned(()))
}

#[cfg(test)]
impl Tasks {
    /// Makes the task of that name panic at its next await.
    pub(crate) fn panic_in(&self, name: &TaskName) {
        let _ = self.panics.send(name.clone());
    }
}

/// A guard that exists while a task is down.
struct Down<'t> {
    tasks: &'t Tasks,
    name: TaskName,
}

impl Drop for Down<'_> {
    fn drop(&mut self) {
        let mut down = self.tasks.down.lock();
        if let Some(at) = down.iter().position(|name| *name == self.name) {
            down.swap_remove(at);
        }
        drop(down);
        self.tasks.changed.send_replace(());
    }
}

/// A running task. Dropping it aborts the task.
#[derive(Debug)]
pub(crate) struct Task(Mutex<Option<JoinHandle<()>>>);

impl Task {
    /// Waits until the task has ended, and aborts it at the deadline. An aborted task is dropped at
    /// its next await. Another call waits for that.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe.
    pub(crate) async fn end(&self, deadline: Instant) {
        if timeout_at(deadline, self.ended()).await.is_err() {
            self.abort();
        }
    }

    /// Returns the id of the task; `None` after it was awaited.
    pub(crate) fn id(&self) -> Option<Id> {
        self.0.lock().as_ref().map(JoinHandle::id)
    }

    /// Returns whether the task has ended.
    pub(crate) fn is_finished(&self) -> bool {
        self.0.lock().as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Aborts the task, without waiting for it.
    pub(crate) fn abort(&self) {
        if let Some(task) = &*self.0.lock() {
            task.abort();
        }
    }

    /// Waits until everything that the task owns is dropped.
    async fn ended(&self) {
        std::future::poll_fn(|cx| {
            let mut slot = self.0.lock();
            match &mut *slot {
                Some(task) => Pin::new(task).poll(cx).map(|ended| {
                    *slot = None;
                    // The payload of a panic in the destructor of the user's state.
                    drop_caught(ended);
                }),
                None => std::task::Poll::Ready(()),
            }
        })
        .await;
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.abort();
    }
}

#[cfg(test)]
mod tests;
