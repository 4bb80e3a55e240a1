use std::sync::Arc;

use super::table::SubscriptionState;
use super::{DispatchState, Dispatcher};
use crate::broadcast::{Appended, GapStart, Shared};
use crate::gap::{GapCause, Missed};
use crate::push::Incoming;
use crate::subscription::{Kind, TrackingFence};
use crate::util::{MutexGuard, clock};

impl Dispatcher {
    /// Takes one push of a generation. Those who wait for it are woken soon, with those who wait
    /// for the pushes right behind it.
    pub(crate) fn accept(&self, generation: u64, push: &Incoming<'_>) {
        let (state, has_changed) = self.take(generation, |guard| guard.push(push));
        self.wake_soon(state);
        if has_changed {
            self.notify_changed();
        }
    }

    /// Takes any number of pushes of a generation, under one lock. Those who wait for them are
    /// woken when all are in.
    pub(crate) fn dispatch(&self, generation: u64, run: impl FnOnce(&mut DispatchGuard<'_>)) {
        let (state, has_changed) = self.take(generation, run);
        self.wake(state);
        if has_changed {
            self.notify_changed();
        }
    }

    fn take(
        &self,
        generation: u64,
        run: impl FnOnce(&mut DispatchGuard<'_>),
    ) -> (MutexGuard<'_, DispatchState>, bool) {
        let mut state = self.lock();
        let mut guard = DispatchGuard {
            is_current: state.open && state.generation == generation,
            state: &mut state,
            has_changed: false,
        };
        run(&mut guard);
        let has_changed = guard.has_changed;
        (state, has_changed)
    }
}

/// The feed, locked to take pushes.
pub(crate) struct DispatchGuard<'f> {
    state: &'f mut DispatchState,
    is_current: bool,
    has_changed: bool,
}

impl DispatchGuard<'_> {
    /// Takes one push, unless it is a message that would make a ring drop another although its
    /// readers are at work: then it answers with that ring.
    pub(crate) fn push_or_wait(&mut self, push: &Incoming<'_>) -> Result<(), Arc<Shared>> {
        match *push {
            Incoming::Message {
                kind,
                name,
                channel,
                payload,
            } if self.is_current => {
                self.state.deliver(kind, name, channel, payload, true)?;
                self.state.counts.pushes += 1;
                self.state.copy_to_raw(push);
            }
            _ => self.push(push),
        }
        Ok(())
    }

    /// Takes one push.
    pub(crate) fn push(&mut self, push: &Incoming<'_>) {
        let state = &mut *self.state;
        if !self.is_current {
            state.counts.stale += 1;
            return;
        }
        state.counts.pushes += 1;
        state.copy_to_raw(push);
        match *push {
            Incoming::Message {
                kind,
                name,
                channel,
                payload,
            } => {
                let taken = state.deliver(kind, name, channel, payload, false);
                debug_assert!(taken.is_ok(), "nothing is kept back unless it is asked for");
            }
            Incoming::Subscribed { kind, name } => {
                state.confirm(kind, name);
                self.has_changed = true;
            }
            Incoming::Unsubscribed { kind, name } => {
                state.unsubscribed(kind, name);
                self.has_changed = true;
            }
            Incoming::Disconnected => {
                state.open = false;
                self.is_current = false;
                self.has_changed = true;
            }
            Incoming::Invalidated(ref keys) => state.invalidate(keys.as_deref()),
            Incoming::Unknown { .. } => state.counts.unknown += 1,
            Incoming::Malformed { kind } => {
                state.counts.malformed += 1;
                // Nobody knows which keys it was about.
                if kind == "invalidate" {
                    state.invalidate(None);
                }
            }
        }
    }
}

impl DispatchState {
    /// Appends a message to the rings of those who asked for it. With `may_wait` it appends to
    /// none of them, and answers with the one to wait for, where that should be waited for.
    fn deliver(
        &mut self,
        kind: Kind,
        name: &[u8],
        channel: &[u8],
        payload: &[u8],
        may_wait: bool,
    ) -> Result<(), Arc<Shared>> {
        let Some(route) = self.routes.get(kind, name) else {
            self.counts.unrouted += 1;
            return Ok(());
        };
        if payload.len() > self.max_payload {
            self.leave_out(kind, name);
            return Ok(());
        }
        // An exact subscription has the channel's name already.
        let channel = match kind {
            Kind::Pattern | Kind::Invalidation => channel,
            Kind::Channel | Kind::Shard | Kind::Connection => &[],
        };
        let wakers = &mut self.wakeups.wakers;
        let mut note = |appended: Appended| {
            if let Some(now) = appended.opened {
                self.last_heard = now;
            }
            self.wakeups.is_urgent |= appended.is_filling;
        };
        match &route.broadcasts[..] {
            [(shared, index)] if may_wait => {
                match shared.append_or_wait(*index, channel, payload, wakers) {
                    Some(appended) => note(appended),
                    None => return Err(Arc::clone(shared)),
                }
            }
            broadcasts => {
                let bytes = channel.len() + payload.len();
                let full =
                    |(shared, _): &&(Arc<Shared>, u32)| may_wait && shared.should_wait_for(bytes);
                if let Some((shared, _)) = broadcasts.iter().find(full) {
                    return Err(Arc::clone(shared));
                }
                for (shared, index) in broadcasts {
                    note(shared.append(*index, channel, payload, wakers));
                }
            }
        }
        let bytes = channel.len() + payload.len();
        if self.memory.is_due(bytes, route.broadcasts.len()) {
            self.memory.shed(self.routes.broadcasts());
        }
        Ok(())
    }

