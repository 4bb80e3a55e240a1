mod gap_handler;
mod into_answer;
mod outcome;
mod spec;

pub use gap_handler::GapHandler;
pub use into_answer::{IntoAnswer, IntoOutcome};
pub(crate) use outcome::Outcome;
pub(crate) use spec::MessageType;
pub use spec::Spec;

use crate::error::Fault;
use crate::gap::Gap;
use crate::push::Push;

/// What `#[push_handler]` makes of a function.
///
/// By hand it is a type with data of its own:
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
    /// The name, the subscriptions and the policies.
    fn spec(&self) -> Spec;

    /// Handles one push.
    ///
    /// Runs on the handler's own task, one push at a time. A panic ends this delivery only.
    fn handle(&self, push: Push<'_>, state: &S) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Is told of a gap, before the first message behind it. An error is tried again with backoff
    /// before any further delivery.
    fn handle_gap(&self, gap: &Gap, state: &S) -> impl Future<Output = Result<(), Fault>> + Send {
        let _ = (gap, state);
        async { Ok(()) }
    }
}
