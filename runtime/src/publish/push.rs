//! The publisher that travels with each push of a handler.

use super::Publisher;
use crate::push::{OwnedPush, Push};

impl<'p> Push<'p> {
    /// Returns the subscriber's publisher. `None` outside of a subscriber, unless
    /// [`OwnedPush::with_publisher`] has set one.
    #[must_use]
    pub fn publisher(self) -> Option<&'p Publisher> {
        self.extension()
    }
}

impl OwnedPush {
    /// Sets the publisher of the push, for a handler that takes one or returns an answer.
    #[must_use]
    pub fn with_publisher(self, publisher: Publisher) -> Self {
        self.with_extension(publisher)
    }
}
