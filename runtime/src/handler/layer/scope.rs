use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use super::endpoint::{Endpoint, Handling};
use super::values::Values;
use crate::gap::Gap;
use crate::push::Push;

/// What the layers of one delivery share.
pub(crate) struct Scope<'d> {
    /// The name of the handler.
    pub(super) handler: &'d str,
    endpoint: &'d dyn Endpoint,
    /// The counter of further attempts.
    retries: &'d AtomicU64,
    has_begun: AtomicBool,
    /// Whether the last run of the gap handler has succeeded.
    gap_is_handled: AtomicBool,
    pub(super) values: Values,
}

impl<'d> Scope<'d> {
    pub(crate) fn new(
        handler: &'d str,
        endpoint: &'d dyn Endpoint,
        retries: &'d AtomicU64,
    ) -> Self {
        Self {
            handler,
            endpoint,
            retries,
            has_begun: AtomicBool::new(false),
            gap_is_handled: AtomicBool::new(false),
            values: Values::default(),
        }
    }

    /// Begins an attempt.
    pub(super) fn handle(&self, push: Push<'d>) -> Handling<'d> {
        if self.has_begun.swap(true, Relaxed) {
            // Workers share the counter. Retries are rare.
            self.retries.fetch_add(1, Relaxed);
        }
        self.endpoint.handle(push)
    }

    pub(super) fn handle_gap(&self, gap: &'d Gap) -> Handling<'d> {
        self.endpoint.handle_gap(gap)
    }

    pub(super) fn gap_ended(&self, is_handled: bool) {
        self.gap_is_handled.store(is_handled, Relaxed);
    }

    pub(crate) fn gap_is_handled(&self) -> bool {
        self.gap_is_handled.load(Relaxed)
    }
}
