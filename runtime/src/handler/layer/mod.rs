//! Layers: code of the user around each delivery, which every handler behind it shares.
//!
//! | file | contents |
//! | --- | --- |
//! | `mod` | [`Layer`], and [`Layers`]: those of one handler, without their types |
//! | `delivery` | [`Delivery`]: what a layer sees, a message or a gap |
//! | `next` | [`Next`]: the layers further in, and the handler at their end |
//! | `scope` | what the layers of one delivery share |
//! | `values` | the values that they pass on |
//! | `endpoint` | the handler behind the layers, without its type |
//!
//! # In and out
//!
//! A [`Spec`](crate::Spec) has the layers of a handler; `Router` and `Subscriber` put theirs before them.
//! `delivery` runs a handler that has any as a handler of another type, which calls the outermost layer.
//!
//! # Invariants
//!
//! - A handler without layers runs exactly as if there were none: what layers cost is in the other type.
//! - The first layer of a list is the outermost.

mod delivery;
mod endpoint;
mod next;
mod scope;
mod values;

pub use delivery::Delivery;
pub(crate) use endpoint::{Bound, Endpoint};
pub use next::Next;
pub(crate) use scope::Scope;

use std::any::type_name;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use super::Outcome;
use crate::util::short_name;

/// Code that runs around each delivery: an async function that takes a [`Delivery`] and what is [`Next`].
///
/// ```
/// use redis_push::{Delivery, Next, Outcome, Subscriber, handlers, push_handler};
/// use std::time::Instant;
///
/// async fn timing(delivery: Delivery<'_>, next: Next<'_>) -> Outcome {
///     let began = Instant::now();
///     let outcome = next.run(delivery).await;
///     println!("{}: {outcome} in {:?}", delivery.handler(), began.elapsed());
///     outcome
/// }
///
/// #[push_handler(channel = "orders")]
/// async fn on_order(text: &str) {
///     println!("{text}");
/// }
///
/// let subscriber = Subscriber::new("redis://127.0.0.1/")
///     .around(timing)
///     .handlers(handlers![on_order]);
/// ```
///
/// # Order
///
/// A layer is set with [`Subscriber::around`](crate::Subscriber::around) for all handlers, with
/// [`Router::around`](crate::Router::around) for those of a router, and with
/// [`Mount::around`](crate::Mount::around) for one. In each place the first is the outermost. When the
/// handlers are added does not matter: a layer is around those that were added before it as well.
///
/// ```text
/// Subscriber::new(url)
///     .around(a).around(b)
///     .handlers(Router::new().around(c).handlers(handlers![on_order.around(d)]))
///
///  stall limit ──────────────────────────────────────────────────────┐
///  │ retry policy: each attempt ───────────────────────────────────┐ │
///  │ │ timeout, catch of panics ─────────────────────────────────┐ │ │
///  │ │ │ a ─ subscriber ───────────────────────────────────────┐ │ │ │
///  │ │ │ │ b ────────────────────────────────────────────────┐ │ │ │ │
///  │ │ │ │ │ c ─ router (of several, the outer one first) ─┐ │ │ │ │ │
///  │ │ │ │ │ │ d ─ handler ──────────────────────────────┐ │ │ │ │ │ │
///  │ │ │ │ │ │ │ arguments ▸ on_order ▸ answer           │ │ │ │ │ │ │
///  │ │ │ │ │ │ └─────────────────────────────────────────┘ │ │ │ │ │ │
///  │ │ │ │ │ └──────────────────────── Outcome ────────────┘ │ │ │ │ │
///  │ │ │ │ └───────────────────────────────────────────────────┘ │ │ │ │
///  │ │ │ └───────────────────────────────────────────────────────┘ │ │ │
///  │ │ └─────────── failed, rejected: log, failure hook ───────────┘ │ │
///  │ └───────────────────────────────────────────────────────────────┘ │
///  └──────────────────── counted once, in `HandlerStats` ──────────────┘
/// ```
///
/// A push whose channel the template of the handler does not match is counted `unmatched` before any
/// layer.
///
/// # What a layer decides
///
/// - It returns the [`Outcome`] that counts, usually that of [`Next::run`]. The log and the failure hook
///   receive the error that is in it.
/// - If it does not call [`Next::run`], the handler does not run. It returns
///   [`Outcome::skipped`] then, which is counted but is not a failure, or [`Outcome::failed`].
/// - It may call [`Next::run`] again. The last outcome that it returns is counted, once; each further
///   attempt of the handler counts in [`HandlerStats::retries`](crate::HandlerStats::retries). A
///   [`timeout`](crate::Spec::timeout) is for all of them. To repeat what has failed, there is the
///   [`retry`](crate::Spec::retry) policy.
/// - It may pass a value on: [`Delivery::with`].
///
/// A layer is dropped where it waits when the timeout ends its delivery, or the deadline of a shutdown. A
/// panic in it ends the delivery, which counts as `panicked`.
///
/// # Gaps
///
/// Layers are around gaps too: [`Delivery::gap`]. An outcome that is not a success makes the gap handler
/// run again, with the layers. A gap cannot be skipped: if a layer returns [`Outcome::skipped`] and the gap
/// handler has not succeeded, it is called without the layers. A filter that only thinks of messages
/// therefore cannot hide a loss. A layer that has handled the gap itself returns [`Outcome::handled`].
///
/// # Layers with data
///
/// A function, or an async closure that captures nothing, is a layer. Data is in a type of your own:
///
/// ```
/// use redis_push::{Delivery, Layer, Next, Outcome};
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// struct CountFailures(Arc<AtomicU64>);
///
/// impl Layer for CountFailures {
///     async fn call(&self, delivery: Delivery<'_>, next: Next<'_>) -> Outcome {
///         let outcome = next.run(delivery).await;
///         if outcome.is_failed() {
///             self.0.fetch_add(1, Ordering::Relaxed);
///         }
///         outcome
///     }
/// }
///
/// let failures = Arc::new(AtomicU64::new(0));
/// let subscriber = redis_push::Subscriber::new("redis://127.0.0.1/")
///     .around(CountFailures(Arc::clone(&failures)));
/// ```
///
/// # Cost
///
/// Handlers without layers pay nothing. Otherwise each delivery allocates a future for each layer, and one
/// for the handler.
///
/// [Streams](crate::EventStream) have no layers: a program that reads a stream has its own code around
/// each message.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be used as a layer",
    label = "not `async fn(Delivery<'_>, Next<'_>) -> Outcome`",
    note = "the future of a layer must be `Send`",
    note = "a layer with data is a type with `impl Layer`: a closure cannot lend what it has captured to \
            its future"
)]
pub trait Layer: Send + Sync + 'static {
    /// Runs around one delivery.
    fn call(&self, delivery: Delivery<'_>, next: Next<'_>) -> impl Future<Output = Outcome> + Send;
}

