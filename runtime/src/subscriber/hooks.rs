//! What the user runs when the subscriber is ready for the first time, and when it has stopped.

use std::pin::{Pin, pin};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::time::{Instant, timeout, timeout_at};

use super::Subscriber;
use super::handle::Handle;
use super::running::Running;
use crate::error::{BoxError, Error, Result, WithCauses};
use crate::handler::IntoOutcome;
use crate::util::{Ended, Mutex, attempt, clock, drop_caught, runs_without_panic};

type Outcome = Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send>>;

/// A hook that waits for the state.
pub(super) type ReadyHook<S> = Box<dyn FnOnce(Handle, Arc<S>) -> Outcome + Send + Sync>;
pub(super) type StopHook<S> = Box<dyn FnOnce(Arc<S>, Duration) -> Outcome + Send + Sync>;

/// The hooks of a subscriber, in the order in which they were set.
pub(super) struct Hooks<S> {
    pub(super) ready: Vec<ReadyHook<S>>,
    pub(super) stop: Vec<StopHook<S>>,
}

impl<S> Default for Hooks<S> {
    fn default() -> Self {
        let (ready, stop) = (Vec::new(), Vec::new());
        Self { ready, stop }
    }
}

/// A hook that has its state.
type BoundHook<A> = Box<dyn FnOnce(A) -> Outcome + Send>;

/// The hooks of a running subscriber.
#[derive(Default)]
pub(super) struct BoundHooks {
    ready: Mutex<Vec<BoundHook<Handle>>>,
    stop: Mutex<Vec<BoundHook<Duration>>>,
    /// The task that runs the first ones after `spawn`.
    task: Mutex<Option<tokio::task::AbortHandle>>,
    /// The error for which that task has ended the subscriber.
    failed: OnceLock<Error>,
}

impl<S: Send + Sync + 'static> Hooks<S> {
    pub(super) fn is_empty(&self) -> bool {
        self.ready.is_empty() && self.stop.is_empty()
    }

    pub(super) fn bind(self, state: &Arc<S>) -> BoundHooks {
        let hooks = BoundHooks::default();
        for hook in self.ready {
            let state = Arc::clone(state);
            let bound = move |handle| hook(handle, state);
            hooks.ready.lock().push(Box::new(bound));
        }
        for hook in self.stop {
            let state = Arc::clone(state);
            let bound = move |left| hook(state, left);
            hooks.stop.lock().push(Box::new(bound));
        }
        hooks
    }
}

impl<S: Send + Sync + 'static> Subscriber<S> {
    /// Runs a function when the subscriber is [ready](crate::Health::is_ready) for the first time: every
    /// subscription is confirmed, and every gap handler has succeeded for the initial gap. Call it after
    /// [`state`](Subscriber::state).
    ///
    /// ```
    /// # use redis_push::testing::Broker;
    /// use redis_push::{Publisher, Subscriber};
    ///
    /// # #[tokio::main]
    /// # async fn main() -> redis_push::Result<()> {
    /// # let server = Broker::start().await.unwrap();
    /// # let url = server.url();
    /// let publisher = Publisher::new(url.clone())?;
    /// let handle = Subscriber::new(url)
    ///     .state(publisher)
    ///     .on_ready(|_handle, publisher| async move {
    ///         publisher.publish_to("services", "here I am").await.map(|_| ())
    ///     })
    ///     .start()
    ///     .await?;
    /// # drop(handle);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// [`start`](Self::start) and [`run`](Self::run) return when the function has returned. Waiting until the
    /// subscriber is ready, and the functions, may take as long as the
    /// [`start_deadline`](Self::start_deadline), counted anew. An error of a function, and a panic in it, is the
    /// error of the start ([`Error::is_hook`]), which ends everything. With
    /// [`allow_denied`](Self::allow_denied) the functions do not wait for more than the confirmations.
    ///
    /// After [`spawn`](Self::spawn) they run in the background, whenever the subscriber is ready for the first
    /// time. An error is logged, and shuts the subscriber down: [`Handle::run`] returns it, and
    /// [`Handle::stopping`] resolves.
    ///
    /// Several functions run one after the other, in the order of the calls. A deadline or a dropped start
    /// drops the future of the function at its next await.
    pub fn on_ready<F, R>(mut self, hook: F) -> Self
    where
        F: FnOnce(Handle, Arc<S>) -> R + Send + Sync + 'static,
        R: Future<Output: IntoOutcome> + Send + 'static,
    {
        self.hooks.ready.push(Box::new(|handle, state| {
            let running = hook(handle, state);
            Box::pin(async move { running.await.into_outcome() })
        }));
        self
    }

    /// Runs a function at the end of a [shutdown](Handle::shutdown), when the handlers and the failure hook have
    /// finished: to flush what they have written. Call it after [`state`](Subscriber::state).
    ///
    /// ```
    /// use redis_push::Subscriber;
    ///
    /// struct App;
    ///
    /// impl App {
    ///     async fn flush(&self) -> std::io::Result<()> {
    ///         Ok(())
    ///     }
    /// }
    ///
    /// let subscriber = Subscriber::new("redis://127.0.0.1/")
    ///     .state(App)
    ///     .on_stop(|app, _left| async move { app.flush().await });
    /// ```
    ///
    /// It receives the time that is left until the deadline of the shutdown. The handlers have nine tenths of
    /// the deadline if there is such a function. At the deadline its future is dropped at its next await. Its
    /// errors and panics are logged.
    ///
    /// Publishers can publish until it returns. Streams have ended before the handlers began to finish.
    ///
    /// Several functions run one after the other, in the order of the calls. They do not run when the last
    /// handle is dropped without a shutdown, and not after a second signal. If a shutdown is dropped, the
    /// function that it runs is dropped with it.
    pub fn on_stop<F, R>(mut self, hook: F) -> Self
    where
        F: FnOnce(Arc<S>, Duration) -> R + Send + Sync + 'static,
        R: Future<Output: IntoOutcome> + Send + 'static,
    {
        self.hooks.stop.push(Box::new(|state, left| {
            let running = hook(state, left);
            Box::pin(async move { running.await.into_outcome() })
        }));
        self
    }
}

