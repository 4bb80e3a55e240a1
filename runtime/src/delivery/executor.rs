use std::sync::Arc;

use super::context::HandlerContext;
use crate::gap::Gap;
use crate::push::Batch;

/// Runs the deliveries of a handler: on the handler's loop ([`Worker`](super::worker::Worker)), or on
/// worker tasks ([`PoolExecutor`](super::pool::PoolExecutor)).
pub(crate) trait Executor: Send {
    fn context(&self) -> &HandlerContext;

    /// Delivers a push, or queues it for a worker. Returns `false` and does neither if a resync is due
    /// before there is room in the queue: without it, no room would be made.
    fn deliver(&mut self, batch: &Arc<Batch>, index: usize) -> impl Future<Output = bool> + Send;

    /// Reports a gap. No delivery may be under way.
    fn report(&mut self, gap: &Gap) -> impl Future<Output = ()> + Send;

    /// Waits until no delivery is queued or under way. Returns `false` if a resync is due before that.
    fn wait_until_idle(&mut self) -> impl Future<Output = bool> + Send;

    /// Waits until no delivery is under way. To be called while a resync is requested, which holds back
    /// those that are queued.
    fn wait_until_none_runs(&mut self) -> impl Future<Output = ()> + Send;

    /// Notes that the loop is held back, which is not a part of any delivery.
    fn wait(&mut self) {}
}
