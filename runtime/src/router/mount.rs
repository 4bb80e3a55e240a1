use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::substate::Substate;
use crate::broadcast::Overflow;
use crate::delivery::{self, Bare, HandlerContext, InSpan, Layered, SharedLoopState, Surroundings};
use crate::extract::FromRef;
use crate::handler::{Bound, Endpoint, Handler, Layer, OnError, Retry, Spec};
use crate::tasks::{Task, TaskName, Tasks};

/// A handler that can be passed to [`Subscriber::handlers`](crate::Subscriber::handlers).
///
/// [`handlers!`](crate::handlers) creates mounts; by hand, call `Mount::new(handler)`.
pub struct Mount<S> {
    pub(crate) spec: Spec,
    /// Whether [`on`](Self::on) has replaced the subscriptions of the handler.
    pub(super) has_own_subscriptions: bool,
    /// What comes before the channels on which the handler publishes.
    pub(crate) prefix: String,
    pub(crate) bind: Bind<S>,
    /// The reasons why a subscriber cannot start with this mount, one a line.
    pub(crate) mistake: Option<String>,
}

/// A list of mounts, such as [`handlers!`](crate::handlers) or a [`Router`](crate::Router): every
/// [`IntoIterator`] over them.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a list of handlers for this state",
    label = "not a list of `Mount`s",
    note = "a function with `#[push_handler]` is mounted by `handlers![on_order]`, not by `[on_order]`",
    note = "a handler for another state is mounted by `handlers![on_order.for_state()]`"
)]
pub trait Mounts<S>: IntoIterator<Item = Mount<S>> {}

#[diagnostic::do_not_recommend]
impl<S, I: IntoIterator<Item = Mount<S>>> Mounts<S> for I {}

/// Gives a handler its state. User code that this needs, such as `FromRef`, runs here, before the
/// first task starts.
pub(crate) type Bind<S> = Box<dyn FnOnce(&Arc<S>) -> Spawn + Send + Sync>;

/// Spawns a handler's loop on its own task. The type of its future is only known where the handler's
/// type is known, so it is spawned there: one box for each handler, none for a message.
pub(crate) type Spawn =
    Box<dyn FnOnce(&Arc<Tasks>, SharedLoopState, Arc<HandlerContext>) -> Task + Send + Sync>;

impl<S: Send + Sync + 'static> Mount<S> {
    /// Mounts a handler.
    pub fn new<H: Handler<S>>(handler: H) -> Self {
        let spec = handler.spec();
        // Shared with the next run of the loop, in case this one panics.
        let handler = Arc::new(handler);
        Self {
            spec,
            has_own_subscriptions: false,
            prefix: String::new(),
            bind: Box::new(move |state| {
                let state = Arc::clone(state);
                Box::new(move |tasks, loop_state, context| {
                    let name = TaskName::Handler {
                        name: context.spec.name.clone(),
                        is_required: context.spec.required,
                    };
                    if context.has_spans() {
                        let endpoint = Arc::new(Bound { handler, state });
                        return spawn_layered::<InSpan>(tasks, name, endpoint, loop_state, context);
                    }
                    if !context.spec.layers.is_empty() {
                        let endpoint = Arc::new(Bound { handler, state });
                        return spawn_layered::<Bare>(tasks, name, endpoint, loop_state, context);
                    }
                    tasks.spawn(name, move || {
                        let (handler, loop_state) = (Arc::clone(&handler), Arc::clone(&loop_state));
                        delivery::run::<Bare, _, _>(
                            handler,
                            loop_state,
                            Arc::clone(&state),
                            Arc::clone(&context),
                        )
                    })
                })
            }),
            mistake: None,
        }
    }

    /// Creates a mount with which no subscriber starts.
    #[cfg(feature = "collect")]
    pub(crate) fn refused(spec: Spec, mistake: String) -> Self {
        Self {
            spec,
            has_own_subscriptions: false,
            prefix: String::new(),
            bind: Box::new(|_| unreachable!("a mount with a mistake is never bound")),
            mistake: Some(mistake),
        }
    }

    /// Converts this mount into one for any other state, which it ignores.
    pub(crate) fn with_own_state<Any>(self, state: &Arc<S>) -> Mount<Any> {
        let state = Arc::clone(state);
        Mount {
            spec: self.spec,
            has_own_subscriptions: self.has_own_subscriptions,
            prefix: self.prefix,
            bind: Box::new(move |_| (self.bind)(&state)),
            mistake: self.mistake,
        }
    }

    /// Converts this mount into one for a larger state, of which its own state is a part.
    ///
    /// The part is extracted once, when the subscriber starts, and not for each delivery.
    ///
    /// ```
    /// use redis_push::{FromRef, Mount, State, handlers, push_handler};
    ///
    /// #[derive(Clone)]
    /// struct Db;
    ///
    /// struct App {
    ///     db: Db,
    /// }
    ///
    /// impl FromRef<App> for Db {
    ///     fn from_ref(app: &App) -> Self {
    ///         app.db.clone()
    ///     }
    /// }
    ///
    /// #[push_handler(channel = "orders", state = Db)]
    /// async fn on_order(order: &str, State(db): State<Db>) {
    ///     println!("{order}");
    ///     # drop::<Db>(db);
    /// }
    ///
    /// let mounts: Vec<Mount<App>> = handlers![on_order.for_state()];
    /// ```
    ///
    /// For several mounts at once, use [`Router::for_state`](crate::Router::for_state).
    #[must_use]
    pub fn for_state<Whole>(self) -> Mount<Whole>
    where
        Whole: Send + Sync + 'static,
        S: FromRef<Whole>,
    {
        self.sharing(&Substate::default())
    }

    /// Does the same with a part that other mounts share.
    pub(crate) fn sharing<Whole>(self, part: &Substate<Whole, S>) -> Mount<Whole>
    where
        Whole: Send + Sync + 'static,
        S: FromRef<Whole>,
    {
        let bind = self.bind;
        let part = part.clone();
        Mount {
            spec: self.spec,
            has_own_subscriptions: self.has_own_subscriptions,
            prefix: self.prefix,
            bind: Box::new(move |whole| bind(&part.of(whole))),
            mistake: self.mistake,
        }
    }

    /// Renames the handler in stats and logs.
    ///
    /// Needed for a handler that is mounted more than once on the same subscription: without names,
    /// that is taken for a mistake, and no subscriber starts.
    #[must_use]
    pub fn named(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.spec.name = name.into();
        self
    }

    /// Sets how many messages may wait for the handler, as [`Spec::buffer`] does.
    #[must_use]
    pub fn buffer(mut self, messages: usize) -> Self {
        self.spec = self.spec.buffer(messages);
        self
    }

    /// Sets how many bytes of messages may wait for the handler, as [`Spec::buffer_bytes`] does.
    #[must_use]
    pub fn buffer_bytes(mut self, bytes: usize) -> Self {
        self.spec = self.spec.buffer_bytes(bytes);
        self
    }

    /// Sets how long a call may run before the handler counts as stalled, as [`Spec::stall_limit`]
    /// does.
    #[must_use]
    pub fn stall_limit(mut self, limit: Duration) -> Self {
        self.spec = self.spec.stall_limit(limit);
        self
    }

    /// Makes readiness depend on the handler, as [`Spec::required`] does.
    #[must_use]
    pub fn required(mut self) -> Self {
        self.spec = self.spec.required();
        self
    }
}

