use crate::error::Fault;
use crate::gap::Gap;

/// What `#[gap_handler]` makes of a function.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a gap handler for the state `{S}`",
    label = "annotate it with `#[gap_handler]`"
)]
pub trait GapHandler<S>: Send + Sync + 'static {
    /// Brings the handler's data up to date after a gap.
    fn handle(&self, gap: &Gap, state: &S) -> impl Future<Output = Result<(), Fault>> + Send;
}
