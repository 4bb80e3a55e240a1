//! Handlers: the traits that `#[push_handler]` and `#[gap_handler]` implement, and the description
//! of a handler.
//!
//! - [`Handler`] handles the pushes of its subscriptions, and their gaps. `#[push_handler]`
//!   generates an implementation from a function; it can also be written by hand.
//! - [`GapHandler`] handles gaps. `#[gap_handler]` generates an implementation from a function. A
//!   push handler names one with `on_gap`, and its generated [`Handler::handle_gap`] calls it.
//! - [`Spec`] describes a handler: its name, its subscriptions and its policies. The macros fill it
//!   in from the attribute, and a `Mount` may change it.
//! - [`Layer`](layer::Layer) is code of the user around each delivery: see `layer`.
//! - [`Retry`] and [`OnError`] are policies for deliveries that did not succeed.
//! - [`IntoAnswer`] and [`IntoOutcome`] convert the return value of a function.
//! - [`Outcome`] is how one delivery ended, for layers; [`OutcomeKind`] for the counters and the log.
//!
//! # In and out
//!
//! `router` wraps a [`Handler`] into a `Mount` and reads its [`Spec`] once. `broadcast`, `delivery`
//! and `health` work by that [`Spec`]: the budget, the workers and the timeout, and the stall
//! limit. `delivery` calls [`Handler::handle`] and [`Handler::handle_gap`], and records the
//! [`OutcomeKind`].
//!
//! # Invariants
//!
//! - A [`Spec`] does not change after the start.
//! - A handler is shared by its worker tasks, and by the next run of its loop after a panic. It is
//!   therefore `Sync`, and every call gets `&self`.
//! - The traits return concrete futures. No future of a delivery is boxed, except behind layers.

mod gap_handler;
mod into_answer;
mod layer;
mod on_error;
mod outcome;
mod outcome_kind;
mod retry;
mod spec;

pub use gap_handler::GapHandler;
pub use into_answer::{IntoAnswer, IntoOutcome};
pub(crate) use layer::{Bound, Endpoint, Layers, Scope};
pub use layer::{Delivery, Layer, Next};
pub use on_error::OnError;
pub use outcome::Outcome;
pub(crate) use outcome_kind::OutcomeKind;
pub use retry::Retry;
pub use spec::Spec;
pub(crate) use spec::{MessageType, Needs};

use crate::error::Fault;
use crate::gap::Gap;
use crate::push::Push;

/// A handler of pushes, which `#[push_handler]` generates from a function.
///
/// Written by hand, a handler is a type that implements this trait, and may hold data of its own:
///
/// ```
/// use redis_push::{Fault, Handler, Mount, Push, Spec, Subscription};
///
/// struct CountBytes;
///
/// impl<S: Sync> Handler<S> for CountBytes {
///     fn spec(&self) -> Spec {
///         Spec::new("count_bytes").on(Subscription::channel("blobs"))
///     }
///
///     async fn handle(&self, push: Push<'_>, _state: &S) -> Result<(), Fault> {
///         println!("{} bytes", push.payload().len());
///         Ok(())
///     }
/// }
///
/// let mount: Mount<()> = Mount::new(CountBytes);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a push handler for this state",
    label = "cannot be mounted",
    note = "`#[push_handler]` on an async function makes one; its arguments, and its `on_gap`, must fit the state"
)]
pub trait Handler<S>: Send + Sync + 'static {
    /// Returns the name, the subscriptions and the policies.
    fn spec(&self) -> Spec;

    /// Handles one push.
    ///
    /// Runs on the handler's own task, one push at a time, or with several
    /// [`workers`](Spec::workers) on their tasks. A panic ends this delivery only.
    fn handle(&self, push: Push<'_>, state: &S) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Handles a gap, before the first message after it.
    ///
    /// After an error or a panic it is called again with the same gap, with backoff. No message is
    /// delivered until it succeeds. For a resync on request ([`Fault::resync`]) the spec must name it
    /// ([`Spec::on_gap`]).
    fn handle_gap(&self, gap: &Gap, state: &S) -> impl Future<Output = Result<(), Fault>> + Send {
        let _ = (gap, state);
        async { Ok(()) }
    }
}
