//! Keeps the subscriber's own tasks running: one that ends unasked is noticed, counted and started
//! again.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout_at};

use crate::util::Backoff;
use crate::util::{Mutex, MutexGuard};

/// A task of a subscriber.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TaskName {
    /// Keeps the connection and the subscriptions.
    Supervisor,
    /// Wakes handlers together.
    Waking,
    /// The loop of the handler at this place in the order of mounting.
    Handler(usize),
    /// Tells the failure hook.
    Failures,
    /// Looks for stalled handlers, and publishes the health.
    Watchdog,
    /// Starts tasks again, as the watchdog does too.
    Keeper,
    /// Carries pushes from an attached channel.
    Forwarding,
    /// Reads the connection: the wire link's driver, or what redis-rs calls with each push.
    Link,
}

/// The tasks, and how each is started. The keeper's own task and the watchdog both
/// [mend](Self::mend): each of them starts the other one.
pub(crate) struct Keeper {
    tasks: Mutex<Vec<Kept>>,
    /// Counts the ends of tasks.
    news: watch::Sender<u64>,
    restarts: AtomicU64,
}

struct Kept {
    name: TaskName,
    /// Whose loop it is, for the log.
    handler: Option<Cow<'static, str>>,
    /// How it is started; `None` when it is not to be started again.
    start: Option<Start>,
    state: State,
    /// Which run of it this is: the end of another says nothing.
    run: u64,
    abort: Option<AbortHandle>,
    started: Instant,
    backoff: Backoff,
}

type Start = Arc<dyn Fn(Watched) -> AbortHandle + Send + Sync>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Not started yet.
    New,
    Running,
    /// Ended unasked, and to be started again at this moment.
    Down(Instant),
    /// Ended because it was done, or was told to.
    Done,
}

/// A task that has run for so long is started again at once.
const STEADY: Duration = Duration::from_secs(10);

/// The pauses before one that keeps ending.
const DELAYS: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(5));

