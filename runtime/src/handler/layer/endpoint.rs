use std::pin::Pin;
use std::sync::Arc;

use crate::error::Fault;
use crate::gap::Gap;
use crate::handler::Handler;
use crate::push::Push;

/// A handler with its state, without their types. Costs one box for each call.
///
/// Every handler has this code, whether it has layers or not, so there is little of it.
pub(crate) trait Endpoint: Send + Sync {
    fn handle<'d>(&'d self, push: Push<'d>) -> Handling<'d>;

    fn handle_gap<'d>(&'d self, gap: &'d Gap) -> Handling<'d>;
}

/// A call of a handler.
pub(crate) type Handling<'d> = Pin<Box<dyn Future<Output = Result<(), Fault>> + Send + 'd>>;

/// A handler with its state.
pub(crate) struct Bound<S, H> {
    pub(crate) handler: Arc<H>,
    pub(crate) state: Arc<S>,
}

impl<S: Send + Sync + 'static, H: Handler<S>> Endpoint for Bound<S, H> {
    fn handle<'d>(&'d self, push: Push<'d>) -> Handling<'d> {
        Box::pin(self.handler.handle(push, &self.state))
    }

    fn handle_gap<'d>(&'d self, gap: &'d Gap) -> Handling<'d> {
        Box::pin(self.handler.handle_gap(gap, &self.state))
    }
}
