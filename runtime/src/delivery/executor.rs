use std::sync::Arc;

use super::context::Lane;
use crate::gap::Gap;
use crate::push::Batch;

/// Who runs a handler: its own loop, or workers beside it.
pub(crate) trait Hands: Send {
    fn lane(&self) -> &Lane;

    /// Handles a push, or gives it to one who does.
    fn deliver(&mut self, batch: &Arc<Batch>, index: usize) -> impl Future<Output = ()> + Send;

    /// Tells a gap when every delivery before it has ended.
    fn tell(&mut self, gap: &Gap) -> impl Future<Output = ()> + Send;

    /// Waits until no delivery is under way.
    fn rest(&mut self) -> impl Future<Output = ()> + Send;
}
