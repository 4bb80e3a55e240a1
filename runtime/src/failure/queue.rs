use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Acquire, Ordering::Relaxed, Ordering::Release};

use tokio::sync::Notify;

use super::{Failure, FailureKind};
use crate::error::Fault;
use crate::gap::Gap;
use crate::handler::{OutcomeKind, Spec};
use crate::push::Push;
use crate::telemetry::FailureStats;
use crate::util::{Mutex, MutexGuard, PanicMessage, RateLimit};

const DROPPED: &str = "failure not passed to the failure hook, which is too slow";

/// The queue of failures, from the handlers to the hook. Without a hook there is no queue.
#[derive(Clone, Debug, Default)]
pub(crate) struct Failures(Option<Arc<Queue>>);

/// A bounded queue. Producers never block: a failure is dropped and counted when the queue is full, by
/// its number of failures or by their bytes.
#[derive(Debug)]
struct Queue {
    state: Mutex<QueueState>,
    /// Wakes the hook's task.
    changed: Notify,
    limit: Limit,
    counts: Counts,
    /// Limits the log lines about failures that are dropped.
    drops: RateLimit,
}

/// How much a queue may hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    pub(crate) failures: usize,
    /// Including those of the failure that the hook works on. One failure is always accepted.
    pub(crate) bytes: usize,
}

#[derive(Debug, Default)]
struct QueueState {
    /// The failures, with the bytes that each one holds.
    waiting: VecDeque<(usize, Failure)>,
    /// The bytes of the failures that wait, and of the one that the hook works on.
    held: usize,
    /// The bytes of the failure that the hook works on.
    running: usize,
    closed: bool,
}

/// The counters of [`FailureStats`].
#[derive(Debug, Default)]
struct Counts {
    told: AtomicU64,
    failed: AtomicU64,
    panicked: AtomicU64,
    dropped: AtomicU64,
    /// 1 while the hook runs, else 0.
    running: AtomicU64,
}

/// How a run of the hook ended.
#[derive(Clone, Copy, Debug)]
pub(super) enum HookOutcome {
    Accepted,
    Failed,
    Panicked,
}

impl Failures {
    /// Creates a queue with a limit. It accepts at least one failure.
    pub(crate) fn within(limit: Limit) -> Self {
        Self(Some(Arc::new(Queue {
            state: Mutex::default(),
            changed: Notify::new(),
            limit,
            counts: Counts::default(),
            drops: RateLimit::new("failure hook", DROPPED),
        })))
    }

    /// Queues a failure for the hook, if `outcome` is a failure. Never waits, and copies the push
    /// only if there is room.
    pub(crate) fn report(
        &self,
        spec: &Spec,
        push: Push<'_>,
        outcome: OutcomeKind,
        fault: Option<Fault>,
        panic: PanicMessage,
    ) {
        if let Some(queue) = &self.0
            && let Some(kind) = FailureKind::of(outcome)
        {
            let text = panic.as_str().map_or(0, str::len);
            let bytes = size_of::<Failure>() + text + push.owned_bytes();
            let is_queued = queue.push(bytes, || Failure {
                panic,
                ..Failure::new(spec.name.clone(), kind, fault, push.to_owned())
            });
            if !is_queued {
                queue.count_drop(&spec.name);
            }
        }
    }

    /// Queues a failure of the gap handler for the hook.
    pub(crate) fn report_gap(
        &self,
        spec: &Spec,
        gap: &Gap,
        fault: Option<Fault>,
        panic: PanicMessage,
    ) {
        if let Some(queue) = &self.0 {
            let bytes = size_of::<Failure>() + panic.as_str().map_or(0, str::len);
            let failure = || Failure {
                panic,
                ..Failure::of_gap(spec.name.clone(), gap.clone(), fault)
            };
            if !queue.push(bytes, failure) {
                queue.count_drop(&spec.name);
            }
        }
    }

    /// Waits for the next failure. Returns `None` once the queue is closed and empty.
    ///
    /// The failure counts as running until [`ended`](Self::ended) is called.
    pub(super) async fn next(&self) -> Option<Failure> {
        let queue = self.0.as_ref()?;
        loop {
            {
                let mut state = queue.lock();
                if let Some((bytes, failure)) = state.waiting.pop_front() {
                    state.running = bytes;
                    queue.counts.running.store(1, Release);
                    return Some(failure);
                }
                if state.closed {
                    return None;
                }
            }
            queue.changed.notified().await;
        }
    }

    /// Counts a run of the hook that has ended.
    pub(super) fn ended(&self, outcome: HookOutcome) {
        if let Some(queue) = self.0.as_deref() {
            queue.release();
            let counts = &queue.counts;
            counts.running.store(0, Release);
            let counter = match outcome {
                HookOutcome::Accepted => &counts.told,
                HookOutcome::Failed => &counts.failed,
                HookOutcome::Panicked => &counts.panicked,
            };
            counter.fetch_add(1, Release);
        }
    }

    /// Counts the failure that the hook's task was working on when it exited unexpectedly.
    pub(super) fn account_for_last_run(&self) {
        if let Some(queue) = self.0.as_deref() {
            queue.release();
            let lost = queue.counts.running.swap(0, Release);
            queue.counts.dropped.fetch_add(lost, Release);
        }
    }

    /// Closes the queue. The hook still receives the failures that are queued.
    pub(crate) fn close(&self) {
        if let Some(queue) = &self.0 {
            queue.lock().closed = true;
            queue.changed.notify_one();
        }
    }

