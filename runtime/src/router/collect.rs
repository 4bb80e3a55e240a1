//! The handlers that are linked into the program, which the feature `collect` registers.

use std::any::{Any, type_name};
use std::sync::Arc;

use super::Router;
use super::mount::Mount;
use crate::handler::{Handler, Spec};

/// A handler that an attribute has registered.
#[doc(hidden)]
#[derive(Debug)]
pub struct Collected {
    /// Where the handler is written: module, file and line.
    pub place: (&'static str, &'static str, u32),
    /// Its name, with the `r#` of a raw identifier.
    pub name: &'static str,
    /// The state that its attribute names; empty if it names none.
    pub state: &'static str,
    /// Makes a `Mount` for that state, or for [`Stateless`]; `None` if the arguments do not fit.
    pub mount: Option<fn() -> Box<dyn Any>>,
    /// Makes its spec; `None` if that is not possible without its state.
    pub spec: Option<fn() -> Spec>,
}

inventory::collect!(Collected);

/// The state of handlers that use no state: no other type is a part of it.
#[doc(hidden)]
#[derive(Debug)]
pub struct Stateless(());

/// A handler type that an attribute generates, and that can be created without data.
#[doc(hidden)]
pub trait Named: Sized {
    fn make() -> Self;
}

/// Whether a handler fits a state, for concrete types: if it does, the inherent constants of this type
/// hide those of [`Unfit`].
#[doc(hidden)]
#[derive(Debug)]
pub struct Fit<H, S>(std::marker::PhantomData<fn(H, S)>);

/// The constants of a handler that does not fit: see [`Fit`].
#[doc(hidden)]
pub trait Unfit {
    const MOUNT: Option<fn() -> Box<dyn Any>> = None;
    const SPEC: Option<fn() -> Spec> = None;
}

impl<H, S> Unfit for Fit<H, S> {}

impl<H: Handler<S> + Named, S: Send + Sync + 'static> Fit<H, S> {
    /// Creates a mount.
    pub const MOUNT: Option<fn() -> Box<dyn Any>> = Some(|| Box::new(Mount::<S>::new(H::make())));
}

impl<H: Handler<S> + Named, S> Fit<H, S> {
    /// Creates the spec.
    pub const SPEC: Option<fn() -> Spec> = Some(|| H::make().spec());
}

impl<S: Send + Sync + 'static> Router<S> {
    /// Creates a router of every [`push_handler`](macro@crate::push_handler) that is linked into the
    /// program, sorted by name and then by place. Needs the feature `collect`.
    ///
    /// ```standalone_crate
    /// # use redis_push::testing::Broker;
    /// use redis_push::{Router, State, Subscriber, push_handler};
    ///
    /// #[derive(Clone)]
    /// struct App;
    ///
    /// #[push_handler(channel = "orders", state = App)]
    /// async fn on_order(text: &str, State(app): State<App>) {
    ///     println!("{text}");
    ///     # drop::<App>(app);
    /// }
    ///
    /// mod alerts {
    ///     #[redis_push::push_handler(channel = "alerts")]
    ///     async fn on_alert(text: &str) {
    ///         println!("{text}");
    ///     }
    /// }
    ///
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = Broker::start().await?;
    /// let handle = Subscriber::new(server.url())
    ///     .state(App)
    ///     .handlers(Router::collected())
    ///     .start()
    ///     .await?;
    /// assert_eq!(handle.wiring().handlers.len(), 2);
    /// println!("{}", handle.wiring()); // on_alert, on_order
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// A handler that takes nothing from the state fits every state. A handler that does, with
    /// [`State`](crate::State) or another extractor, must name its state: `state = App`. If it names
    /// no state, or another one than `S`, it is not left out silently:
    /// [`Subscriber::start`](crate::Subscriber::start) refuses it, with its place.
    ///
    /// Handlers of other crates are included, if the program uses the crate at all. A handler that is
    /// collected and also listed by name is mounted twice, which
    /// [`Subscriber::start`](crate::Subscriber::start) refuses. For the handlers of one module or crate,
    /// use [`collected_in`](Self::collected_in).
    pub fn collected() -> Self {
        Self::new().handlers(sorted(|_| true))
    }

    /// Creates a router of the handlers of one crate or module, and of the modules in it, by its path:
    /// `shop::orders`.
    ///
    /// ```standalone_crate
    /// use redis_push::{Router, Subscriber};
    ///
    /// mod orders {
    ///     #[redis_push::push_handler(channel = "orders")]
    ///     async fn on_order(text: &str) {
    ///         println!("{text}");
    ///     }
    ///
    ///     pub const PATH: &str = module_path!();
    /// }
    ///
    /// #[redis_push::push_handler(channel = "alerts")]
    /// async fn on_alert(text: &str) {
    ///     println!("{text}");
    /// }
    ///
    /// let orders = Router::collected_in(orders::PATH).prefix("eu:");
    /// let wiring = Subscriber::new("redis://127.0.0.1/").handlers(orders).wiring();
    /// assert_eq!(wiring.handlers.len(), 1);
    /// assert_eq!(wiring.handlers[0].subscriptions[0].name, "eu:orders");
    /// ```
    pub fn collected_in(module: &str) -> Self {
        Self::new().handlers(sorted(|collected| {
            let rest = collected.place.0.strip_prefix(module);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
        }))
    }
}

fn sorted<S: Send + Sync + 'static>(wanted: impl Fn(&Collected) -> bool) -> Vec<Mount<S>> {
    let all = inventory::iter::<Collected>.into_iter();
    let mut mounts: Vec<_> = all
        .filter(|one| wanted(one))
        .map(Collected::mount)
        .collect();
    mounts.sort_by(|one, other| {
        let key = |mount: &Mount<S>| (mount.spec.name.clone(), mount.spec.place);
        key(one).cmp(&key(other))
    });
    mounts
}

impl Collected {
    fn mount<S: Send + Sync + 'static>(&self) -> Mount<S> {
        let Some(made) = self.mount.map(|mount| mount()) else {
            return self.refused(
                "it, or its gap handler, takes something from a state; say from which, \
                 `#[push_handler(.., state = App)]`, or mount it by name",
            );
        };
        let made = match made.downcast::<Mount<S>>() {
            Ok(mount) => return *mount,
            Err(made) => made,
        };
        match made.downcast::<Mount<Stateless>>() {
            Ok(mount) => mount.with_own_state(&Arc::new(Stateless(()))),
            Err(_) => self.refused(&format!(
                "it is for the state `{}`, and not for `{}`; mount it by name, with \
                 `Mount::for_state` if the one is a part of the other",
                // The crate that `$crate` stands for has no name here.
                self.state.replace("$crate::", ""),
                type_name::<S>(),
            )),
        }
    }

    /// Creates a mount with which no subscriber starts.
    fn refused<S: Send + Sync + 'static>(&self, reason: &str) -> Mount<S> {
        let (_, file, line) = self.place;
        let spec = match self.spec {
            Some(spec) => spec(),
            None => Spec::new(self.name.trim_start_matches("r#")).at(file, line),
        };
        let mistake = format!("{} cannot be collected: {reason}", spec.label());
        Mount::refused(spec, mistake)
    }
}