/// Policies, which may be set here as well as in the attribute.
impl<S> Mount<S> {
    /// Sets which messages are dropped when the buffer is full, as [`Spec::overflow`] does.
    #[must_use]
    pub fn overflow(mut self, overflow: Overflow) -> Self {
        self.spec = self.spec.overflow(overflow);
        self
    }

    /// Sets how long one delivery may take, as [`Spec::timeout`] does.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.spec = self.spec.timeout(timeout);
        self
    }

    /// Sets how many deliveries may run at once, as [`Spec::workers`] does.
    #[must_use]
    pub fn workers(mut self, workers: usize) -> Self {
        self.spec = self.spec.workers(workers);
        self
    }

    /// Repeats a delivery that has failed or timed out, as [`Spec::retry`] does.
    #[must_use]
    pub fn retry(mut self, retry: Retry) -> Self {
        self.spec = self.spec.retry(retry);
        self
    }

    /// Sets what happens after a delivery that did not succeed, as [`Spec::on_error`] does.
    #[must_use]
    pub fn on_error(mut self, on_error: OnError) -> Self {
        self.spec = self.spec.on_error(on_error);
        self
    }

    /// Puts a [`Layer`] around each delivery to this handler, inside of those before it and of those of its
    /// router and its subscriber.
    ///
    /// ```
    /// use redis_push::{Delivery, Mount, Next, Outcome, handlers, push_handler};
    ///
    /// async fn log(delivery: Delivery<'_>, next: Next<'_>) -> Outcome {
    ///     let outcome = next.run(delivery).await;
    ///     println!("{}: {outcome}", delivery.handler());
    ///     outcome
    /// }
    ///
    /// #[push_handler(channel = "orders")]
    /// async fn on_order(order: &str) {
    ///     println!("{order}");
    /// }
    ///
    /// let mounts: Vec<Mount<()>> = handlers![on_order.around(log)];
    /// ```
    #[must_use]
    pub fn around(mut self, layer: impl Layer) -> Self {
        self.spec = self.spec.around(layer);
        self
    }

    /// Keeps the order of messages that have the same key, as [`Spec::ordered_by`] does.
    #[must_use]
    pub fn ordered_by(mut self, key: impl Into<Cow<'static, str>>) -> Self {
        self.spec = self.spec.ordered_by(key);
        self
    }
}

/// Spawns the loop of a handler with layers, or with spans. It is the same loop for all of them.
fn spawn_layered<A: Surroundings>(
    tasks: &Arc<Tasks>,
    name: TaskName,
    endpoint: Arc<dyn Endpoint>,
    loop_state: SharedLoopState,
    context: Arc<HandlerContext>,
) -> Task {
    let handler = Arc::new(Layered::new(endpoint, Arc::clone(&context)));
    tasks.spawn(name, move || {
        let (handler, loop_state) = (Arc::clone(&handler), Arc::clone(&loop_state));
        delivery::run::<A, _, _>(handler, loop_state, Arc::new(()), Arc::clone(&context))
    })
}

impl<S> fmt::Debug for Mount<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Mount").field(&self.spec).finish()
    }
}
