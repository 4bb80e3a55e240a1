//! When the link stops reading because a broadcast channel is full, and for how long.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep};

use crate::broadcast::Shared;
use crate::dispatch::Dispatcher;
use crate::push::NodeId;
use crate::util::clock;

/// The link's wait for room in full broadcast channels.
///
/// Messages that are not read wait in the socket and in the server instead of being dropped. While
/// every handler has messages to work on, a wait delays none of them, and lasts for as long as the slow
/// handler makes progress. While another handler is idle, a wait adds to that handler's latency, so it
/// may only take a small part of each second.
pub(super) struct Backpressure {
    /// The node of the link.
    node: NodeId,
    /// How much of each second the link may wait while another handler is idle.
    limit: Duration,
    /// When the current second began.
    second: Instant,
    /// How much of `limit` is used up in the current second.
    used: Duration,
    wait: Option<Wait>,
    timer: Pin<Box<Sleep>>,
}

/// A wait for one broadcast channel.
struct Wait {
    shared: Arc<Shared>,
    /// How many batches the readers had received at the last check.
    taken: u64,
    /// When the readers were last seen to receive a batch.
    progress: Instant,
    checked: Instant,
    /// Whether the time was counted from a late check. Only one in a row may be late.
    is_granted: bool,
}

/// The link stops waiting for a channel whose readers have not received a batch for this long.
const STUCK: Duration = Duration::from_millis(50);

/// How often a wait is checked, in addition to when the channel has room.
const CHECK_INTERVAL: Duration = Duration::from_millis(2);

const SECOND: Duration = Duration::from_secs(1);

impl Backpressure {
    pub(super) fn new(node: NodeId, limit: Duration) -> Self {
        Self {
            node,
            limit,
            second: clock::now(),
            used: Duration::ZERO,
            wait: None,
            timer: Box::pin(sleep(Duration::ZERO)),
        }
    }

    /// Whether the link may wait for a full channel now.
    pub(super) fn may_wait(&mut self, now: Instant) -> bool {
        if now - self.second >= SECOND {
            (self.second, self.used) = (now, Duration::ZERO);
        }
        self.used < self.limit
    }

    /// Begins to wait for a channel.
    pub(super) fn begin(&mut self, shared: Arc<Shared>, dispatcher: &Dispatcher, now: Instant) {
        dispatcher.set_waiting(self.node, true);
        self.wait = Some(Wait {
            taken: shared.taken(),
            shared,
            progress: now,
            checked: now,
            is_granted: false,
        });
    }

    pub(super) fn is_waiting(&self) -> bool {
        self.wait.is_some()
    }

    /// Waits until the channel has room, or the link must read on without it. Ready at once if there
    /// is no wait.
    pub(super) fn poll(&mut self, dispatcher: &Dispatcher, cx: &mut Context<'_>) -> Poll<()> {
        let Some(wait) = &mut self.wait else {
            return Poll::Ready(());
        };
        let now = clock::now();
        let taken = wait.shared.taken();
        // If this process stood still, the readers did so too. Once in a row: a handler that blocks
        // its thread makes every check late.
        let stood_still = now - wait.checked >= STUCK && !wait.is_granted;
        if taken != wait.taken || stood_still {
            (wait.taken, wait.progress) = (taken, now);
            wait.is_granted = stood_still;
        }
        if dispatcher.has_idle_handler() {
            self.used += now - wait.checked;
        }
        wait.checked = now;
        let is_stuck = now - wait.progress >= STUCK;
        if is_stuck {
            wait.shared.stop_waiting();
        }
        if is_stuck || self.used >= self.limit || wait.shared.poll_room(cx.waker()) {
            self.wait = None;
            dispatcher.set_waiting(self.node, false);
            return Poll::Ready(());
        }
        self.timer.as_mut().reset(now + CHECK_INTERVAL);
        // Registers the waker. The deadline is in the future.
        match self.timer.as_mut().poll(cx) {
            Poll::Ready(()) => cx.waker().wake_by_ref(),
            Poll::Pending => {}
        }
        Poll::Pending
    }
}