/// Functions that are layers, for one lifetime. A trait of its own, because a bound cannot name the
/// future that a function returns for every lifetime.
#[doc(hidden)]
pub trait LayerFn<'d>: Send + Sync + 'static {
    type Running: Future<Output = Outcome> + Send + 'd;

    fn run(&self, delivery: Delivery<'d>, next: Next<'d>) -> Self::Running;
}

impl<'d, F, R> LayerFn<'d> for F
where
    F: Fn(Delivery<'d>, Next<'d>) -> R + Send + Sync + 'static,
    R: Future<Output = Outcome> + Send + 'd,
{
    type Running = R;

    fn run(&self, delivery: Delivery<'d>, next: Next<'d>) -> R {
        self(delivery, next)
    }
}

#[diagnostic::do_not_recommend]
impl<F: for<'d> LayerFn<'d>> Layer for F {
    async fn call(&self, delivery: Delivery<'_>, next: Next<'_>) -> Outcome {
        self.run(delivery, next).await
    }
}

/// The layers of a handler, the outermost first. A clone shares them. One pointer, because few handlers have
/// any.
#[derive(Clone, Default)]
pub(crate) struct Layers(Option<Arc<Vec<Arc<dyn ErasedLayer>>>>);

/// A layer without its type. Costs one box for each call.
trait ErasedLayer: Send + Sync {
    fn call<'d>(&'d self, delivery: Delivery<'d>, next: Next<'d>) -> Calling<'d>;

    fn name(&self) -> String;
}

/// A call of a layer.
type Calling<'d> = Pin<Box<dyn Future<Output = Outcome> + Send + 'd>>;

impl<L: Layer> ErasedLayer for L {
    fn call<'d>(&'d self, delivery: Delivery<'d>, next: Next<'d>) -> Calling<'d> {
        Box::pin(Layer::call(self, delivery, next))
    }

    fn name(&self) -> String {
        short_name(type_name::<L>()).to_owned()
    }
}

impl Layers {
    /// Adds a layer, as the innermost.
    pub(crate) fn push(&mut self, layer: impl Layer) {
        Arc::make_mut(self.0.get_or_insert_default()).push(Arc::new(layer));
    }

    /// Puts these layers around the others.
    pub(crate) fn put_around(&self, inner: &mut Self) {
        if !self.is_empty() {
            let inner = Arc::make_mut(inner.0.get_or_insert_default());
            inner.splice(..0, self.as_slice().iter().cloned());
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.as_slice().is_empty()
    }

    /// Returns the names of the functions or types, the outermost first.
    pub(crate) fn names(&self) -> impl Iterator<Item = String> {
        self.as_slice().iter().map(|layer| layer.name())
    }

    fn as_slice(&self) -> &[Arc<dyn ErasedLayer>] {
        self.0.as_deref().map_or(&[], Vec::as_slice)
    }
}

impl fmt::Debug for Layers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}
