use std::sync::Arc;

use super::context::HandlerContext;
use crate::gap::Gap;
use crate::push::Batch;

/// Runs the deliveries of a handler: on the handler's loop ([`Worker`](super::worker::Worker)), or on
/// worker tasks ([`PoolExecutor`](super::pool::PoolExecutor)).
pub(crate) trait Executor: Send {
    fn context(&self) -> &HandlerContext;

    /// Delivers a push, or queues it for a worker.
    fn deliver(&mut self, batch: &Arc<Batch>, index: usize) -> impl Future<Output = ()> + Send;

    /// Reports a gap, after all earlier deliveries have ended.
    fn report(&mut self, gap: &Gap) -> impl Future<Output = ()> + Send;

    /// Waits until no delivery is under way.
    fn wait_until_idle(&mut self) -> impl Future<Output = ()> + Send;
}
