//! The state that a handler's loop continues from after a restart.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{Ordering::Relaxed, Ordering::Release};

use tokio::sync::Mutex;
use tokio::task::JoinSet;

use super::context::HandlerContext;
use super::counters::add;
use crate::broadcast::{Known, Receiver};
use crate::gap::{Gap, GapCause, Missed};
use crate::subscription::Subscription;
use crate::util::{clock, drop_caught, runs_without_panic};

/// State that survives a restart of the handler loop: its read position in the broadcast channel,
/// and the gaps that are not reported to the handler yet.
#[derive(Debug)]
pub(crate) struct LoopState {
    pub(crate) receiver: Receiver,
    /// The worker tasks. They are here so that the next run can wait until those of the previous
    /// run are gone.
    pub(crate) workers: JoinSet<()>,
    /// The gaps that are not reported yet, oldest first.
    gaps: VecDeque<Gap>,
    /// The losses that are known once those gaps are reported.
    pub(crate) known: Known,
    /// Whether the initial gap has been reported, which is the first for every handler.
    pub(crate) has_begun: bool,
}

/// The lock is held by one run of the loop; the next run waits until the previous one is gone.
pub(crate) type SharedLoopState = Arc<Mutex<LoopState>>;

impl LoopState {
    pub(crate) fn new(receiver: Receiver) -> SharedLoopState {
        Arc::new(Mutex::new(Self {
            receiver,
            workers: JoinSet::new(),
            gaps: VecDeque::new(),
            known: Known::default(),
            has_begun: false,
        }))
    }

    /// Accounts for the pushes that the previous run had received but not delivered. Deliveries
    /// that were under way are counted as cancelled and the rest of the batch as dropped, and a gap
    /// of both is due.
    pub(crate) async fn account_for_last_run(&mut self, context: &HandlerContext) {
        // From here on, this run is the only writer of the counters.
        self.end_workers().await;
        let counters = &context.counters;
        counters.telling.store(0, Release);
        let mut cancelled = 0;
        let mut position = 0;
        for each in context.all_counters() {
            cancelled += each.running.load(Relaxed);
            each.running.store(0, Release);
            position += each.position.load(Relaxed);
        }
        add(&counters.cancelled, cancelled);
        let (received, heard) = self.receiver.position();
        let dropped = received.saturating_sub(position);
        add(&counters.position, dropped);
        add(&counters.dropped, dropped);
        if cancelled + dropped > 0 {
            let missed = Missed::Exactly(cancelled + dropped);
            let gap = Gap::new(GapCause::Restarted, missed, heard, clock::wall());
            context.sync.restarted();
            self.push_gap(gap, context);
        }
    }

    /// Aborts the worker tasks, and waits until they are gone.
    pub(crate) async fn end_workers(&mut self) {
        self.workers.abort_all();
        while let Some(ended) = self.workers.join_next().await {
            // The payload of a panic in the destructor of the user's state.
            drop_caught(ended);
        }
    }

    /// Counts and logs a gap, and adds it to those that are reported before the next message.
    pub(crate) fn push_gap(&mut self, gap: Gap, context: &HandlerContext) {
        if gap.cause != GapCause::Initial {
            context.gaps.record(gap.cause);
            let handler = &*context.spec.name;
            let log = |suppressed| {
                tracing::warn!(
                    target: "redis_push", handler, %gap, names = gap.names().map(some_of), suppressed,
                    "messages may be missing"
                );
            };
            match gap.cause {
                // A handler that stays slow has one for each batch.
                GapCause::Lagged => context.log_limits().lags.report(log),
                // What collects the log is the user's code.
                _ => _ = runs_without_panic(|| log(0)),
            }
        }
        self.gaps.push_back(gap);
    }

    /// Counts and returns the gap of a requested resync. It is not kept for a restart: the request is
    /// kept until it is served.
    pub(crate) fn requested_gap(&self, context: &HandlerContext) -> Gap {
        context.gaps.record(GapCause::Requested);
        let handler = &*context.spec.name;
        // A handler may request one with each message. Its errors are logged anyway.
        runs_without_panic(|| tracing::debug!(target: "redis_push", handler, "resync requested"));
        let (_, heard) = self.receiver.position();
        let none = Missed::Exactly(0);
        Gap::new(GapCause::Requested, none, heard, clock::wall())
    }

    /// Returns the oldest gap that is not reported yet.
    pub(crate) fn next_gap(&self) -> Option<&Gap> {
        self.gaps.front()
    }

    /// Removes the oldest gap, after it was reported.
    pub(crate) fn pop_gap(&mut self) {
        self.gaps.pop_front();
        if self.gaps.is_empty() {
            // An idle handler has no room for them.
            self.gaps = VecDeque::new();
        }
        self.has_begun = true;
    }
}

/// Returns the first of the names that a gap concerns, for the log.
fn some_of(names: &[Subscription]) -> String {
    const MOST: usize = 5;
    const LONGEST: usize = 128;
    let shown = names.iter().take(MOST).map(|name| {
        let mut name = name.to_string();
        if let Some((end, _)) = name.char_indices().nth(LONGEST) {
            name.replace_range(end.., "…");
        }
        name
    });
    let mut text = shown.collect::<Vec<_>>().join(", ");
    if names.len() > MOST {
        text += &format!(" and {} more", names.len() - MOST);
    }
    text
}