    /// Closes the queue and counts the remaining failures as dropped. For after the hook's task has
    /// ended, or is in its last run.
    pub(crate) fn drop_rest(&self, is_running: bool) {
        self.close();
        if !is_running {
            self.account_for_last_run();
        }
        if let Some(queue) = &self.0 {
            let mut state = queue.lock();
            state.held = state.running;
            let rest = std::mem::take(&mut state.waiting);
            drop(state);
            queue.counts.dropped.fetch_add(rest.len() as u64, Release);
            queue.drops.flush();
        }
    }

    pub(crate) fn stats(&self) -> FailureStats {
        let Some(queue) = &self.0 else {
            return FailureStats::default();
        };
        let Counts {
            told,
            failed,
            panicked,
            dropped,
            running,
        } = &queue.counts;
        FailureStats {
            told: told.load(Acquire),
            failed: failed.load(Acquire),
            panicked: panicked.load(Acquire),
            dropped: dropped.load(Acquire),
            queued: running.load(Relaxed) + queue.lock().waiting.len() as u64,
        }
    }
}

impl Queue {
    /// Queues a failure that holds `bytes`, if there is room. Returns whether there was.
    fn push(&self, bytes: usize, failure: impl FnOnce() -> Failure) -> bool {
        let mut state = self.lock();
        let is_full = !state.waiting.is_empty() && state.waiting.len() >= self.limit.failures
            || state.held > 0 && state.held.saturating_add(bytes) > self.limit.bytes;
        if state.closed || is_full {
            return false;
        }
        state.waiting.push_back((bytes, failure()));
        state.held += bytes;
        drop(state);
        self.changed.notify_one();
        true
    }

    /// Counts and logs a failure that is not passed to the hook.
    fn count_drop(&self, handler: &str) {
        self.counts.dropped.fetch_add(1, Release);
        self.drops.report(|suppressed| {
            tracing::warn!(target: "redis_push", handler, suppressed, "{DROPPED}");
        });
    }

    /// Releases the bytes of the failure that the hook has worked on.
    fn release(&self) {
        let mut state = self.lock();
        state.held -= std::mem::take(&mut state.running);
    }

    fn lock(&self) -> MutexGuard<'_, QueueState> {
        // A panic under the lock (memory, or the `Drop` of an error) leaves the queue intact.
        self.state.lock()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::push::OwnedPush;
    use crate::subscription::Subscription;

    fn room_for(failures: usize) -> Failures {
        let bytes = usize::MAX;
        Failures::within(Limit { failures, bytes })
    }

    fn report(failures: &Failures, payload: &str) {
        let push = OwnedPush::new(Subscription::channel("a"), "a", payload);
        let fault = Some(Fault::failed("no"));
        let panic = PanicMessage::default();
        failures.report(
            &Spec::new("h"),
            push.as_push(),
            OutcomeKind::Failed,
            fault,
            panic,
        );
    }

    #[tokio::test]
    async fn failures_are_dropped_when_full_and_the_others_keep_their_order() {
        let failures = room_for(2);
        for payload in ["1", "2", "3"] {
            report(&failures, payload);
        }
        let stats = failures.stats();
        assert_eq!((stats.queued, stats.dropped), (2, 1));
        failures.close();
        report(&failures, "4");
        for payload in ["1", "2"] {
            let failure = failures.next().await.unwrap();
            assert_eq!(failure.payload(), payload.as_bytes());
            failures.ended(HookOutcome::Accepted);
        }
        assert!(failures.next().await.is_none());
        let stats = failures.stats();
        assert_eq!((stats.queued, stats.told, stats.dropped), (0, 2, 2));
    }

    #[tokio::test]
    async fn what_waits_and_what_the_hook_holds_is_bounded_in_bytes() {
        const PAYLOAD: usize = 1_000_000;
        let (failures, bytes) = (100, 3 * PAYLOAD + 10_000);
        let queue = Failures::within(Limit { failures, bytes });
        let report_many = || {
            for _ in 0..10 {
                report(&queue, &"x".repeat(PAYLOAD));
            }
        };
        report_many();
        assert_eq!((queue.stats().queued, queue.stats().dropped), (3, 7));
        // The one in the hook still counts.
        let in_hook = queue.next().await;
        report_many();
        assert_eq!((queue.stats().queued, queue.stats().dropped), (3, 17));
        drop(in_hook);
        queue.ended(HookOutcome::Accepted);
        report_many();
        assert_eq!((queue.stats().queued, queue.stats().dropped), (3, 26));

        // One is accepted, however large.
        let queue = Failures::within(Limit {
            failures: 0,
            bytes: 0,
        });
        report(&queue, "1");
        report(&queue, "2");
        assert_eq!((queue.stats().queued, queue.stats().dropped), (1, 1));
        drop(queue.next().await);
        queue.account_for_last_run();
        report(&queue, "3");
        assert_eq!((queue.stats().queued, queue.stats().dropped), (1, 2));
    }

    #[tokio::test]
    async fn the_failure_of_a_restarted_task_is_counted() {
        let failures = room_for(8);
        report(&failures, "1");
        report(&failures, "2");
        drop(failures.next().await);
        failures.account_for_last_run();
        let stats = failures.stats();
        assert_eq!((stats.queued, stats.dropped), (1, 1));
        failures.drop_rest(false);
        assert_eq!(failures.stats().dropped, 2);
    }

    #[test]
    fn neither_debug_nor_reason_shows_a_payload() {
        let push = OwnedPush::new(Subscription::channel("a"), "a", "s3cret");
        let source = std::io::Error::other("quotes s3cret");
        let rejection = crate::Rejection::caused_by("not a number", source);
        let failure = Failure::new("h", FailureKind::Rejected, Some(rejection.into()), push);
        assert!(!format!("{failure:?}").contains("s3cret"), "{failure:?}");
        assert_eq!(failure.reason(), "not a number");
        assert_eq!(failure.detail(), "not a number: quotes s3cret");
    }
}
