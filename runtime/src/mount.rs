use crate::handler::{Handler, Spec};
use crate::subscription::Subscription;
use std::marker::PhantomData;

/// A handler, ready to be given to a subscriber.
pub struct Mount<S> {
    pub(crate) spec: Spec,
    marker: PhantomData<fn(S)>,
}
impl<S: Send + Sync + 'static> Mount<S> {
    /// Mounts a handler.
    pub fn new<H: Handler<S>>(handler: H) -> Self {
        Self {
            spec: handler.spec(),
            marker: PhantomData,
        }
    }
    /// Replaces what it listens to.
    #[must_use]
    pub fn on(mut self, subscription: Subscription) -> Self {
        self.spec.subscriptions = vec![subscription];
        self
    }
}
