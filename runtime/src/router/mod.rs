//! Mounting handlers: from a list of handlers to what a subscriber starts.
//!
//! | file | contents |
//! | --- | --- |
//! | `mod` | [`Router`]: the handlers of one module, under a prefix, for a part of the state |
//! | `mount` | [`Mount`]: one handler with its [`Spec`](crate::Spec), and how its loop is spawned |
//! | `names` | `Mount::on` and `Mount::prefix`: which names a mounted handler listens to |
//! | `substate` | a part of a state, extracted once for all mounts that share it |
//! | `collect` | `Router::collected`: the handlers that the feature `collect` registers |
//! | `validate` | checks of all specs together, before the start |
//! | `arguments` | what the arguments and options of one handler need of its subscriptions |
//! | `wiring`, `policies` | [`Wiring`]: the specs as a table, with the policies that are not the default |
//!
//! In: the `handlers!` macro creates mounts, and users pass them to a router or to
//! `Subscriber::handlers`.
//!
//! Out: `subscriber::start` validates the specs and binds each mount in two steps. The first takes
//! the state and runs all user code (`FromRef`). The second spawns the handler's loop
//! (`delivery::run`) on a task. A mount erases the type of its handler here: this costs one box for
//! each handler and none for a message.
//!
//! Invariants:
//!
//! - The builder methods cannot fail. A mount that cannot work carries a mistake, which
//!   `Subscriber::start` returns as an error.
//! - A router has no effect at run time: it is a list of mounts, with the layers around them.

mod arguments;
#[cfg(feature = "collect")]
mod collect;
mod mount;
mod names;
mod policies;
mod substate;
mod validate;
mod wiring;

#[cfg(feature = "collect")]
pub use collect::{Collected, Fit, Named, Stateless, Unfit};
pub(crate) use mount::Spawn;
pub use mount::{Mount, Mounts};
pub(crate) use substate::Substate;
pub(crate) use validate::{
    refuse_conflicts, refuse_repeated, refuse_unfilled, refuse_wrong_sources,
};
pub use wiring::{HandlerWiring, SubscriptionWiring, Wiring};

use std::fmt;
use std::sync::Arc;

use crate::extract::FromRef;
use crate::handler::{Layer, Layers};

/// Handlers that belong together, such as those of one module.
///
/// Pass it to [`Subscriber::handlers`](crate::Subscriber::handlers), like a list of
/// [`handlers!`](crate::handlers).
///
/// ```
/// # use redis_push::testing::Broker;
/// use redis_push::{Router, Subscriber};
///
/// mod orders {
///     use redis_push::{Router, handlers, push_handler};
///
///     #[push_handler(channel = "orders")]
///     async fn on_order(text: &str) {
///         println!("{text}");
///     }
///
///     #[push_handler(pattern = "refunds.*")]
///     async fn on_refund(text: &str) {
///         println!("{text}");
///     }
///
///     pub fn router() -> Router {
///         Router::new().handlers(handlers![on_order, on_refund])
///     }
/// }
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = Broker::start().await?;
/// let both = Router::new()
///     .merge(orders::router().prefix("eu:"))
///     .merge(orders::router().prefix("us:"));
/// let handle = Subscriber::new(server.url()).handlers(both).start().await?;
/// # let names = format!("{}", handle.wiring());
/// # assert!(names.contains("`eu:orders`") && names.contains("`us:refunds.*`"), "{names}");
/// println!("{}", handle.wiring()); // eu:orders, eu:refunds.*, us:orders, us:refunds.*
/// # Ok(())
/// # }
/// ```
#[must_use = "a router does nothing before it is passed to a subscriber"]
pub struct Router<S = ()> {
    mounts: Vec<Mount<S>>,
    /// The layers around all of the handlers.
    layers: Layers,
}

