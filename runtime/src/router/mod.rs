#[cfg(feature = "collect")]
mod collect;
mod mount;
mod substate;
mod validate;
mod wiring;

#[cfg(feature = "collect")]
pub use collect::{Collected, Fit, Named, Stateless, Unfit};
pub use mount::Mount;
pub(crate) use substate::Substate;
pub(crate) use validate::{refuse_conflicts, refuse_unfilled, refuse_wrong_sources};
pub use wiring::{HandlerWiring, SubscriptionWiring, Wiring};

use std::fmt;

use crate::extract::FromRef;

/// Handlers that belong together, such as those of one module.
///
/// It goes where a list of [`handlers!`](crate::handlers) goes: into
/// [`Subscriber::handlers`](crate::Subscriber::handlers).
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
#[must_use = "a router does nothing before it is given to a subscriber"]
pub struct Router<S = ()> {
    mounts: Vec<Mount<S>>,
}

impl<S: Send + Sync + 'static> Router<S> {
    /// Makes a router without handlers.
    pub fn new() -> Self {
        Self { mounts: Vec::new() }
    }

    /// Adds handlers; may be called more than once.
    pub fn handlers(mut self, mounts: impl IntoIterator<Item = Mount<S>>) -> Self {
        self.mounts.extend(mounts);
        self
    }

    /// Adds the handlers of another router.
    pub fn merge(self, other: Self) -> Self {
        self.handlers(other)
    }

    /// Puts a text before every name that the handlers so far listen to, as [`Mount::prefix`].
    ///
    /// What is published goes without it: a [`Publisher`](crate::Publisher) knows nothing of routers.
    /// To reach these handlers, publish on the name: `publish_to("eu:orders", &order)`.
    ///
    /// What is added later goes without. A router that is merged into another one may have a prefix
    /// of its own, which then comes second:
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
        let mounts = self.mounts.into_iter();
        self.mounts = mounts.map(|mount| mount.prefix(prefix.as_ref())).collect();
        self
    }

    /// Makes it a router for a larger state, of which its own is a part.
    ///
    /// The part is taken once for all of its handlers, when the subscriber starts. So a module can
    /// have handlers for a state of its own, and know nothing of the program's:
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

    fn into_iter(self) -> Self::IntoIter {
        self.mounts.into_iter()
    }
}

impl<S> fmt::Debug for Router<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Router").field(&self.mounts).finish()
    }
}
