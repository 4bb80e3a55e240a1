use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep};

use crate::broadcast::Shared;
use crate::dispatch::Dispatcher;
use crate::util::clock;

/// When the link stops reading because a ring is full, and for how long.
///
/// What is not read waits in the socket and in the server instead of being dropped. While every
/// handler has messages to work on, that harms nobody, and lasts as long as the slow one makes
/// progress. While another handler has nothing to do it costs that one latency, so it is only done
/// for a small part of each second.
pub(super) struct Backpressure {
    /// How much of each second another handler may be kept waiting.
    limit: Duration,
    second: Instant,
    used: Duration,
    wait: Option<Wait>,
    timer: Pin<Box<Sleep>>,
}

struct Wait {
    shared: Arc<Shared>,
    taken: u64,
    progress: Instant,
    looked: Instant,
}

/// A ring from which nobody took a batch for so long is not waited for.
const STUCK: Duration = Duration::from_millis(50);

/// How often a wait is looked at, beside being woken by the ring.
const LOOK: Duration = Duration::from_millis(2);

const SECOND: Duration = Duration::from_secs(1);

impl Backpressure {
    pub(super) fn new(limit: Duration) -> Self {
        Self {
            limit,
            second: clock::now(),
            used: Duration::ZERO,
            wait: None,
            timer: Box::pin(sleep(Duration::ZERO)),
        }
    }

    /// Whether a full ring may be waited for at all at this moment.
    pub(super) fn may_wait(&mut self, now: Instant) -> bool {
        if now - self.second >= SECOND {
            (self.second, self.used) = (now, Duration::ZERO);
        }
        self.used < self.limit
    }

    /// Begins to wait for a ring.
    pub(super) fn begin(&mut self, shared: Arc<Shared>, dispatcher: &Dispatcher, now: Instant) {
        dispatcher.set_waiting(true);
        self.wait = Some(Wait {
            taken: shared.taken(),
            shared,
            progress: now,
            looked: now,
        });
    }

    pub(super) fn is_waiting(&self) -> bool {
        self.wait.is_some()
    }

    /// Waits until there is room, or until it is time to read on in spite of that. Ready at once
    /// when there is nothing to wait for.
    pub(super) fn poll(&mut self, dispatcher: &Dispatcher, cx: &mut Context<'_>) -> Poll<()> {
        let Some(wait) = &mut self.wait else {
            return Poll::Ready(());
        };
        let now = clock::now();
        let taken = wait.shared.taken();
        if taken != wait.taken {
            (wait.taken, wait.progress) = (taken, now);
        }
        if dispatcher.has_idle_handler() {
            self.used += now - wait.looked;
        }
        wait.looked = now;
        let is_stuck = now - wait.progress >= STUCK;
        if is_stuck {
            wait.shared.stop_waiting();
        }
        if is_stuck || self.used >= self.limit || wait.shared.poll_room(cx.waker()) {
            self.wait = None;
            dispatcher.set_waiting(false);
            return Poll::Ready(());
        }
        self.timer.as_mut().reset(now + LOOK);
        // Registers the waker; the deadline lies ahead.
        match self.timer.as_mut().poll(cx) {
            Poll::Ready(()) => cx.waker().wake_by_ref(),
            Poll::Pending => {}
        }
        Poll::Pending
    }
}
