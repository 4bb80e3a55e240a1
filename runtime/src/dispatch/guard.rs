//! The dispatcher, locked to accept pushes.

use std::sync::Arc;

use super::route::{IfFull, Message, Origin};
use super::{DispatchState, Dispatcher};
use crate::broadcast::Shared;
use crate::push::{Generation, Incoming};
#[cfg(feature = "testing")]
use crate::subscription::KitFence;
use crate::subscription::PingFence;
use crate::util::MutexGuard;

impl Dispatcher {
    /// Accepts one push of a generation. Waiting readers are woken soon, together with those of the
    /// pushes right after it.
    pub(crate) fn accept(&self, generation: Generation, push: &Incoming<'_>) {
        let (state, has_changed) = self.with_guard(generation, |guard| guard.push(push));
        self.wake_soon(state);
        if has_changed {
            self.notify_changed();
        }
    }

    /// Accepts any number of pushes of a generation, under one lock. Waiting readers are woken when
    /// all pushes are appended.
    pub(crate) fn dispatch(
        &self,
        generation: Generation,
        run: impl FnOnce(&mut DispatchGuard<'_>),
    ) {
        let (state, has_changed) = self.with_guard(generation, |guard| {
            guard.state.intake.gather();
            run(guard);
        });
        self.wake(state);
        if has_changed {
            self.notify_changed();
        }
    }

    /// Runs a closure on the locked dispatcher. Returns the lock, and whether the session should be notified.
    fn with_guard(
        &self,
        generation: Generation,
        run: impl FnOnce(&mut DispatchGuard<'_>),
    ) -> (MutexGuard<'_, DispatchState>, bool) {
        let mut state = self.lock();
        let id = generation.node();
        let node = &state.routes.nodes[id];
        let mut guard = DispatchGuard {
            is_current: node.open && node.generation == generation,
            from: Origin {
                node: id,
                term: node.term,
            },
            accepted: 0,
            state: &mut state,
            has_changed: false,
        };
        run(&mut guard);
        let (has_changed, accepted) = (guard.has_changed, guard.accepted);
        drop(guard);
        state.routes.nodes[id].pushes += accepted;
        if has_changed {
            self.publish_open(&state, id);
        }
        (state, has_changed)
    }
}

/// With this many messages for each channel in an intake, what an intake costs does not count much any more.
const MESSAGES_OF_A_CHANNEL: u64 = 8;

/// The dispatcher, locked to accept pushes.
pub(crate) struct DispatchGuard<'d> {
    state: &'d mut DispatchState,
    from: Origin,
    /// How many pushes it has accepted.
    accepted: u64,
    is_current: bool,
    has_changed: bool,
}

/// Ends the intake, also if something panics in it.
impl Drop for DispatchGuard<'_> {
    fn drop(&mut self) {
        self.state.end_intake();
    }
}

impl DispatchGuard<'_> {
    /// Notes that more has arrived after the intake has begun.
    pub(crate) fn has_read_more(&mut self) {
        self.state.intake.has_read_more();
    }

    /// Returns how many broadcast channels have received something in this intake.
    pub(crate) fn channels(&self) -> usize {
        self.state.intake.channels()
    }

    /// Returns whether more messages would make those that are gathered cost less.
    pub(crate) fn is_worth_more(&self) -> bool {
        self.accepted < MESSAGES_OF_A_CHANNEL * self.channels() as u64
    }

    /// Accepts one push, unless it is a message for which a buffer would have to drop another
    /// although its readers make progress. Then it returns that buffer instead.
    #[inline]
    pub(crate) fn push_or_wait(&mut self, push: &Incoming<'_>) -> Result<(), Arc<Shared>> {
        self.accept(push, IfFull::Wait)
    }

    /// Accepts one push.
    #[inline]
    pub(crate) fn push(&mut self, push: &Incoming<'_>) {
        let accepted = self.accept(push, IfFull::Drop);
        debug_assert!(accepted.is_ok(), "only `IfFull::Wait` keeps a push back");
    }

    fn accept(&mut self, push: &Incoming<'_>, if_full: IfFull) -> Result<(), Arc<Shared>> {
        let from = self.from;
        let node = from.node;
        let state = &mut *self.state;
        if !self.is_current {
            state.counts.stale += 1;
            return Ok(());
        }
        if !matches!(push, Incoming::Message { .. }) {
            state.hand_over();
        }
        if let Incoming::Unsubscribed { kind, name, left } = *push
            && let Some(fence) = PingFence::of(name)
            && state.has_sent(node, fence, kind)
        {
            if state.pass_fence(node, fence, kind, left) {
                return Ok(());
            }
            // The subscriptions have ended without a push about it, so the connection is as good as
            // lost, and the gap begins at the last fence.
            return self.accept(&Incoming::Disconnected, if_full);
        }
        #[cfg(feature = "testing")]
        if let Incoming::Unsubscribed { name, .. } = *push
            && let Some(KitFence(number)) = KitFence::of(name)
        {
            state.routes.nodes[node].kit_fence = number;
            self.has_changed = true;
            return Ok(());
        }
        match *push {
            Incoming::Message {
                kind,
                name,
                channel,
                payload,
            } => {
                let message = Message {
                    kind,
                    name,
                    channel,
                    payload,
                };
                state.deliver(from, message, if_full)?;
            }
            Incoming::Subscribed { kind, name } => {
                state.confirm(node, kind, name);
                self.has_changed = true;
            }
            Incoming::Unsubscribed { kind, name, .. } => {
                state.unsubscribed(node, kind, name);
                self.has_changed = true;
            }
            Incoming::Disconnected => {
                state.routes.nodes[node].open = false;
                self.is_current = false;
                self.has_changed = true;
            }
            Incoming::Invalidated(ref keys) => state.invalidate(from, keys.as_deref()),
            Incoming::Unknown { .. } => state.counts.unknown += 1,
            Incoming::Malformed { kind } => {
                state.counts.malformed += 1;
                // It may have been about any key.
                if kind == "invalidate" {
                    state.invalidate(from, None);
                }
            }
        }
        self.accepted += 1;
        state.copy_to_raw(push);
        Ok(())
    }
}