    /// Tells those who asked for a message that it is too large and was left out.
    fn leave_out(&mut self, kind: Kind, name: &[u8]) {
        self.counts.oversized += 1;
        let Some(route) = self.routes.get(kind, name) else {
            return;
        };
        let now = clock::wall();
        let before = GapStart {
            cause: GapCause::Oversized,
            missed: Missed::Exactly(1),
            since: now,
        };
        for (shared, _) in &route.broadcasts {
            shared.interrupt(before, &mut self.wakeups.wakers);
        }
    }

    fn confirm(&mut self, kind: Kind, name: &[u8]) {
        self.last_heard = clock::wall();
        let Some(route) = self.routes.get_mut(kind, name) else {
            return;
        };
        route.state = SubscriptionState::Confirmed;
        self.live = true;
        for (shared, index) in &route.broadcasts {
            let index = *index as usize;
            shared.confirm(
                index,
                self.generation,
                self.before,
                &mut self.wakeups.wakers,
            );
        }
    }

    fn unsubscribed(&mut self, kind: Kind, name: &[u8]) {
        self.last_heard = clock::wall();
        match TrackingFence::of(name) {
            Some((TrackingFence::On, prefix)) if kind == Kind::Channel => {
                self.confirm(Kind::Invalidation, prefix);
            }
            Some((TrackingFence::Off, prefix)) if kind == Kind::Channel => {
                self.turn_off((Kind::Invalidation, prefix), SubscriptionState::Ended);
            }
            _ => self.turn_off((kind, name), SubscriptionState::Ended),
        }
    }

    /// Tells who asked for a prefix of these keys; no keys stand for all, and so does the one key that
    /// the first releases of Redis 6.0 send for a flush (redis/redis#7463).
    fn invalidate(&mut self, keys: Option<&[&[u8]]>) {
        let keys = keys.filter(|keys| *keys != [b"\0"]);
        let Some(keys) = keys else {
            let prefixes: Vec<Box<[u8]>> = self.routes.prefixes().map(Into::into).collect();
            let heard = prefixes.iter().filter(|prefix| self.forget(prefix, &[]));
            if heard.count() == 0 {
                self.counts.unrouted += 1;
            }
            return;
        };
        for key in keys {
            let mut is_heard = false;
            for at in 0..self.routes.prefix_lengths().len() {
                if let Some(prefix) = key.get(..self.routes.prefix_lengths()[at]) {
                    is_heard |= self.forget(prefix, key);
                }
            }
            if !is_heard {
                self.counts.unrouted += 1;
            }
        }
    }

    /// Tells who asked for exactly this prefix, and answers whether anybody is to hear of it.
    fn forget(&mut self, prefix: &[u8], key: &[u8]) -> bool {
        let kind = Kind::Invalidation;
        match self.routes.get(kind, prefix).map(|route| &route.state) {
            // Also before it is confirmed: a connection that goes on behind a lag is asked again,
            // and tracks all the while. On a new one it is told ahead of the gap, and forgets no
            // more than that does.
            Some(
                SubscriptionState::Confirmed
                | SubscriptionState::Pending
                | SubscriptionState::Ended,
            ) => {
                let taken = self.deliver(kind, prefix, key, &[], false);
                debug_assert!(taken.is_ok(), "nothing is kept back unless it is asked for");
                true
            }
            Some(SubscriptionState::Denied(_)) | None => false,
        }
    }

    pub(super) fn turn_off(&mut self, (kind, name): (Kind, &[u8]), state: SubscriptionState) {
        let Some(route) = self.routes.get_mut(kind, name) else {
            return;
        };
        // Nothing has come by a name that was not live since the connection before this one.
        let since = match route.state {
            SubscriptionState::Confirmed => self.last_heard,
            _ => self.before.since,
        };
        route.state = state;
        for (shared, index) in &route.broadcasts {
            let index = *index as usize;
            shared.turn_off(
                index,
                self.generation,
                self.before,
                since,
                &mut self.wakeups.wakers,
            );
        }
    }

    fn copy_to_raw(&mut self, push: &Incoming<'_>) {
        self.pushes
            .take_if(|pushes| pushes.send(push.to_raw()).is_err());
    }
}
