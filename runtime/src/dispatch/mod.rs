//! Between the link and the rings.

mod memory_limit;
mod route;
mod table;
mod wakeups;

pub(crate) use table::{
    Routes, Standing, is_confirmed, is_refused_or_confirmed, needs_subscribing,
};

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::Waker;
use std::time::SystemTime;

use tokio::sync::{Notify, broadcast, watch};

use crate::broadcast::Break;
use crate::config::Settings;
use crate::gap::{GapCause, Missed};
use crate::push::{ConnectionEvent, RawPush};
use crate::subscription::Subscription;
use crate::telemetry::FeedStats;

use crate::util::{Mutex, MutexGuard};
use memory_limit::Memory;

/// Takes every push of the link and appends it to the rings of those who asked for it.
///
/// Waits for no handler and runs no foreign code: it copies into rings, and wakes.
#[derive(Debug)]
pub(crate) struct Feed {
    state: Mutex<State>,
    /// Counts what the supervisor should look at: confirmations, denials, ends.
    news: watch::Sender<u64>,
    is_waiting: AtomicBool,
    to_wake: Notify,
}

#[derive(Debug)]
struct State {
    routes: Routes,
    generation: u64,
    /// Whether the generation is alive: what comes from any other is discarded.
    open: bool,
    /// Whether it is all over: then no generation opens any more.
    closed: bool,
    /// Whether a name has been confirmed in this generation.
    live: bool,
    /// What lies between the previous generation and this one.
    before: Break,
    last_heard: SystemTime,
    /// When somebody was last to be woken.
    last_waking: SystemTime,
    counts: FeedStats,
    memory: Memory,
    max_payload: usize,
    pushes: Option<broadcast::Sender<RawPush>>,
    /// Kept from push to push so that waking costs no allocation.
    wakers: Vec<Waker>,
    /// How many pushes have come since somebody is to be woken.
    unwoken: u32,
    /// Whether a ring fills up: then nobody is woken later.
    is_urgent: bool,
    /// Whether there is a task that wakes after a moment.
    wakes_later: bool,
}

/// How many raw pushes a receiver of [`Feed::pushes`] may be behind.
const RAW_PUSHES: usize = 4096;

