use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{Ordering::Relaxed, Ordering::Release};

use tokio::sync::Mutex;
use tokio::task::JoinSet;

use super::context::HandlerContext;
use super::counters::add;
use crate::broadcast::Receiver;
use crate::gap::{Gap, GapCause, Missed};
use crate::util::{RateLimit, clock};

/// What a handler's loop works with, and leaves to the next one when it ends unasked: its place in
/// the ring, and the gaps that it owes the handler.
#[derive(Debug)]
pub(crate) struct LoopState {
    pub(crate) receiver: Receiver,
    /// The tasks beside the loop. Here, so that the next loop can wait until those of the one
    /// before are gone.
    pub(crate) workers: JoinSet<()>,
    owed: VecDeque<Gap>,
    /// Of the log's lines about gaps that a slow handler has.
    lags: RateLimit,
}

/// Only one loop sits in it: the next one waits until the one before is gone.
pub(crate) type SharedLoopState = Arc<Mutex<LoopState>>;

impl LoopState {
    pub(crate) fn new(receiver: Receiver) -> SharedLoopState {
        Arc::new(Mutex::new(Self {
            receiver,
            workers: JoinSet::new(),
            owed: VecDeque::new(),
            lags: RateLimit::default(),
        }))
    }

    /// Accounts for what the loop before had in hand: deliveries under way are cancelled, the rest
    /// of the batch dropped, and the handler is owed a gap of both.
    pub(crate) async fn account_for_last_run(&mut self, context: &HandlerContext) {
        // Nobody but this loop counts from here on.
        self.workers.shutdown().await;
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
        let (taken, heard) = self.receiver.position();
        let dropped = taken.saturating_sub(position);
        add(&counters.position, dropped);
        add(&counters.dropped, dropped);
        if cancelled + dropped > 0 {
            let gap = Gap {
                cause: GapCause::Restarted,
                missed: Missed::Exactly(cancelled + dropped),
                since: heard,
                until: clock::wall(),
            };
            self.owe(gap, context);
        }
    }

    /// Notes a gap that the handler is to be told of before its next message.
    pub(crate) fn owe(&mut self, gap: Gap, context: &HandlerContext) {
        if gap.cause != GapCause::Initial {
            add(&context.counters.gaps, 1);
            let handler = &*context.spec.name;
            let log = |suppressed| tracing::warn!(target: "redis_push", handler, %gap, suppressed, "messages may be missing");
            match gap.cause {
                // A handler that is slow for long has one with each batch.
                GapCause::Lagged => self.lags.report(log),
                _ => log(0),
            }
        }
        self.owed.push_back(gap);
    }

    /// The oldest gap that is owed.
    pub(crate) fn owed(&self) -> Option<&Gap> {
        self.owed.front()
    }

    /// Notes that the oldest one has been told.
    pub(crate) fn reported(&mut self) {
        self.owed.pop_front();
    }
}
