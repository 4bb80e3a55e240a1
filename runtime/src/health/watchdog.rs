use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::Acquire;
use std::time::{Duration, Instant};

use tokio::time::{sleep, sleep_until};

use super::monitor::HealthMonitor;
use crate::delivery::{Counters, HandlerContext, HandlerList, Mounted, add};
use crate::util::clock;

/// What the watchdog has seen of each handler, and how often it looks.
///
/// The watchdog reads counters that the handler writes anyway, so a delivery pays nothing for it, not
/// even a read of the clock.
pub(super) struct Watch {
    /// The handlers of the last look.
    handlers: HandlerList,
    /// For each of them one entry for its loop and for each worker.
    seen: Vec<Vec<Seen>>,
    /// The time between two looks.
    pause: Duration,
}

impl Default for Watch {
    fn default() -> Self {
        Self {
            handlers: HandlerList::default(),
            seen: Vec::new(),
            pause: pause(&[]),
        }
    }
}

struct Seen {
    mark: Option<Mark>,
    since: Instant,
    is_reported: bool,
}

impl Seen {
    fn new(mark: Option<Mark>, since: Instant) -> Self {
        Self {
            mark,
            since,
            is_reported: false,
        }
    }
}

/// Identifies the delivery, or the run of the gap handler, that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark {
    position: u64,
    gaps: u64,
    is_gap: bool,
}

impl Mark {
    /// `gaps` is how many gaps the handler has had.
    fn of(counters: &Counters, gaps: u64) -> Option<Self> {
        let is_gap = counters.telling.load(Acquire) > 0;
        let runs = is_gap || counters.running.load(Acquire) > 0;
        runs.then(|| Self {
            position: counters.position.load(Acquire),
            gaps: if is_gap { gaps } else { 0 },
            is_gap,
        })
    }
}

impl Watch {
    /// Looks at every handler, logs which ones have stalled or recovered, and returns the stalled ones.
    fn look(&mut self, handlers: HandlerList, now: Instant) -> Vec<(Arc<Mounted>, Instant)> {
        self.follow(handlers, now);
        let mut stalled = Vec::new();
        for (handler, seen) in self.handlers.iter().zip(&mut self.seen) {
            let context = &handler.context;
            let gaps = context.gaps.read().total();
            for (counters, seen) in context.all_counters().zip(seen) {
                let mark = Mark::of(counters, gaps);
                if mark != seen.mark || mark.is_none() {
                    if seen.is_reported {
                        context.log_recovery(now - seen.since);
                    }
                    *seen = Seen::new(mark, now);
                    continue;
                }
                if now - seen.since < context.spec.stall_limit {
                    continue;
                }
                stalled.push((Arc::clone(handler), seen.since));
                if !seen.is_reported {
                    seen.is_reported = true;
                    add(&context.counters.stalls, 1);
                    context.log_stall(now - seen.since);
                }
            }
        }
        stalled
    }

    /// Continues with another list of handlers, of which some may be those of the last look.
    fn follow(&mut self, handlers: HandlerList, now: Instant) {
        if Arc::ptr_eq(&self.handlers, &handlers) {
            return;
        }
        let before = self.handlers.iter().map(Arc::as_ptr);
        let mut before: HashMap<_, _> = before.zip(self.seen.drain(..)).collect();
        let seen = handlers.iter().map(|handler| {
            let known = before.remove(&Arc::as_ptr(handler));
            let counters = handler.context.all_counters();
            known.unwrap_or_else(|| counters.map(|_| Seen::new(None, now)).collect())
        });
        self.seen = seen.collect();
        self.pause = pause(&handlers);
        self.handlers = handlers;
    }
}

/// Returns the time between two looks: a part of the shortest stall limit.
fn pause(handlers: &[Arc<Mounted>]) -> Duration {
    let limits = handlers.iter().map(|one| one.context.spec.stall_limit);
    let shortest = limits.min().unwrap_or(Duration::MAX);
    (shortest / 4).clamp(Duration::from_millis(10), Duration::from_secs(1))
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

/// Returns how long to rest after a look. While handlers come and go, there is always a reason for another
/// look, and a look costs what there is. So with any number of handlers the watchdog takes a small part of
/// one core.
fn rest(look: Duration) -> Option<Duration> {
    const LONGEST: Duration = Duration::from_millis(100);
    /// Shorter than that, no timer can be.
    const SHORTEST: Duration = Duration::from_millis(1);

    let rest = look.saturating_mul(20).min(LONGEST);
    (rest >= SHORTEST).then_some(rest)
}

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
            self.sources.handlers.settle();
            let stalled = watch.look(self.sources.handlers.running(), clock::monotonic());
            *self.stalls.lock() = stalled;
            self.health();
            if let Some(rest) = rest(clock::now() - looked) {
                sleep(rest).await;
            }
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
    fn it_rests_after_a_look_that_took_long() {
        let rests = [1, 49, 50, 1_000, 1_000_000].map(|us| rest(Duration::from_micros(us)));
        let some = |us| Some(Duration::from_micros(us));
        assert_eq!(
            rests,
            [None, None, some(1_000), some(20_000), some(100_000)]
        );
    }

    #[test]
    fn without_handlers_it_looks_once_a_second() {
        assert_eq!(Watch::default().pause, Duration::from_secs(1));
    }
}
