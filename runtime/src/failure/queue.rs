use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Acquire, Ordering::Relaxed, Ordering::Release};

use tokio::sync::Notify;

use super::{Failure, FailureKind};
use crate::error::Fault;
use crate::handler::{Outcome, Spec};
use crate::push::Push;
use crate::telemetry::FailureStats;
use crate::util::{Mutex, MutexGuard};

/// Where handlers leave what did not end well, for the hook. Without a hook it costs nothing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Failures(Option<Arc<Queue>>);

/// A bounded queue. Who puts in never waits: what finds it full is dropped and counted.
#[derive(Debug)]
struct Queue {
    state: Mutex<QueueState>,
    more: Notify,
    most: usize,
    counts: Counts,
}

#[derive(Debug, Default)]
struct QueueState {
    waiting: VecDeque<Failure>,
    closed: bool,
}

#[derive(Debug, Default)]
struct Counts {
    told: AtomicU64,
    failed: AtomicU64,
    panicked: AtomicU64,
    dropped: AtomicU64,
    running: AtomicU64,
}

/// How a run of the hook ended.
#[derive(Clone, Copy, Debug)]
pub(super) enum HookOutcome {
    Well,
    Failed,
    Panicked,
}

impl Failures {
    /// A queue for so many failures.
    pub(crate) fn with_room_for(most: usize) -> Self {
        Self(Some(Arc::new(Queue {
            state: Mutex::default(),
            more: Notify::new(),
            most: most.max(1),
            counts: Counts::default(),
        })))
    }

    /// Leaves a failure for the hook, unless `outcome` is none. Never waits, and copies the push
    /// only if there is room.
    pub(crate) fn report(
        &self,
        spec: &Spec,
        push: Push<'_>,
        outcome: Outcome,
        fault: Option<Fault>,
    ) {
        if let Some(queue) = &self.0
            && let Some(kind) = FailureKind::of(outcome)
        {
            queue.put(|| Failure::new(spec.name.clone(), kind, fault, push.to_owned()));
        }
    }

    /// The next failure; `None` once the queue is closed and empty.
    ///
    /// It counts as running until [`ended`](Self::ended) says how that went.
    pub(super) async fn next(&self) -> Option<Failure> {
        let queue = self.0.as_ref()?;
        loop {
            {
                let mut state = queue.lock();
                if let Some(failure) = state.waiting.pop_front() {
                    queue.counts.running.store(1, Release);
                    return Some(failure);
                }
                if state.closed {
                    return None;
                }
            }
            queue.more.notified().await;
        }
    }

    pub(super) fn ended(&self, told: HookOutcome) {
        if let Some(Queue { counts, .. }) = self.0.as_deref() {
            counts.running.store(0, Release);
            let counter = match told {
                HookOutcome::Well => &counts.told,
                HookOutcome::Failed => &counts.failed,
                HookOutcome::Panicked => &counts.panicked,
            };
            counter.fetch_add(1, Release);
        }
    }

    /// Counts what a task that has ended unasked had in hand.
    pub(super) fn account_for_last_run(&self) {
        if let Some(Queue { counts, .. }) = self.0.as_deref() {
            let lost = counts.running.swap(0, Release);
            counts.dropped.fetch_add(lost, Release);
        }
    }

    /// Lets nothing more in; the hook is told of what is there.
    pub(crate) fn close(&self) {
        if let Some(queue) = &self.0 {
            queue.lock().closed = true;
            queue.more.notify_one();
        }
    }

    /// Counts what is left as dropped: no hook will be told of it any more.
    pub(crate) fn drop_rest(&self) {
        self.close();
        self.account_for_last_run();
        if let Some(queue) = &self.0 {
            let left = std::mem::take(&mut queue.lock().waiting);
            let left = left.len() as u64;
            queue.counts.dropped.fetch_add(left, Release);
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
    fn put(&self, failure: impl FnOnce() -> Failure) {
        let mut state = self.lock();
        if state.closed || state.waiting.len() >= self.most {
            drop(state);
            self.counts.dropped.fetch_add(1, Release);
            return;
        }
        state.waiting.push_back(failure());
        drop(state);
        self.more.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, QueueState> {
        // A panic in here (memory, or a `Drop` of an error) leaves a whole queue behind.
        self.state.lock()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::push::OwnedPush;
    use crate::subscription::Subscription;

    fn report(failures: &Failures, payload: &str) {
        let push = OwnedPush::new(Subscription::channel("a"), "a", payload);
        let fault = Some(Fault::failed("no"));
        failures.report(&Spec::new("h"), push.as_push(), Outcome::Failed, fault);
    }

    #[tokio::test]
    async fn what_finds_no_room_is_counted_and_the_rest_comes_in_order() {
        let failures = Failures::with_room_for(2);
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
            failures.ended(HookOutcome::Well);
        }
        assert!(failures.next().await.is_none());
        let stats = failures.stats();
        assert_eq!((stats.queued, stats.told, stats.dropped), (0, 2, 2));
    }

    #[tokio::test]
    async fn what_a_killed_task_had_in_hand_is_counted() {
        let failures = Failures::with_room_for(8);
        report(&failures, "1");
        report(&failures, "2");
        drop(failures.next().await);
        failures.account_for_last_run();
        let stats = failures.stats();
        assert_eq!((stats.queued, stats.dropped), (1, 1));
        failures.drop_rest();
        assert_eq!(failures.stats().dropped, 2);
    }

    #[test]
    fn neither_debug_nor_reason_shows_a_payload() {
        let push = OwnedPush::new(Subscription::channel("a"), "a", "s3cret");
        let source = std::io::Error::other("quotes s3cret");
        let rejection = crate::Rejection::caused_by("no number", source);
        let failure = Failure::new("h", FailureKind::Rejected, Some(rejection.into()), push);
        assert!(!format!("{failure:?}").contains("s3cret"), "{failure:?}");
        assert_eq!(failure.reason(), "no number");
        assert_eq!(failure.detail(), "no number: quotes s3cret");
    }
}
