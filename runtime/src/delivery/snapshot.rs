use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Acquire;

use super::{Counters, HandlerContext};
use crate::broadcast::BacklogMeter;
use crate::telemetry::HandlerStats;

impl HandlerStats {
    /// Reads what a handler counts. What counts the end of something is read before what counts
    /// its beginning, so that nothing seems to end before it began.
    pub(crate) fn read(
        context: &HandlerContext,
        subscriptions: Vec<String>,
        meter: &BacklogMeter,
    ) -> Self {
        let sum = |counter: fn(&Counters) -> &AtomicU64| {
            let counts = context.all_counters().map(|all| counter(all).load(Acquire));
            counts.sum::<u64>()
        };
        let handled = sum(|all| &all.handled);
        let failed = sum(|all| &all.failed);
        let panicked = sum(|all| &all.panicked);
        let timed_out = sum(|all| &all.timed_out);
        let rejected = sum(|all| &all.rejected);
        let unmatched = sum(|all| &all.unmatched);
        let dropped = sum(|all| &all.dropped);
        let cancelled = sum(|all| &all.cancelled);
        let running = sum(|all| &all.running);
        let position = sum(|all| &all.position);
        let backlog = meter.backlog();
        Self {
            handler: context.spec.name.clone().into_owned(),
            subscriptions,
            received: backlog.end + backlog.superseded,
            handled,
            failed,
            panicked,
            timed_out,
            rejected,
            unmatched,
            dropped: dropped + backlog.missed,
            superseded: backlog.superseded,
            // What the ring has dropped it counts itself: counted here, it would lie in the queue
            // until it is.
            queued: backlog.end.saturating_sub(position + backlog.missed),
            running,
            gaps: sum(|all| &all.gaps),
            gap_failures: sum(|all| &all.gap_failures),
            batches: sum(|all| &all.batches),
            is_paused: context.gate.is_paused(),
            cancelled,
            stalls: sum(|all| &all.stalls),
        }
    }
}