impl<S: Send + Sync + 'static> Router<S> {
    /// Creates a router without handlers.
    pub fn new() -> Self {
        Self {
            mounts: Vec::new(),
            layers: Layers::default(),
        }
    }

    /// Adds handlers. May be called more than once.
    pub fn handlers(mut self, mounts: impl Mounts<S>) -> Self {
        self.mounts.extend(mounts);
        self
    }

    /// Adds the handlers of another router.
    pub fn merge(self, other: Self) -> Self {
        self.handlers(other)
    }

    /// Puts a [`Layer`] around each delivery to the handlers of this router, inside of those before it. The
    /// layers of a router that is merged into this one, and of a handler, are further in.
    ///
    /// It does not matter when handlers are added: they get the layer also if they were added before it, or
    /// are later.
    ///
    /// ```
    /// use redis_push::{Delivery, Next, Outcome, Router, Subscriber, handlers, push_handler};
    ///
    /// async fn audit(delivery: Delivery<'_>, next: Next<'_>) -> Outcome {
    ///     println!("{delivery:?}");
    ///     next.run(delivery).await
    /// }
    ///
    /// #[push_handler(channel = "orders")]
    /// async fn on_order(order: &str) {
    ///     println!("{order}");
    /// }
    ///
    /// let orders = Router::new().around(audit).handlers(handlers![on_order]);
    /// let wiring = Subscriber::new("redis://127.0.0.1/").handlers(orders).wiring();
    /// assert_eq!(wiring.handlers[0].layers, ["audit"]);
    /// ```
    pub fn around(mut self, layer: impl Layer) -> Self {
        self.layers.push(layer);
        self
    }

    /// Adds a prefix to every name that the handlers so far listen to, and to every channel on which they
    /// publish, as [`Mount::prefix`] does.
    ///
    /// To reach these handlers from elsewhere, publish under the prefix too:
    /// [`Publisher::prefix`](crate::Publisher::prefix), or `publish_to("eu:orders", &order)`.
    ///
    /// Handlers that are added later get no prefix. A router that is merged into another one may have
    /// its own prefix, which then comes second:
    ///
    /// ```
    /// use redis_push::{Router, Subscriber, handlers, push_handler};
    ///
    /// #[push_handler(channel = "quotes.{symbol}")]
    /// async fn on_quote(text: &str) {
    ///     println!("{text}");
    /// }
    ///
    /// let inner = Router::new().handlers(handlers![on_quote]).prefix("eu:");
    /// let outer = Router::new().merge(inner).prefix("staging:");
    /// let wiring = Subscriber::new("redis://127.0.0.1/").handlers(outer).wiring();
    /// let listens_to = wiring.handlers[0].subscriptions[0].to_string();
    /// assert_eq!(listens_to, "channels `staging:eu:quotes.{symbol}`");
    /// ```
    pub fn prefix(mut self, prefix: impl AsRef<str>) -> Self {
        self.mounts = self
            .mounts
            .into_iter()
            .map(|mount| mount.prefix(prefix.as_ref()))
            .collect();
        self
    }

    /// Gives the handlers their state. They can then be mounted on any subscriber, and on one that runs
    /// already.
    ///
    /// ```
    /// use redis_push::{Mount, Router, State, handlers, push_handler};
    ///
    /// #[derive(Clone)]
    /// struct Db;
    ///
    /// #[push_handler(channel = "orders")]
    /// async fn on_order(order: &str, State(db): State<Db>) {
    ///     println!("{order}");
    ///     # drop::<Db>(db);
    /// }
    ///
    /// let router: Router = Router::new().handlers(handlers![on_order]).with_state(Db);
    /// ```
    pub fn with_state<Any>(self, state: S) -> Router<Any> {
        let state = Arc::new(state);
        let mounts = self.mounts.into_iter();
        Router {
            mounts: mounts.map(|mount| mount.with_own_state(&state)).collect(),
            layers: self.layers,
        }
    }

    /// Converts this router into one for a larger state, of which its own state is a part.
    ///
    /// The part is extracted once for all of its handlers, when the subscriber starts. A module can
    /// therefore have handlers for its own state, without knowing the program's state:
    ///
    /// ```
    /// use redis_push::{FromRef, Router, Subscriber};
    ///
    /// mod orders {
    ///     use redis_push::{Router, State, handlers, push_handler};
    ///
    ///     #[derive(Clone)]
    ///     pub struct Db;
    ///
    ///     #[push_handler(channel = "orders", state = Db)]
    ///     async fn on_order(order: &str, State(db): State<Db>) {
    ///         println!("{order}");
    ///         # drop::<Db>(db);
    ///     }
    ///
    ///     pub fn router() -> Router<Db> {
    ///         Router::new().handlers(handlers![on_order])
    ///     }
    /// }
    ///
    /// struct App {
    ///     db: orders::Db,
    /// }
    ///
    /// impl FromRef<App> for orders::Db {
    ///     fn from_ref(app: &App) -> Self {
    ///         app.db.clone()
    ///     }
    /// }
    ///
    /// let subscriber = Subscriber::new("redis://127.0.0.1/")
    ///     .state(App { db: orders::Db })
    ///     .handlers(orders::router().for_state());
    /// ```
    pub fn for_state<Whole>(self) -> Router<Whole>
    where
        Whole: Send + Sync + 'static,
        S: FromRef<Whole>,
    {
        let part = Substate::default();
        let mounts = self.mounts.into_iter();
        Router {
            mounts: mounts.map(|mount| mount.sharing(&part)).collect(),
            layers: self.layers,
        }
    }
}

impl<S: Send + Sync + 'static> Default for Router<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> IntoIterator for Router<S> {
    type Item = Mount<S>;
    type IntoIter = std::vec::IntoIter<Mount<S>>;

    fn into_iter(mut self) -> Self::IntoIter {
        for mount in &mut self.mounts {
            self.layers.put_around(&mut mount.spec.layers);
        }
        self.mounts.into_iter()
    }
}

impl<S> fmt::Debug for Router<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Router").field(&self.mounts).finish()
    }
}
