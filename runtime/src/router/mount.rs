use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::substate::Substate;
use crate::broadcast::Overflow;
use crate::delivery;
use crate::delivery::{HandlerContext, SharedLoopState};
use crate::extract::FromRef;
use crate::handler::{Handler, Spec};
use crate::subscription::Subscription;
use crate::tasks::{Task, TaskName, Tasks};

/// A handler, ready to be given to [`Subscriber::handlers`](crate::Subscriber::handlers).
///
/// [`handlers!`](crate::handlers) makes them; by hand it is `Mount::new(handler)`.
pub struct Mount<S> {
    pub(crate) spec: Spec,
    /// Whether the subscriptions are this mount's own, and not the handler's.
    is_moved: bool,
    pub(crate) bind: Bind<S>,
    /// Why no subscriber can start with it.
    pub(crate) mistake: Option<String>,
}

/// Gives a handler its state. What it does of the user's, such as `FromRef`, is done before the
/// first task starts.
pub(crate) type Bind<S> = Box<dyn FnOnce(&Arc<S>) -> Spawn + Send + Sync>;

/// Starts a handler's loop on a task of its own. The type of its future is only known where the
/// handler's type is, so it is spawned there: one box a handler, none a message.
pub(crate) type Spawn =
    Box<dyn FnOnce(&Arc<Tasks>, SharedLoopState, Arc<HandlerContext>) -> Task + Send + Sync>;