impl Feed {
    pub(crate) fn new(routes: Routes, settings: &Settings) -> Self {
        let now = SystemTime::now();
        let before = Break {
            cause: GapCause::Initial,
            missed: Missed::Exactly(0),
            since: now,
        };
        // These are told by us, from the beginning to the end and whatever the server does.
        for ring in routes.connection() {
            ring.confirm(0, 0, before, &mut Vec::new());
        }
        Self {
            state: Mutex::new(State {
                routes,
                generation: 0,
                open: false,
                closed: false,
                live: false,
                before,
                last_heard: now,
                last_waking: now,
                counts: FeedStats::default(),
                memory: Memory::new(settings.memory_limit),
                max_payload: settings.max_payload,
                pushes: None,
                wakers: Vec::new(),
                unwoken: 0,
                is_urgent: false,
                wakes_later: false,
            }),
            news: watch::Sender::new(0),
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
        state.routes.forget_standing();
    }

    /// Ends the generation, whatever it still may push. What lies between the last push heard and
    /// the next confirmation will be told as a gap.
    pub(crate) fn end(&self, missed: Missed) {
        let mut state = self.lock();
        state.open = false;
        state.routes.forget_standing();
        // An attempt that subscribed nothing adds nothing to the break before it.
        if std::mem::take(&mut state.live) {
            state.before = Break {
                cause: GapCause::ConnectionLost,
                missed,
                since: state.last_heard,
            };
            state.counts.reconnects += 1;
        }
        drop(state);
        self.tell_news();
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
        state.routes.forget_standing();
        if let Missed::AtMost(missed) = missed {
            state.counts.overflowed += missed;
        }
        let before = Break {
            cause: GapCause::Lagged,
            missed,
            since: state.last_heard,
        };
        state.last_heard = SystemTime::now();
        let State { routes, wakers, .. } = &mut *state;
        for ring in routes.rings() {
            ring.interrupt(before, wakers);
        }
        self.wake(state);
        self.tell_news();
    }

    /// Notes that the server has refused a subscription, and answers whether that is news.
    pub(crate) fn deny(&self, subscription: &Subscription, reason: &Arc<str>) -> bool {
        let mut state = self.lock();
        let denied = Standing::Denied(Arc::clone(reason));
        let (kind, name) = subscription.key();
        let is_news = state
            .routes
            .get(kind, name)
            .is_some_and(|route| route.standing != denied);
        state.turn_off((kind, name), denied);
        self.wake(state);
        self.tell_news();
        is_news
    }

    /// Notes that a subscription has ended without a push that says so.
    pub(crate) fn ended(&self, subscription: &Subscription) {
        let mut state = self.lock();
        state.turn_off(subscription.key(), Standing::Ended);
        self.wake(state);
        self.tell_news();
    }

    /// Tells who listens to the connection what has become of it.
    pub(crate) fn tell_connection(&self, event: ConnectionEvent<'_>) {
        let payload = event.to_payload();
        let mut state = self.lock();
        let State {
            routes,
            wakers,
            live,
            ..
        } = &mut *state;
        // Who asks for nothing else has all there is to lose.
        *live |= event == ConnectionEvent::Connected && routes.is_empty();
        for ring in routes.connection() {
            ring.append(0, &[], payload.as_bytes(), wakers);
        }
        self.wake(state);
    }

    /// Lets a name that the server no longer refuses be waited for.
    pub(crate) fn accepted(&self, subscription: &Subscription) {
        let mut state = self.lock();
        let (kind, name) = subscription.key();
        if let Some(route) = state.routes.get_mut(kind, name)
            && matches!(route.standing, Standing::Denied(_))
        {
            route.standing = Standing::Wanted;
        }
    }

    /// Notes that a connection has ended, if it has not been noted already.
    pub(crate) fn disconnected(&self, generation: u64) {
        let mut state = self.lock();
        if state.generation == generation && std::mem::take(&mut state.open) {
            drop(state);
            self.tell_news();
        }
    }

    /// Notes that the connection has answered something.
    pub(crate) fn heard(&self) {
        self.lock().last_heard = SystemTime::now();
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
        let State { routes, wakers, .. } = &mut *state;
        for ring in routes.rings().iter().chain(routes.connection()) {
            ring.close(wakers);
        }
        self.wake(state);
    }

    /// The subscriptions and where they stand on this connection.
    pub(crate) fn standings(&self) -> Vec<(Subscription, Standing)> {
        self.lock().routes.standings()
    }

    /// The subscriptions that `wanted` picks by where they stand.
    pub(crate) fn subscriptions(&self, wanted: impl Fn(&Standing) -> bool) -> Vec<Subscription> {
        self.lock().routes.subscriptions(wanted)
    }

    /// Whether every subscription stands as `wanted` says.
    pub(crate) fn all_stand(&self, wanted: impl Fn(&Standing) -> bool) -> bool {
        self.lock().routes.all_stand(wanted)
    }

    /// Whether some subscription stands as `wanted` says.
    pub(crate) fn any_stands(&self, wanted: impl Fn(&Standing) -> bool) -> bool {
        !self.all_stand(|standing| !wanted(standing))
    }

    /// Whether some handler has nothing to do.
    pub(crate) fn has_idle_handler(&self) -> bool {
        self.lock().routes.rings().iter().any(|ring| ring.is_idle())
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
    pub(crate) fn news(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
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

    fn tell_news(&self) {
        self.news
            .send_modify(|count| *count = count.wrapping_add(1));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

#[cfg(all(test, shuttle))]
mod tests;
