//! Between the link and the rings.

mod memory_limit;
mod route;
mod table;
mod wakeups;

pub(crate) use table::{RoutingTable, SubscriptionState};

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::SystemTime;

use tokio::sync::{Notify, broadcast, watch};

use crate::broadcast::GapStart;
use crate::config::Settings;
use crate::gap::{GapCause, Missed};
use crate::push::{ConnectionEvent, RawPush};
use crate::subscription::Subscription;
use crate::telemetry::FeedStats;

use crate::util::{Mutex, MutexGuard, clock};
use memory_limit::Memory;
use wakeups::Wakeups;

/// Takes every push of the link and appends it to the rings of those who asked for it.
///
/// Waits for no handler and runs no foreign code: it copies into rings, and wakes.
#[derive(Debug)]
pub(crate) struct Dispatcher {
    state: Mutex<DispatchState>,
    /// Changed by what the session should look at: confirmations, denials, ends.
    changed: watch::Sender<()>,
    is_waiting: AtomicBool,
    to_wake: Notify,
}

#[derive(Debug)]
struct DispatchState {
    routes: RoutingTable,
    generation: u64,
    /// Whether the generation is alive: what comes from any other is discarded.
    open: bool,
    /// Whether it is all over: then no generation opens any more.
    closed: bool,
    /// Whether a name has been confirmed in this generation.
    live: bool,
    /// What lies between the previous generation and this one.
    before: GapStart,
    last_heard: SystemTime,
    counts: FeedStats,
    memory: Memory,
    max_payload: usize,
    pushes: Option<broadcast::Sender<RawPush>>,
    wakeups: Wakeups,
}

/// How many raw pushes a receiver of [`Dispatcher::pushes`] may be behind.
const RAW_PUSHES: usize = 4096;

impl Dispatcher {
    pub(crate) fn new(routes: RoutingTable, settings: &Settings) -> Self {
        let now = clock::wall();
        let before = GapStart {
            cause: GapCause::Initial,
            missed: Missed::Exactly(0),
            since: now,
        };
        // These are told by us, from the beginning to the end and whatever the server does.
        for shared in routes.connection() {
            shared.confirm(0, 0, before, &mut Vec::new());
        }
        Self {
            state: Mutex::new(DispatchState {
                routes,
                generation: 0,
                open: false,
                closed: false,
                live: false,
                before,
                last_heard: now,
                counts: FeedStats::default(),
                memory: Memory::new(settings.memory_limit),
                max_payload: settings.max_payload,
                pushes: None,
                wakeups: Wakeups::new(now),
            }),
            changed: watch::Sender::new(()),
            is_waiting: AtomicBool::new(false),
            to_wake: Notify::new(),
        }
    }

    /// Opens a generation: its pushes are taken from now on, and nobody else's.
    pub(crate) fn open(&self, generation: u64) {
        let mut state = self.lock();
        state.generation = generation;
        state.open = !state.closed;
        state.live = false;
        state.routes.reset_states();
    }

    /// Ends the generation, whatever it still may push. What lies between the last push heard and
    /// the next confirmation will be told as a gap.
    pub(crate) fn end(&self, missed: Missed) {
        let mut state = self.lock();
        state.open = false;
        state.routes.reset_states();
        // An attempt that subscribed nothing adds nothing to the break before it.
        if std::mem::take(&mut state.live) {
            state.before = GapStart {
                cause: GapCause::ConnectionLost,
                missed,
                since: state.last_heard,
            };
            state.counts.reconnects += 1;
        }
        drop(state);
        self.notify_changed();
    }

    /// Whether the generation is alive as far as the feed has seen.
    pub(crate) fn is_open(&self) -> bool {
        self.lock().open
    }

    /// Tells every handler that messages were lost before the feed, and lets every name be
    /// subscribed again: confirmations may have been lost as well.
    pub(crate) fn interrupt(&self, missed: Missed) {
        let mut state = self.lock();
        if !state.open {
            return;
        }
        state.routes.reset_states();
        if let Missed::AtMost(missed) = missed {
            state.counts.overflowed += missed;
        }
        let before = GapStart {
            cause: GapCause::Lagged,
            missed,
            since: state.last_heard,
        };
        state.last_heard = clock::wall();
        let DispatchState {
            routes, wakeups, ..
        } = &mut *state;
        for shared in routes.broadcasts() {
            shared.interrupt(before, &mut wakeups.wakers);
        }
        self.wake(state);
        self.notify_changed();
    }

    /// Notes that the server has refused a subscription, and answers whether that is news.
    pub(crate) fn deny(&self, subscription: &Subscription, reason: &Arc<str>) -> bool {
        let mut state = self.lock();
        let denied = SubscriptionState::Denied(Arc::clone(reason));
        let (kind, name) = subscription.key();
        let is_news = state
            .routes
            .get(kind, name)
            .is_some_and(|route| route.state != denied);
        state.turn_off((kind, name), denied);
        self.wake(state);
        self.notify_changed();
        is_news
    }