impl<S: Send + Sync + 'static> Mount<S> {
    /// Mounts a handler.
    pub fn new<H: Handler<S>>(handler: H) -> Self {
        let spec = handler.spec();
        // Shared with the next run of the loop, should this one panic.
        let handler = Arc::new(handler);
        Self {
            spec,
            is_moved: false,
            bind: Box::new(move |state| {
                let state = Arc::clone(state);
                Box::new(move |tasks, loop_state, context| {
                    let name = TaskName::Handler {
                        name: context.spec.name.clone(),
                        is_required: context.spec.required,
                    };
                    tasks.spawn(name, move || {
                        let (handler, loop_state) = (Arc::clone(&handler), Arc::clone(&loop_state));
                        delivery::run(
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

    /// A mount that no subscriber starts with.
    #[cfg(feature = "collect")]
    pub(crate) fn refused(spec: Spec, mistake: String) -> Self {
        Self {
            spec,
            is_moved: false,
            bind: Box::new(|_| unreachable!("it is refused before it is bound")),
            mistake: Some(mistake),
        }
    }

    /// Makes it a mount for any state, of which it takes nothing.
    #[cfg(feature = "collect")]
    pub(crate) fn with_its_own_state<Any>(self, state: S) -> Mount<Any> {
        Mount {
            spec: self.spec,
            is_moved: self.is_moved,
            bind: Box::new(move |_| (self.bind)(&Arc::new(state))),
            mistake: self.mistake,
        }
    }

    /// Makes it a mount for a larger state, of which its own is a part.
    ///
    /// The part is taken once, when the subscriber starts, and not for each delivery.
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
    /// For several at once there is [`Router::for_state`](crate::Router::for_state).
    #[must_use]
    pub fn for_state<Whole>(self) -> Mount<Whole>
    where
        Whole: Send + Sync + 'static,
        S: FromRef<Whole>,
    {
        self.sharing(&Substate::default())
    }

    /// The same with a part that other mounts share.
    pub(crate) fn sharing<Whole>(self, part: &Substate<Whole, S>) -> Mount<Whole>
    where
        Whole: Send + Sync + 'static,
        S: FromRef<Whole>,
    {
        let (bind, part) = (self.bind, part.clone());
        Mount {
            spec: self.spec,
            is_moved: self.is_moved,
            bind: Box::new(move |whole| bind(&part.of(whole))),
            mistake: self.mistake,
        }
    }

    /// Lets it listen to this instead of what its attribute says, such as a name from the
    /// configuration. Called again, it adds to that.
    ///
    /// ```
    /// use redis_push::{Mount, Subscription, handlers, push_handler};
    ///
    /// #[push_handler(channel = "alerts")]
    /// async fn on_alert(text: &str) {
    ///     println!("{text}");
    /// }
    ///
    /// let name = String::from("alerts.staging");
    /// let mounts: Vec<Mount<()>> = handlers![on_alert.on(Subscription::channel(name))];
    /// ```
    #[must_use]
    pub fn on(mut self, subscription: Subscription) -> Self {
        if !std::mem::replace(&mut self.is_moved, true) {
            self.spec.subscriptions.clear();
        }
        self.spec = self.spec.on(subscription);
        self
    }

    /// Puts a text before every name that it listens to, those of [`on`](Self::on) so far included.
    ///
    /// The text is taken as it is, in a pattern too; params keep their names and their values. A
    /// message type that names its channel is found behind the prefix, and its params are those
    /// that it names. What a handler publishes goes where it says, without a prefix.
    ///
    /// ```
    /// use redis_push::{Mount, PushMessage, handlers, push_handler};
    ///
    /// #[derive(PushMessage)]
    /// #[push(channel = "quotes.{symbol}")]
    /// struct Quote {
    ///     symbol: String,
    ///     bid: f64,
    /// }
    ///
    /// #[push_handler]
    /// async fn on_quote(quote: Quote) {
    ///     println!("{} {}", quote.symbol, quote.bid);
    /// }
    ///
    /// // Listens to `eu:quotes.{symbol}`: a `Quote` of `eu:quotes.ACME` has the symbol `ACME`.
    /// let mounts: Vec<Mount<()>> = handlers![on_quote.prefix("eu:")];
    /// ```
    ///
    /// Called again, the later prefix comes first. For several handlers at once there is
    /// [`Router::prefix`](crate::Router::prefix).
    #[must_use]
    pub fn prefix(mut self, prefix: impl AsRef<str>) -> Self {
        let subscriptions = std::mem::take(&mut self.spec.subscriptions);
        let mut names = subscriptions.iter().map(Subscription::name);
        if let Some(name) = names.find(|name| name.starts_with("__keyevent@")) {
            self.mistake = Some(format!(
                "{}: no prefix can go before `{name}`, which tells of an event and not of keys; \
                 listen to the keys, `keyspace = \"…\"`, or mount it outside of what has the prefix",
                self.spec.label(),
            ));
        }
        let prefixed = subscriptions.into_iter();
        self.spec.subscriptions = prefixed
            .map(|name| name.prefixed(prefix.as_ref()))
            .collect();
        self
    }

    /// Renames it in stats and logs, for a handler that is mounted more than once.
    #[must_use]
    pub fn named(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.spec.name = name.into();
        self
    }

    /// Sets how many messages may wait for it, as [`Spec::buffer`].
    #[must_use]
    pub fn buffer(mut self, messages: usize) -> Self {
        self.spec = self.spec.buffer(messages);
        self
    }

    /// Sets how many bytes of messages may wait for it, as [`Spec::buffer_bytes`].
    #[must_use]
    pub fn buffer_bytes(mut self, bytes: usize) -> Self {
        self.spec = self.spec.buffer_bytes(bytes);
        self
    }

    /// Sets for how long it may go on before it counts as stalled, as [`Spec::stall_limit`].
    #[must_use]
    pub fn stall_limit(mut self, limit: Duration) -> Self {
        self.spec = self.spec.stall_limit(limit);
        self
    }

    /// Lets readiness depend on it, as [`Spec::required`].
    #[must_use]
    pub fn required(mut self) -> Self {
        self.spec = self.spec.required();
        self
    }
}

/// The policies, which may be set here as well as in the attribute.
impl<S> Mount<S> {
    /// Sets what goes when the buffer is full, as [`Spec::overflow`].
    #[must_use]
    pub fn overflow(mut self, overflow: Overflow) -> Self {
        self.spec = self.spec.overflow(overflow);
        self
    }

    /// Sets how long one delivery may take, as [`Spec::timeout`].
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.spec = self.spec.timeout(timeout);
        self
    }

    /// Sets how many deliveries may run at once, as [`Spec::workers`].
    #[must_use]
    pub fn workers(mut self, workers: usize) -> Self {
        self.spec = self.spec.workers(workers);
        self
    }

    /// Keeps the order of messages that have the same key, as [`Spec::ordered_by`].
    #[must_use]
    pub fn ordered_by(mut self, key: impl Into<Cow<'static, str>>) -> Self {
        self.spec = self.spec.ordered_by(key);
        self
    }
}

impl<S> fmt::Debug for Mount<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Mount").field(&self.spec).finish()
    }
}
