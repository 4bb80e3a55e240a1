//! What publishes for a handler goes along with its pushes.

use super::Publisher;
use crate::push::{OwnedPush, Push};

impl<'p> Push<'p> {
    /// What publishes for the handler: the subscriber's. `None` outside of a subscriber, unless
    /// [`OwnedPush::with_publisher`] gave one.
    #[must_use]
    pub fn publisher(self) -> Option<&'p Publisher> {
        self.extension()
    }
}

impl OwnedPush {
    /// Gives the push a publisher, for a handler that takes or returns what needs one.
    #[must_use]
    pub fn with_publisher(self, publisher: Publisher) -> Self {
        self.with_extension(publisher)
    }
}
