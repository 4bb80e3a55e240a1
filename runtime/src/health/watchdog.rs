use std::sync::Arc;
use std::sync::atomic::{Ordering::Acquire, Ordering::Relaxed};
use std::time::{Duration, Instant};

use tokio::time::{sleep, sleep_until};

use super::monitor::HealthMonitor;
use crate::delivery::{Counters, HandlerContext, add};
use crate::util::clock;

/// What the watchdog has seen of each handler, and how often it looks.
///
/// The watchdog reads counters that the handler writes anyway, so a delivery pays nothing for it, not
/// even a read of the clock.
pub(super) struct Watch {
    /// One entry for each loop and each worker, in the order of the handler contexts.
    seen: Vec<Seen>,
    /// The time between two looks.
    pause: Duration,
}

struct Seen {
    mark: Option<Mark>,
    since: Instant,
    is_reported: bool,
}

/// Identifies the delivery, or the run of the gap handler, that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark {
    position: u64,
    gaps: u64,
    is_gap: bool,
}

impl Mark {
    fn of(counters: &Counters) -> Option<Self> {
        let is_gap = counters.telling.load(Acquire) > 0;
        let runs = is_gap || counters.running.load(Acquire) > 0;
        runs.then(|| Self {
            position: counters.position.load(Acquire),
            gaps: counters.gaps.load(Relaxed),
            is_gap,
        })
    }
}

impl Watch {
    pub(super) fn new(contexts: &[Arc<HandlerContext>]) -> Self {
        let now = clock::monotonic();
        let all = contexts.iter().flat_map(|context| context.all_counters());
        let seen = all.map(|_| Seen {
            mark: None,
            since: now,
            is_reported: false,
        });
        let shortest_limit = contexts
            .iter()
            .map(|context| context.spec.stall_limit)
            .min()
            .unwrap_or(Duration::MAX);
        Self {
            seen: seen.collect(),
            pause: (shortest_limit / 4).clamp(Duration::from_millis(10), Duration::from_secs(1)),
        }
    }

    /// Looks at every handler, logs which ones have stalled or recovered, and returns the stalled ones
    /// by their index.
    fn look(&mut self, contexts: &[Arc<HandlerContext>], now: Instant) -> Vec<(usize, Instant)> {
        let mut stalled = Vec::new();
        let all = contexts.iter().enumerate().flat_map(|(index, context)| {
            context
                .all_counters()
                .map(move |counters| (index, context, counters))
        });
        for ((index, context, counters), seen) in all.zip(&mut self.seen) {
            let mark = Mark::of(counters);
            if mark != seen.mark || mark.is_none() {
                if seen.is_reported {
                    context.log_recovery(now - seen.since);
                }
                *seen = Seen {
                    mark,
                    since: now,
                    is_reported: false,
                };
                continue;
            }
            if now - seen.since < context.spec.stall_limit {
                continue;
            }
            stalled.push((index, seen.since));
            if !seen.is_reported {
                seen.is_reported = true;
                add(&context.counters.stalls, 1);
                context.log_stall(now - seen.since);
            }
        }
        stalled
    }
}

impl HandlerContext {
    fn log_stall(&self, running_for: Duration) {
        let (file, line) = self.spec.place.unwrap_or(("?", 0));
        tracing::error!(
            target: "redis_push", handler = &*self.spec.name, file, line,
            ?running_for,
            limit = ?self.spec.stall_limit,
            required = self.spec.required,
            "handler stalled; other handlers are unaffected"
        );
    }

    fn log_recovery(&self, ran_for: Duration) {
        tracing::warn!(
            target: "redis_push", handler = &*self.spec.name,
            ?ran_for,
            "stalled handler returned"
        );
    }
}

/// The shortest time between two looks at the same handlers because gaps are handled.
const CROWDED: Duration = Duration::from_millis(10);

impl HealthMonitor {
    /// Looks for stalled handlers and publishes the health: at intervals, whenever a task goes down or
    /// runs again, whenever the status of the session changes, and whenever a gap is handled.
    pub(crate) async fn keep_watching(self: Arc<Self>) {
        let mut watch = self.watch.lock().await;
        let mut status = self.sources.status.clone();
        let mut tasks = self.sources.tasks.changed();
        loop {
            let looked = clock::now();
            self.last_seen.touch();
            let stalled = watch.look(&self.sources.contexts, clock::monotonic());
            *self.stalls.lock() = stalled;
            self.publish();
            tokio::select! {
                () = sleep(watch.pause) => {}
                Ok(()) = status.changed() => {}
                _ = tasks.changed() => {}
                // A handler under load has a lag with each batch.
                () = self.sources.synced.notified() => sleep_until(looked + CROWDED).await,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_handlers_it_looks_once_a_second() {
        assert_eq!(Watch::new(&[]).pause, Duration::from_secs(1));
    }
}