impl Keeper {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            tasks: Mutex::default(),
            news: watch::Sender::new(0),
            restarts: AtomicU64::new(0),
        })
    }

    /// Starts a task, and keeps it running until it returns or is [ended](Self::end).
    ///
    /// What it works with must outlive it where the next run is to go on from there.
    pub(crate) fn keep(
        self: &Arc<Self>,
        name: TaskName,
        start: impl Fn(Watched) -> AbortHandle + Send + Sync + 'static,
    ) -> usize {
        self.keep_as(name, None, start)
    }

    /// Keeps the loop of a handler, which the log calls by its name.
    pub(crate) fn keep_loop(
        self: &Arc<Self>,
        index: usize,
        handler: Cow<'static, str>,
        start: impl Fn(Watched) -> AbortHandle + Send + Sync + 'static,
    ) -> usize {
        self.keep_as(TaskName::Handler(index), Some(handler), start)
    }

    fn keep_as(
        self: &Arc<Self>,
        name: TaskName,
        handler: Option<Cow<'static, str>>,
        start: impl Fn(Watched) -> AbortHandle + Send + Sync + 'static,
    ) -> usize {
        let (first, most) = DELAYS;
        let index = {
            let mut tasks = self.lock();
            tasks.push(Kept {
                name,
                handler,
                start: Some(Arc::new(start)),
                state: State::New,
                run: 0,
                abort: None,
                started: Instant::now(),
                backoff: Backoff::new(first, most),
            });
            tasks.len() - 1
        };
        self.start(index);
        index
    }

    /// Keeps the task that mends.
    pub(crate) fn keep_itself(self: &Arc<Self>) {
        // Not by an `Arc`, which would hold itself.
        let keeper = Arc::downgrade(self);
        self.keep(TaskName::Keeper, move |watched| {
            let keeper = keeper.clone();
            watched.spawn(async move {
                if let Some(keeper) = keeper.upgrade() {
                    keeper.go_on().await;
                }
            })
        });
    }

    async fn go_on(self: Arc<Self>) {
        let mut news = self.news();
        loop {
            match self.mend() {
                Some(due) => _ = timeout_at(due, news.changed()).await,
                None => _ = news.changed().await,
            }
        }
    }

    /// Starts again what has ended unasked, and answers when there is more to start.
    pub(crate) fn mend(self: &Arc<Self>) -> Option<Instant> {
        let now = Instant::now();
        let mut due = Vec::new();
        let mut next = None::<Instant>;
        for (index, task) in self.lock().iter().enumerate() {
            match task.state {
                State::Down(at) if at <= now => due.push((index, task.name, task.handler.clone())),
                State::Down(at) => next = Some(next.map_or(at, |next| next.min(at))),
                State::New | State::Running | State::Done => {}
            }
        }
        for (index, task, handler) in due {
            if self.start(index) {
                self.restarts.fetch_add(1, Relaxed);
                tracing::error!(
                    target: "redis_push", ?task, handler = handler.as_deref(),
                    "a task had ended unasked and is started again"
                );
            }
        }
        next
    }

    /// Starts a task that is new or down. Nothing is locked while the runtime takes it: one that
    /// shuts down drops it at once, which comes back here.
    fn start(self: &Arc<Self>, index: usize) -> bool {
        let (start, run) = {
            let mut tasks = self.lock();
            let task = &mut tasks[index];
            let (State::New | State::Down(_), Some(start)) = (task.state, task.start.clone())
            else {
                return false;
            };
            task.state = State::Running;
            task.run += 1;
            task.started = Instant::now();
            (start, task.run)
        };
        let abort = start(Watched {
            keeper: Arc::clone(self),
            index,
            run,
            is_done: false,
        });
        let mut tasks = self.lock();
        let task = &mut tasks[index];
        if task.run == run {
            match task.start {
                Some(_) => task.abort = Some(abort),
                None => abort.abort(),
            }
        }
        true
    }

    fn ended(&self, index: usize, run: u64, is_done: bool) {
        let mut tasks = self.lock();
        let task = &mut tasks[index];
        if task.run != run {
            return;
        }
        task.state = match task.start {
            Some(_) if !is_done => {
                let now = Instant::now();
                let is_steady = now - task.started >= STEADY;
                if is_steady {
                    task.backoff.reset();
                }
                State::Down(match is_steady {
                    true => now,
                    false => now + task.backoff.next(),
                })
            }
            _ => State::Done,
        };
        drop(tasks);
        self.news.send_modify(|ends| *ends = ends.wrapping_add(1));
    }

    /// Waits until a task is done, and ends it at the deadline.
    pub(crate) async fn end(&self, index: usize, deadline: Instant) {
        let done = async {
            let mut news = self.news();
            while self.lock()[index].state != State::Done {
                let _ = news.changed().await;
            }
        };
        if timeout_at(deadline, done).await.is_err() {
            let mut tasks = self.lock();
            let task = &mut tasks[index];
            if let Some(abort) = &task.abort {
                abort.abort();
            }
            let start = task.start.take();
            drop(tasks);
            // It may own what is the user's, whose `Drop` is foreign code.
            drop(start);
        }
    }

    /// Ends every task, and lets go of what they work with.
    pub(crate) fn close(&self) {
        let starts: Vec<_> = self
            .lock()
            .iter_mut()
            .map(|task| {
                if let Some(abort) = &task.abort {
                    abort.abort();
                }
                task.start.take()
            })
            .collect();
        drop(starts);
    }

    /// The tasks that have ended unasked and are not started again yet.
    pub(crate) fn down(&self) -> Vec<TaskName> {
        let tasks = self.lock();
        let down = tasks
            .iter()
            .filter(|task| task.start.is_some() && matches!(task.state, State::Down(_)));
        down.map(|task| task.name).collect()
    }

    /// A receiver that sees a change whenever a task has ended.
    pub(crate) fn news(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
    }

    /// How many tasks have been started again.
    pub(crate) fn restarts(&self) -> u64 {
        self.restarts.load(Relaxed)
    }

    /// Ends a task as a panic in it would; `false` if there is none of that name.
    #[cfg(feature = "testing")]
    pub(crate) fn kill(&self, name: TaskName) -> bool {
        let tasks = self.lock();
        let found = tasks.iter().find(|task| task.name == name);
        let abort = found.and_then(|task| task.abort.as_ref());
        abort.map(AbortHandle::abort).is_some()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Kept>> {
        self.tasks.lock()
    }
}

impl fmt::Debug for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keeper")
            .field("tasks", &self.lock().len())
            .field("restarts", &self.restarts())
            .finish_non_exhaustive()
    }
}

/// Tells the keeper that a task has ended, in whatever way.
pub(crate) struct Watched {
    keeper: Arc<Keeper>,
    index: usize,
    run: u64,
    is_done: bool,
}

impl Watched {
    /// Spawns the task. That it returns means that it is done.
    pub(crate) fn spawn(mut self, task: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
        let watched = async move {
            // Everything of the task's is dropped before the keeper hears that it has ended.
            let this = &mut self;
            task.await;
            this.is_done = true;
        };
        tokio::spawn(watched).abort_handle()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.keeper.ended(self.index, self.run, self.is_done);
    }
}

#[cfg(test)]
mod tests;
