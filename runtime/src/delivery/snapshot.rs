use std::sync::atomic::{AtomicU64, Ordering::Acquire};

use super::timings::HandlerTimings;
use super::{Counters, HandlerContext};
use crate::broadcast::BacklogMeter;
use crate::telemetry::HandlerStats;
use crate::util::clock;

impl HandlerStats {
    /// Reads the counters of a handler. Counters of ended deliveries are read before those of begun
    /// deliveries, so that no delivery seems to end before it begins.
    pub(crate) fn read(
        context: &HandlerContext,
        subscriptions: Vec<String>,
        meter: &BacklogMeter,
    ) -> Self {
        let sum = |counter: fn(&Counters) -> &AtomicU64| {
            context
                .all_counters()
                .map(|counters| counter(counters).load(Acquire))
                .sum::<u64>()
        };
        let handled = sum(|counters| &counters.handled);
        let failed = sum(|counters| &counters.failed);
        let panicked = sum(|counters| &counters.panicked);
        let timed_out = sum(|counters| &counters.timed_out);
        let rejected = sum(|counters| &counters.rejected);
        let unmatched = sum(|counters| &counters.unmatched);
        let skipped = sum(|counters| &counters.skipped);
        let dropped = sum(|counters| &counters.dropped);
        let cancelled = sum(|counters| &counters.cancelled);
        let running = sum(|counters| &counters.running);
        let position = sum(|counters| &counters.position);
        let backlog = meter.backlog();
        let gaps = context.gaps.read();
        // The broadcast channel counts the pushes that it drops. If the loop counted them, they
        // would seem queued until the loop reaches them.
        let queued = backlog.end.saturating_sub(position + backlog.missed);
        let oldest = match queued {
            0 => None,
            // The rest are in the hands of the loop.
            _ if queued > backlog.waiting => backlog.in_hand,
            _ => backlog.oldest,
        };
        Self {
            handler: context.spec.name.clone().into_owned(),
            subscriptions,
            listens_to: context.spec.listens_to(),
            received: backlog.end + backlog.superseded,
            handled,
            failed,
            panicked,
            timed_out,
            rejected,
            unmatched,
            skipped,
            retries: context.retries.load(Acquire),
            dropped: dropped + backlog.missed,
            superseded: backlog.superseded,
            queued,
            queue_age: oldest
                .map(|opened| clock::wall().duration_since(opened).unwrap_or_default()),
            running,
            gaps: gaps.total(),
            gap_causes: gaps,
            gap_failures: sum(|counters| &counters.gap_failures),
            batches: sum(|counters| &counters.batches),
            is_paused: context.gate.is_paused(),
            cancelled,
            stalls: sum(|counters| &counters.stalls),
            timings: context.timings().map(HandlerTimings::read),
        }
    }
}
