//! Who waits for the server's answer to a name.

use std::collections::BTreeMap;
use std::task::{Context, Waker};

use crate::util::Key;

/// The wakers of those that wait for handlers to be mounted.
///
/// Each waits for the answers to its own names: with thousands of mounts under way, an answer wakes those
/// that it is for. They are few and wait once, so their wakers are not kept with the names.
#[derive(Debug, Default)]
pub(super) struct Answers {
    /// By the route of the name, and the broadcast channel of the handler.
    waiting: BTreeMap<(Key, Key), Waker>,
}

impl Answers {
    /// Lets a channel wait for the answer to a name. Returns the waker that it had waited with, which the
    /// caller drops without the lock.
    #[must_use]
    pub(super) fn wait(&mut self, route: Key, channel: Key, cx: &Context<'_>) -> Option<Waker> {
        let waker = self.waiting.get(&(route, channel));
        if waker.is_some_and(|waker| waker.will_wake(cx.waker())) {
            return None;
        }
        let waker = cx.waker().clone();
        self.waiting.insert((route, channel), waker)
    }

    /// Lets a channel wait no more. Returns its waker, which the caller drops without the lock.
    #[must_use]
    pub(super) fn stop_waiting(&mut self, route: Key, channel: Key) -> Option<Waker> {
        self.waiting.remove(&(route, channel))
    }

    /// Collects the wakers of those that wait for the answer to a name.
    pub(super) fn answer(&mut self, route: Key, wakers: &mut Vec<Waker>) {
        while let Some((&key, _)) = self.waiting.range((route, 0)..=(route, Key::MAX)).next() {
            wakers.extend(self.waiting.remove(&key));
        }
    }

    /// Collects all wakers: there will be no more answers.
    pub(super) fn end(&mut self, wakers: &mut Vec<Waker>) {
        wakers.extend(std::mem::take(&mut self.waiting).into_values());
    }
}
