//! Handlers that are mounted while the subscriber runs.

use std::collections::HashSet;
use std::fmt;
use std::future::poll_fn;
use std::sync::{Arc, Weak};

use tokio::time::timeout;

use super::handle::Handle;
use super::running::Running;
use super::shutdown::after;
use crate::broadcast::Shared;
use crate::delivery::Mounted;
use crate::dispatch::{Confirmed, MountedAt};
use crate::error::{Error, Result};
use crate::handler::Spec;
use crate::router::{
    HandlerWiring, Mount, Mounts, refuse_conflicts, refuse_repeated, refuse_unfilled,
    refuse_wrong_sources,
};
use crate::subscription::Subscription;
use crate::telemetry::HandlerStats;
use crate::util::clock;

/// Adds the prefix of a subscriber.
pub(super) fn prefixed<S: Send + Sync + 'static>(
    mounts: Vec<Mount<S>>,
    prefix: Option<&str>,
) -> Vec<Mount<S>> {
    match prefix {
        Some(prefix) => mounts
            .into_iter()
            .map(|mount| mount.prefix(prefix))
            .collect(),
        None => mounts,
    }
}

/// Checks handlers that are to be mounted, and how they go together with those that are `mounted` already.
pub(super) fn check<S>(mounts: &[Mount<S>], mounted: &[Arc<Mounted>]) -> Result<()> {
    let mistakes = mounts.iter().filter_map(|mount| mount.mistake.as_deref());
    let mistakes: Vec<_> = mistakes.collect();
    if !mistakes.is_empty() {
        return Err(Error::config(mistakes.join("\n")));
    }
    if let Some(mount) = mounts.iter().find(|one| one.spec.subscriptions.is_empty()) {
        return Err(listens_to_nothing(&mount.spec));
    }
    let new = mounts.iter().map(|mount| &mount.spec);
    let mounted = mounted.iter().map(|handler| &handler.context.spec);
    let all: Vec<_> = mounted.chain(new.clone()).collect();
    refuse_repeated(all.iter().copied())?;
    refuse_conflicts(all)?;
    refuse_unfilled(new.clone())?;
    refuse_wrong_sources(new)
}

pub(super) fn listens_to_nothing(spec: &Spec) -> Error {
    let name = &spec.name;
    Error::config(format!(
        "the handler `{name}` listens to nothing: add a subscription to its `Spec`"
    ))
}

impl Handle {
    /// Mounts handlers on the running subscriber, and returns when the server has confirmed every one of
    /// their names.
    ///
    /// ```
    /// use redis_push::{Subscriber, Subscription, handlers, push_handler};
    ///
    /// #[push_handler(channel = "room.{id}")]
    /// async fn on_said(text: &str) {
    ///     println!("{text}");
    /// }
    ///
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = redis_push::testing::Broker::start().await?;
    /// # let url = server.url();
    /// let handle = Subscriber::new(url).start().await?;
    /// let room = Subscription::channel("room.7");
    /// let mounted = handle.mount(handlers![on_said.on(room)]).await?;
    /// server.publish("room.7", "hello");
    /// let stats = mounted.unmount().await; // delivers what has arrived
    /// # let _ = stats;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Such a handler is like one that is mounted at start: it has its own buffer and its own policies, and
    /// its gap handler receives the initial gap. It appears in [`wiring`](Self::wiring),
    /// [`stats`](Self::stats) and [`health`](Self::health) until it is unmounted; its counts stay in
    /// [`Stats::unmounted`](crate::Stats::unmounted). Handlers for a state are mounted as a
    /// [`Router::with_state`](crate::Router::with_state).
    ///
    /// # Errors
    ///
    /// As those of [`Subscriber::start`](crate::Subscriber::start), for these handlers, and when the
    /// subscriber is shutting down. Nothing is mounted then.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, nothing is mounted.
    pub async fn mount(&self, mounts: impl Mounts<()>) -> Result<MountGuard> {
        let guard = self
            .running
            .mount(mounts.into_iter().collect(), Arc::downgrade(&self.running))?;
        self.running.mounted(&guard).await?;
        for handler in guard.mounted() {
            HandlerWiring::of(&handler.context.spec).log();
        }
        Ok(guard)
    }
}

impl Running {
    fn mount(&self, mounts: Vec<Mount<()>>, this: Weak<Self>) -> Result<MountGuard> {
        let mounts = prefixed(mounts, self.kit.prefix.as_deref());
        check(&mounts, &self.namesakes(&mounts))?;
        let state = Arc::new(());
        let mut guard = MountGuard {
            running: this,
            handlers: Vec::new(),
        };
        for mount in mounts {
            let subscriptions = mount.spec.subscriptions.clone();
            // Its buffer is its own: what another handler has yet to read is not for this one.
            let shared = Arc::new(Shared::new(subscriptions.len(), mount.spec.budget));
            let bound = self.kit.bind(mount, &state, shared.subscribe());
            let handler = bound.spawn(&self.tasks, &self.handlers);
            // In the list before it can receive anything, so that a shutdown finds it.
            self.handlers.add([Arc::clone(&handler)]);
            let at = self.dispatcher.mount(&shared, &subscriptions);
            let has_ended = at.is_none();
            guard.handlers.push((handler, at));
            if has_ended || self.stop.is_cancelled() {
                return Err(Error::config(
                    "the subscriber is shutting down, so nothing can be mounted",
                ));
            }
        }
        // The watchdog looks as often as the new handlers need it.
        self.kit.synced.notify_one();
        Ok(guard)
    }

