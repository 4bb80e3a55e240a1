use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::SystemTime;

use tokio::sync::{broadcast, watch};

use crate::gap::{GapCause, Missed};
use crate::raw::{Incoming, RawPush};
use crate::ring::{Break, Ring};
use crate::routes::{Routes, Standing};
use crate::stats::FeedStats;
use crate::subscription::{Kind, Subscription};

/// Takes every push of the link and appends it to the rings of those who asked for it.
///
/// Waits for no handler and runs no foreign code: it copies into rings, and wakes.
#[derive(Debug)]
pub(crate) struct Feed {
    state: Mutex<State>,
    /// Counts what the supervisor should look at: confirmations, denials, ends.
    news: watch::Sender<u64>,
    is_waiting: AtomicBool,
}

#[derive(Debug)]
struct State {
    routes: Routes,
    generation: u64,
    /// Whether the generation is alive: what comes from any other is discarded.
    open: bool,
    /// Whether a name has been confirmed in this generation.
    live: bool,
    /// What lies between the previous generation and this one.
    before: Break,
    last_heard: SystemTime,
    counts: FeedStats,
    pushes: Option<broadcast::Sender<RawPush>>,
    /// Kept from push to push so that waking costs no allocation.
    wakers: Vec<Waker>,
}

/// How many raw pushes a receiver of [`Feed::pushes`] may be behind.
const RAW_PUSHES: usize = 4096;

impl Feed {
    pub(crate) fn new(routes: Routes) -> Self {
        let now = SystemTime::now();
        Self {
            state: Mutex::new(State {
                routes,
                generation: 0,
                open: false,
                live: false,
                before: Break {
                    cause: GapCause::Initial,
                    missed: Missed::Exactly(0),
                    since: now,
                },
                last_heard: now,
                counts: FeedStats::default(),
                pushes: None,
                wakers: Vec::new(),
            }),
            news: watch::Sender::new(0),
            is_waiting: AtomicBool::new(false),
        }
    }

    /// Takes one push of a generation.
    pub(crate) fn accept(&self, generation: u64, push: &Incoming<'_>) {
        self.intake(generation, |intake| intake.push(push));
    }

    /// Takes any number of pushes of a generation, under one lock. Those who wait for them are
    /// woken when all are in.
    pub(crate) fn intake(&self, generation: u64, run: impl FnOnce(&mut Intake<'_>)) {
        let mut state = self.lock();
        let mut intake = Intake {
            is_current: state.open && state.generation == generation,
            state: &mut state,
            has_news: false,
        };
        run(&mut intake);
        let has_news = intake.has_news;
        self.wake(state);
        if has_news {
            self.tell_news();
        }
    }

    /// Opens a generation: its pushes are taken from now on, and nobody else's.
    pub(crate) fn open(&self, generation: u64) {
        let mut state = self.lock();
        state.generation = generation;
        state.open = true;
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

    /// Notes that the server has refused a subscription.
    pub(crate) fn deny(&self, subscription: &Subscription, reason: Arc<str>) {
        let mut state = self.lock();
        state.turn_off(subscription.key(), Standing::Denied(reason));
        self.wake(state);
        self.tell_news();
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
        state.pushes = None;
        let State { routes, wakers, .. } = &mut *state;
        for ring in routes.rings() {
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
        self.lock()
            .pushes
            .get_or_insert_with(|| broadcast::Sender::new(RAW_PUSHES))
            .subscribe()
    }

    fn tell_news(&self) {
        self.news
            .send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Unlocks, and wakes those who wait for what was appended: a waker may run code that comes
    /// back here.
    fn wake(&self, mut state: MutexGuard<'_, State>) {
        if state.wakers.is_empty() {
            return;
        }
        let mut wakers = std::mem::take(&mut state.wakers);
        drop(state);
        wakers.drain(..).for_each(Waker::wake);
        self.lock().wakers = wakers;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The feed, locked to take pushes.
pub(crate) struct Intake<'f> {
    state: &'f mut State,
    is_current: bool,
    has_news: bool,
}

impl Intake<'_> {
    /// The ring that this push would make drop a message although its readers are at work.
    pub(crate) fn full_ring(&self, push: &Incoming<'_>) -> Option<Arc<Ring>> {
        let Incoming::Message {
            kind,
            name,
            channel,
            payload,
        } = *push
        else {
            return None;
        };
        let rings = &self.state.routes.get(kind, name)?.rings;
        let bytes = channel.len() + payload.len();
        let full = rings.iter().find(|(ring, _)| ring.should_wait_for(bytes));
        full.map(|(ring, _)| Arc::clone(ring))
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
            } => state.deliver(kind, name, channel, payload),
            Incoming::Subscribed { kind, name } => {
                state.confirm(kind, name);
                self.has_news = true;
            }
            Incoming::Unsubscribed { kind, name } => {
                state.unsubscribed(kind, name);
                self.has_news = true;
            }
            Incoming::Disconnected => {
                state.open = false;
                self.is_current = false;
                self.has_news = true;
            }
            Incoming::Invalidated(_) => state.counts.unrouted += 1,
            Incoming::Unknown { .. } => state.counts.unknown += 1,
            Incoming::Malformed { .. } => state.counts.malformed += 1,
        }
    }
}

impl State {
    fn deliver(&mut self, kind: Kind, name: &[u8], channel: &[u8], payload: &[u8]) {
        let Some(route) = self.routes.get(kind, name) else {
            self.counts.unrouted += 1;
            return;
        };
        // An exact subscription has the channel's name already.
        let channel = match kind {
            Kind::Pattern => channel,
            Kind::Channel | Kind::Shard => &[],
        };
        for (ring, index) in &route.rings {
            if let Some(now) = ring.append(*index, channel, payload, &mut self.wakers) {
                self.last_heard = now;
            }
        }
    }

    fn confirm(&mut self, kind: Kind, name: &[u8]) {
        self.last_heard = SystemTime::now();
        let Some(route) = self.routes.get_mut(kind, name) else {
            return;
        };
        route.standing = Standing::Confirmed;
        self.live = true;
        for (ring, index) in &route.rings {
            let index = *index as usize;
            ring.confirm(index, self.generation, self.before, &mut self.wakers);
        }
    }

    fn unsubscribed(&mut self, kind: Kind, name: &[u8]) {
        self.last_heard = SystemTime::now();
        self.turn_off((kind, name), Standing::Ended);
    }

    fn turn_off(&mut self, (kind, name): (Kind, &[u8]), standing: Standing) {
        let Some(route) = self.routes.get_mut(kind, name) else {
            return;
        };
        // Nothing has come by a name that was not live since the connection before this one.
        let since = match route.standing {
            Standing::Confirmed => self.last_heard,
            _ => self.before.since,
        };
        route.standing = standing;
        for (ring, index) in &route.rings {
            let index = *index as usize;
            ring.turn_off(index, self.generation, self.before, since, &mut self.wakers);
        }
    }

    fn copy_to_raw(&mut self, push: &Incoming<'_>) {
        self.pushes
            .take_if(|pushes| pushes.send(push.to_raw()).is_err());
    }
}