    /// Notes that a subscription has ended without a push that says so.
    pub(crate) fn ended(&self, subscription: &Subscription) {
        let mut state = self.lock();
        state.turn_off(subscription.key(), SubscriptionState::Ended);
        self.wake(state);
        self.notify_changed();
    }

    /// Tells who listens to the connection what has become of it.
    pub(crate) fn publish_connection_event(&self, event: ConnectionEvent<'_>) {
        let payload = event.to_payload();
        let mut state = self.lock();
        let DispatchState {
            routes,
            wakeups,
            live,
            ..
        } = &mut *state;
        // Who asks for nothing else has all there is to lose.
        *live |= event == ConnectionEvent::Connected && routes.is_empty();
        for shared in routes.connection() {
            shared.append(0, &[], payload.as_bytes(), &mut wakeups.wakers);
        }
        self.wake(state);
    }

    /// Lets a name that the server no longer refuses be waited for.
    pub(crate) fn accepted(&self, subscription: &Subscription) {
        let mut state = self.lock();
        let (kind, name) = subscription.key();
        if let Some(route) = state.routes.get_mut(kind, name)
            && matches!(route.state, SubscriptionState::Denied(_))
        {
            route.state = SubscriptionState::Pending;
        }
    }

    /// Notes that a connection has ended, if it has not been noted already.
    pub(crate) fn disconnected(&self, generation: u64) {
        let mut state = self.lock();
        if state.generation == generation && std::mem::take(&mut state.open) {
            drop(state);
            self.notify_changed();
        }
    }

    /// Notes that the connection has answered something.
    pub(crate) fn heard(&self) {
        self.lock().last_heard = clock::wall();
    }

    /// How many pushes have been taken: a sign of life.
    pub(crate) fn pushes_taken(&self) -> u64 {
        self.lock().counts.pushes
    }

    /// Ends all rings: handlers get what is there, and then the end.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.open = false;
        state.closed = true;
        state.pushes = None;
        let DispatchState {
            routes, wakeups, ..
        } = &mut *state;
        for shared in routes.broadcasts().iter().chain(routes.connection()) {
            shared.close(&mut wakeups.wakers);
        }
        self.wake(state);
    }

    /// The subscriptions and where they stand on this connection.
    pub(crate) fn subscription_states(&self) -> Vec<(Subscription, SubscriptionState)> {
        self.lock().routes.subscription_states()
    }

    /// The subscriptions that `wanted` picks by where they stand.
    pub(crate) fn subscriptions(
        &self,
        wanted: impl Fn(&SubscriptionState) -> bool,
    ) -> Vec<Subscription> {
        self.lock().routes.subscriptions(wanted)
    }

    /// Whether every subscription stands as `wanted` says.
    pub(crate) fn all_are(&self, wanted: impl Fn(&SubscriptionState) -> bool) -> bool {
        self.lock().routes.all_are(wanted)
    }

    /// Whether some subscription stands as `wanted` says.
    pub(crate) fn any_is(&self, wanted: impl Fn(&SubscriptionState) -> bool) -> bool {
        !self.all_are(|state| !wanted(state))
    }

    /// Whether some handler has nothing to do.
    pub(crate) fn has_idle_handler(&self) -> bool {
        self.lock()
            .routes
            .broadcasts()
            .iter()
            .any(|shared| shared.is_idle())
    }

    /// Says whether the link keeps what it could read back for a full ring.
    pub(crate) fn set_waiting(&self, waiting: bool) {
        self.is_waiting.store(waiting, Relaxed);
    }

    /// Whether the link is waiting for a full ring: its silence is then no sign of anything.
    pub(crate) fn is_waiting(&self) -> bool {
        self.is_waiting.load(Relaxed)
    }

    /// A receiver that sees a change whenever a subscription or the generation has changed.
    pub(crate) fn changed(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    pub(crate) fn stats(&self) -> FeedStats {
        self.lock().counts
    }

    /// A receiver of every push from now on.
    pub(crate) fn pushes(&self) -> broadcast::Receiver<RawPush> {
        let mut state = self.lock();
        if state.closed {
            return broadcast::Sender::new(1).subscribe();
        }
        state
            .pushes
            .get_or_insert_with(|| broadcast::Sender::new(RAW_PUSHES))
            .subscribe()
    }

    fn notify_changed(&self) {
        self.changed.send_replace(());
    }

    fn lock(&self) -> MutexGuard<'_, DispatchState> {
        self.state.lock()
    }
}

#[cfg(all(test, shuttle))]
mod tests;