    /// Returns the handlers that have a name in common with new ones. Most often there are none, and then
    /// this does not cost what there is.
    fn namesakes(&self, mounts: &[Mount<()>]) -> Vec<Arc<Mounted>> {
        let names = || mounts.iter().flat_map(|mount| &mount.spec.subscriptions);
        if !self.dispatcher.has_handler_of(names()) {
            return Vec::new();
        }
        let names: HashSet<_> = names().map(Subscription::key).collect();
        let has_one = |handler: &&Arc<Mounted>| {
            let mut own = handler.context.spec.subscriptions.iter();
            own.any(|one| names.contains(&one.key()))
        };
        let mounted = self.handlers.running();
        mounted.iter().filter(has_one).cloned().collect()
    }

    /// Waits until every name of new handlers is confirmed.
    async fn mounted(&self, guard: &MountGuard) -> Result<()> {
        let confirmed = async {
            for (handler, at) in &guard.handlers {
                if let Some(at) = at {
                    self.answered(&handler.context.spec, at).await?;
                }
            }
            Ok(())
        };
        let Some(deadline) = self.kit.deadline else {
            return confirmed.await;
        };
        timeout(deadline, confirmed).await.unwrap_or_else(|_| {
            let text = format!("not mounted within {deadline:?}");
            Err(match self.status.borrow().error.clone() {
                Some(cause) => Error::timeout(format!("{text}: {cause}")).caused_by(cause),
                None => Error::timeout(text),
            })
        })
    }

    async fn answered(&self, spec: &Spec, at: &MountedAt) -> Result<()> {
        let names = &spec.subscriptions;
        match poll_fn(|cx| self.dispatcher.poll_answer(at, names, cx)).await {
            Confirmed::Yes => Ok(()),
            Confirmed::Denied(..) if self.kit.allows_denied => Ok(()),
            Confirmed::Denied(subscription, reason) => {
                let label = spec.label();
                Err(Error::denied(format!(
                    "the server denies {subscription}, for {label}: {reason}"
                )))
            }
            Confirmed::Ended => Err(Error::config("the subscriber has ended")),
        }
    }

    /// Takes the names from a handler, which delivers what has arrived and ends.
    fn stop(&self, handler: &Mounted, at: MountedAt) {
        let subscriptions = &handler.context.spec.subscriptions;
        self.dispatcher
            .unmount(at, handler.meter.channel(), subscriptions);
    }
}

/// Handlers that were mounted on a running subscriber: what [`Handle::mount`] returns.
///
/// Dropping it ends them at once: a delivery under way is dropped at its next await, and what waits is
/// counted `cancelled`. [`unmount`](Self::unmount) lets them finish. It does not keep the subscriber
/// alive.
#[must_use = "dropping the guard unmounts the handlers"]
pub struct MountGuard {
    running: Weak<Running>,
    /// The handlers, each with where the dispatcher has it until it is stopped.
    handlers: Vec<(Arc<Mounted>, Option<MountedAt>)>,
}

impl MountGuard {
    /// Ends the handlers: they get no further messages, deliver what has arrived, and are removed.
    /// Returns their counts.
    ///
    /// What is not delivered within the subscriber's
    /// [`drain_deadline`](crate::Subscriber::drain_deadline) is counted `cancelled`. Names that nobody
    /// else listens to are unsubscribed. A handler may unmount itself: its own delivery is not waited
    /// for, and is its last.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the handlers end at once.
    pub async fn unmount(mut self) -> Vec<HandlerStats> {
        let handlers: Vec<_> = self.mounted().cloned().collect();
        if let Some(running) = self.running.upgrade() {
            let _call = running.callers.enter();
            self.stop(&running);
            let deadline = after(clock::now(), running.drain_deadline);
            running.end_handlers(&handlers, deadline).await;
            for handler in &handlers {
                handler.context.flush_log();
            }
        }
        let stats = handlers.iter().map(|handler| {
            let mut stats = handler.stats();
            stats.cancel_rest(stats.running);
            stats
        });
        stats.collect()
    }

    fn mounted(&self) -> impl Iterator<Item = &Arc<Mounted>> {
        self.handlers.iter().map(|(handler, _)| handler)
    }

    /// Takes the names from the handlers.
    fn stop(&mut self, running: &Running) {
        for (handler, at) in &mut self.handlers {
            if let Some(at) = at.take() {
                running.stop(handler, at);
            }
        }
    }
}

impl Drop for MountGuard {
    fn drop(&mut self) {
        let running = self.running.upgrade();
        if let Some(running) = &running {
            self.stop(running);
        }
        for handler in self.mounted() {
            handler.context.gate.end();
            handler.task.abort();
            if let Some(running) = &running {
                running.handlers.remove(handler);
            }
        }
    }
}

impl fmt::Debug for MountGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.mounted().map(|handler| &handler.context.spec.name);
        f.debug_list().entries(names).finish()
    }
}
