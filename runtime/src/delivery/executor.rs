use std::sync::Arc;

use super::context::HandlerContext;
use crate::gap::Gap;
use crate::push::Batch;

/// Who runs a handler: its own loop, or workers beside it.
pub(crate) trait Executor: Send {
    fn context(&self) -> &HandlerContext;

    /// Handles a push, or gives it to one who does.
    fn deliver(&mut self, batch: &Arc<Batch>, index: usize) -> impl Future<Output = ()> + Send;

    /// Tells a gap when every delivery before it has ended.
    fn report(&mut self, gap: &Gap) -> impl Future<Output = ()> + Send;

    /// Waits until no delivery is under way.
    fn wait_until_idle(&mut self) -> impl Future<Output = ()> + Send;
}
