//! The subscriber's own tasks: one that panics is noticed, counted and started again.
//!
//! Whoever needs a task spawns it with [`Tasks::spawn`] and owns the [`Task`] that it gets: dropping
//! that ends the task. Tasks come and go at any time, nothing here is numbered or registered.
//!
//! ```text
//!            spawn                    returns
//! (nobody) ─────────▶ running ───────────────────▶ done
//!                     ▲     │ panics
//!       after a pause │     ▼
//!                     └─── down (health: a task has ended)
//! ```
//!
//! Each task supervises itself: [`Tasks::spawn`] wraps what it runs into a loop that catches a panic,
//! reports it, waits and runs it again. So there is no task over the tasks that could fail in its
//! turn. What a task works with lies outside of the part that runs again where the next run is to go
//! on from there: a handler's loop goes on at its position, the session with the next connection.
//!
//! In: `subscriber` spawns and ends, `router` spawns the loops of handlers. Out: `health` reads which
//! tasks are [down](Tasks::down) and is woken by every [change](Tasks::changed), `telemetry` reads
//! how many were [restarted](Tasks::restarts).
//!
//! A panic of user code does not come here: the callers of user code catch it
//! (`util::catch_unwind`). What comes here is a bug of this crate.

use std::borrow::Cow;
use std::fmt;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::util::{Backoff, Ended, Mutex, attempt, clock, runs_without_panic};

/// A task of a subscriber.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TaskName {
    /// Keeps the connection and the subscriptions.
    Session,
    /// Wakes handlers together.
    Wakeups,
    /// The loop of a handler.
    Handler {
        name: Cow<'static, str>,
        /// Whether the subscriber is not ready without it.
        is_required: bool,
    },
    /// Calls the failure hook.
    FailureHook,
    /// Looks for stalled handlers, and publishes the health.
    Watchdog,
    /// Carries pushes from an attached channel.
    Forwarding,
}

impl TaskName {
    /// Whether the subscriber is not ready while this task is down.
    pub(crate) fn bears_readiness(&self) -> bool {
        match self {
            Self::Session | Self::Forwarding => true,
            Self::Handler { is_required, .. } => *is_required,
            Self::Wakeups | Self::FailureHook | Self::Watchdog => false,
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
        })
    }
}

/// What the tasks of one subscriber have in common.
#[derive(Debug)]
pub(crate) struct Tasks {
    /// Those that have panicked and do not run again yet.
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
/// The first and the longest pause before a task that keeps panicking.
const PAUSES: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(5));

impl Tasks {
    /// `stop` is cancelled when the subscriber shuts down.
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

    /// Spawns a task that runs what `run` makes until that returns, and again whenever it panics.
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

    /// The tasks that have panicked and do not run again yet.
    pub(crate) fn down(&self) -> Vec<TaskName> {
        self.down.lock().clone()
    }

    /// A receiver that sees a change whenever a task goes down or runs again.
    pub(crate) fn changed(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// How many times a task was restarted.
    pub(crate) fn restarts(&self) -> u64 {
        self.restarts.load(Relaxed)
    }

    /// Waits before a restart. A shutdown waits for tasks, so its beginning ends the pause.
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

/// Not generic over what it runs any more than it must be: one copy a handler.
async fn supervise<F: Future<Output = ()>>(
    tasks: Arc<Tasks>,
    name: TaskName,
    mut run: impl FnMut() -> F,
) {
    let mut backoff = Backoff::new(PAUSES.0, PAUSES.1);
    loop {
        let started = clock::now();
        let mut running = pin!(Some(run()));
        let returned = match running.as_mut().as_pin_mut() {
            Some(running) => runs_to_its_end(&tasks, &name, running).await,
            None => return,
        };
        // After a panic it may still hold a future of the user's, whose destructor may panic too.
        if runs_without_panic(|| running.set(None)) && returned {
            return;
        }
        let is_steady = clock::now() - started >= STEADY;
        if is_steady {
            backoff.reset();
        }
        let down = tasks.report_down(&name);
        if !is_steady {
            // In a box, so that a task that never panics does not hold the room for a timer.
            Box::pin(tasks.pause(backoff.next())).await;
        }
        drop(down);
        tasks.restarts.fetch_add(1, Relaxed);
        tracing::error!(target: "redis_push", task = %name, "task exited unexpectedly; restarting");
    }
}

/// Runs it, and says whether it returned: the other end is a panic.
#[cfg(not(test))]
async fn runs_to_its_end(
    _tasks: &Tasks,
    _name: &TaskName,
    running: Pin<&mut impl Future<Output = ()>>,
) -> bool {
    matches!(attempt(running).await, Ended::Returned(()))
}

/// The same, with a panic whenever [a test asks](Tasks::panic_in) for one.
#[cfg(test)]
async fn runs_to_its_end(
    tasks: &Tasks,
    name: &TaskName,
    running: Pin<&mut impl Future<Output = ()>>,
) -> bool {
    let mut panics = tasks.panics.subscribe();
    let asked = async {
        while panics.recv().await.as_ref() != Ok(name) {}
        panic!("a test has asked for this panic");
    };
    let running = pin!(async {
        tokio::select! {
            () = running => {}
            () = asked => {}
        }
    });
    matches!(attempt(running).await, Ended::Returned(()))
}

#[cfg(test)]
impl Tasks {
    /// Lets the task of that name panic at its next await.
    pub(crate) fn panic_in(&self, name: &TaskName) {
        let _ = self.panics.send(name.clone());
    }
}

/// Says that a task is down, for as long as it is.
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
    /// its next await; another call waits for that.
    ///
    /// Cancel safe.
    pub(crate) async fn end(&self, deadline: Instant) {
        if timeout_at(deadline, self.ended()).await.is_err() {
            self.abort();
        }
    }

    /// Aborts the task, without waiting for it.
    pub(crate) fn abort(&self) {
        if let Some(task) = &*self.0.lock() {
            task.abort();
        }
    }

    /// Waits until everything that the task held is dropped.
    async fn ended(&self) {
        std::future::poll_fn(|cx| {
            let mut slot = self.0.lock();
            match &mut *slot {
                Some(task) => Pin::new(task).poll(cx).map(|_| *slot = None),
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
