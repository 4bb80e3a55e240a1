use crate::error::Fault;
use crate::gap::Gap;

/// A handler of gaps, which `#[gap_handler]` generates from a function.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a gap handler for the state `{S}`",
    label = "annotate it with `#[gap_handler]`"
)]
pub trait GapHandler<S>: Send + Sync + 'static {
    /// Handles a gap: brings the data that depends on the messages up to date.
    fn handle(&self, gap: &Gap, state: &S) -> impl Future<Output = Result<(), Fault>> + Send;
}