impl Handle {
    /// Waits until the subscriber is ready, and runs the hooks for that, within the deadline of the start.
    pub(super) async fn begin(
        &self,
        deadline: Option<Duration>,
        allows_denied: bool,
    ) -> Result<()> {
        if self.running.hooks.ready.lock().is_empty() {
            return Ok(());
        }
        let begun = async {
            if !allows_denied {
                self.ready().await;
            }
            self.run_ready_hooks().await
        };
        let Some(deadline) = deadline else {
            return begun.await;
        };
        timeout(deadline, begun).await.unwrap_or_else(|_| {
            // They are taken when they begin.
            let have_begun = self.running.hooks.ready.lock().is_empty();
            let what = match have_begun {
                true => "`on_ready` has not returned",
                false => "the subscriber is not ready for `on_ready`",
            };
            Err(Error::timeout(format!(
                "{what} within {deadline:?} ({})",
                self.health()
            )))
        })
    }

    /// Does the same on a task, without keeping the subscriber alive until it is ready.
    pub(super) fn begin_later(&self) {
        let hooks = &self.running.hooks;
        if hooks.ready.lock().is_empty() {
            return;
        }
        let (weak, ready) = (self.downgrade(), self.running.ready());
        let task = tokio::spawn(async move {
            ready.await;
            let Some(handle) = weak.upgrade() else { return };
            let is_ending = || handle.running.stop.is_cancelled();
            let Err(error) = handle.run_ready_hooks().await else {
                return;
            };
            if is_ending() && !error.is_hook() {
                return;
            }
            runs_without_panic(|| {
                tracing::error!(target: "redis_push", %error, "shutting down");
            });
            // Otherwise somebody else has begun the shutdown, for another reason.
            if !is_ending() {
                _ = handle.running.hooks.failed.set(error);
            }
            handle.shutdown(handle.running.drain_deadline).await;
        });
        *hooks.task.lock() = Some(task.abort_handle());
    }

    async fn run_ready_hooks(&self) -> Result<()> {
        let hooks = std::mem::take(&mut *self.running.hooks.ready.lock());
        for hook in hooks {
            if self.running.stop.is_cancelled() {
                return Err(Error::config("the subscriber is shutting down"));
            }
            ended(attempt(pin!(None), || hook(self.clone())).await, "on_ready")?;
        }
        Ok(())
    }
}

impl BoundHooks {
    /// Whether there is something to run at the end.
    pub(super) fn has_stop(&self) -> bool {
        !self.stop.lock().is_empty()
    }

    /// Returns the error for which the subscriber was shut down, if a hook has failed after `spawn`.
    pub(super) fn failed(&self) -> Option<Error> {
        self.failed.get().map(Error::again)
    }

    /// Lets nothing more run.
    pub(super) fn clear(&self) {
        if let Some(task) = self.task.lock().take() {
            task.abort();
        }
        let dropped = (
            std::mem::take(&mut *self.ready.lock()),
            std::mem::take(&mut *self.stop.lock()),
        );
        // The destructors of what the hooks have captured are the user's code.
        drop_caught(dropped);
    }

    /// Runs the hooks for the end until a deadline.
    pub(super) async fn run_stop(&self, deadline: Instant) {
        loop {
            let hook = {
                let mut hooks = self.stop.lock();
                match hooks.is_empty() {
                    true => return,
                    false => hooks.remove(0),
                }
            };
            let left = deadline.saturating_duration_since(clock::now());
            let slot = pin!(None);
            let running = attempt(slot, || hook(left));
            let error = match timeout_at(deadline, running).await {
                Ok(end) => ended(end, "on_stop").err(),
                Err(_) => Some(Error::timeout("`on_stop` has not returned by the deadline")),
            };
            if let Some(error) = error {
                runs_without_panic(|| {
                    tracing::error!(target: "redis_push", %error, "the shutdown goes on");
                });
            }
        }
    }
}

fn ended(ended: Ended<Result<(), BoxError>>, hook: &str) -> Result<()> {
    match ended {
        Ended::Returned(Ok(())) => Ok(()),
        Ended::Returned(Err(error)) => {
            let text = format!("`{hook}` failed: {}", WithCauses(&*error));
            Err(Error::hook(text).caused_by(error))
        }
        Ended::Panicked(message) => Err(Error::hook(format!("`{hook}` failed: {message}"))),
        Ended::TimedOut => unreachable!("a hook has no timeout of its own"),
    }
}

impl Running {
    /// Returns a future that resolves when the subscriber is ready, or shutting down.
    pub(super) fn ready(&self) -> impl Future<Output = ()> + Send + 'static + use<> {
        let monitor = Arc::clone(&self.monitor);
        let mut status = self.status.clone();
        let mut changes = monitor.changes();
        // The receivers exist before the check, so no change is missed.
        async move {
            while !monitor.is_ready() && !monitor.is_shutting_down() {
                tokio::select! {
                    _ = changes.changed() => {}
                    changed = status.changed() => if changed.is_err() { return },
                }
            }
        }
    }
}
