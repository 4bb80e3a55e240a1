//! Dispatch: from the link to the broadcast channels, and which names are wanted.
//!
//! The [`Dispatcher`] receives every push of the link and appends it to the broadcast channel of
//! every subscribed handler:
//!
//! ```text
//! link ── accept (one push), or dispatch (many, under one lock)
//!   │
//!   ▼
//! DispatchGuard
//!   │  stale generation ──▶ counted and discarded
//!   ▼
//! RoutingTable: (kind, subscribed name) ──▶ Route
//!   │  no route ──────────▶ counted and discarded
//!   │  oversized payload ─▶ counted and discarded; a gap in each broadcast channel of the route
//!   ▼
//! append to each broadcast channel of the route: with `dispatch`, to its open batch (`intake`)
//!   │  too much waits ────▶ the fullest buffers lose their oldest messages (`memory_limit`)
//!   │  one is full ───────▶ for a link that waits: appended to none, the full one is returned
//!   ▼
//! hand the open batches over to their channels
//!   │
//!   ▼
//! Wakeups: the wakers of waiting readers, gathered under the lock
//!   │
//!   ▼
//! unlock, then wake: after `dispatch` at once, after `accept` a moment later, and a crowd of readers
//!                    a part at a time (`wakeups`)
//! ```
//!
//! "A moment later" means: as soon as the link has no more pushes at hand, and in any case after a few
//! milliseconds or 16,384 pushes. If no handler was woken just before, or if a buffer fills up, the
//! handlers are woken at once. If more than 64 readers are to be woken, which may be streams of one name,
//! a task wakes them, so that the link can go on.
//!
//! Every push of the open generation is counted, and copied to the receivers of
//! [`Dispatcher::pushes`] if there are any. A push that is not a message takes another path:
//!
//! - A *confirmation* sets the [`SubscriptionState`] of its route, and is recorded in each
//!   broadcast channel of the route. The first one of a generation begins a segment there. The
//!   session is notified through [`Dispatcher::changed`]. The end of a subscription takes the same
//!   path.
//! - `CLIENT TRACKING` has no confirmation. The session follows it with `UNSUBSCRIBE` of a reserved
//!   name that contains the prefix (`TrackingFence`). The push that answers it confirms the tracking.
//! - An *invalidation* goes to the route of each prefix of its key, with the key in place of the
//!   channel name. Without keys it goes to every route of an invalidation. A key of no route is
//!   counted `unrouted`.
//! - A *disconnection* closes the generation: pushes that arrive later are stale. The session is
//!   notified.
//! - A push of an unknown kind is counted, and so is a malformed one. A malformed invalidation may
//!   have been about any key, so it goes to every route of an invalidation.
//!
//! | file | contents |
//! | --- | --- |
//! | `mod` | [`Dispatcher`]: its state, and what others ask it |
//! | `guard` | where a push enters: `accept`, `dispatch` and the [`DispatchGuard`] |
//! | `route` | the path of a message to the broadcast channels of its route |
//! | `table` | [`RoutingTable`]: from a name to its route |
//! | `intake` | the open batches, in which messages are gathered for a channel |
//! | `invalidations` | the path of an invalidation |
//! | `inventory` | which names and broadcast channels there are |
//! | `name` | the route of one name: who wants it, and its broadcast channels |
//! | `node` | how the connection to each node stands |
//! | `placement` | a name on a node: its [`SubscriptionState`] |
//! | `placing` | which node a name is placed on, and how it moves |
//! | `left_behind` | what a name leaves on a node when it moves |
//! | `spread`, `copies` | names that are on every node of a cluster, and their routes |
//! | `counts` | how many names are in each state |
//! | `turns` | what the session sends next |
//! | `mounts` | handlers that are mounted and unmounted while the subscriber runs |
//! | `answers` | who waits until the server has answered for a name |
//! | `streams` | how the readers of streams join and leave |
//! | `stream_reader` | what a stream reads from |
//! | `generation` | the beginning, the end and the losses of a connection |
//! | `subscriptions` | the state of each subscription |
//! | `wakeups` | when readers are woken, and by whom |
//! | `holders` | which names hold messages |
//! | `memory_limit` | what is dropped if too much waits |
//! | `pushes` | [`Pushes`]: copies of every push |
//!
//! # Names that come and go
//!
//! A name has one route, however many handlers and streams want it, and one subscription on the server.
//! The streams of a name share one broadcast channel.
//!
//! ```text
//!                 first reader              next_wanted            confirmation
//!   (no route) ──────────────▶ Pending ──────────────▶ sent ─────────────────────▶ Confirmed
//!        ▲                        ▲                      │ denied                    │ last reader
//!        │                        │                      ▼                           ▼
//!        │                        ├──────── retry ──── Denied                    (lingers)
//!        │                        │                                                  │ next_leaving
//!        │     nobody wants it    │ somebody wants it again                          ▼
//!        └────────────────────────┴───────── end of the subscription ◀──────────  Leaving
//! ```
//!
//! What is wanted is known here, and what is confirmed. What the session has to send next is in queues
//! (`turns`), so that its turn takes as long as what has changed, and not as long as all names.
//! [`Agenda`] is the summary that it reads. Each name is placed on a *node*, most often the only one, and
//! each node has a session, a queue and a summary of its own. A new connection begins a new *term*, in which every name is
//! pending: that takes no walk over the names either. They are queued a part at a time.
//!
//! # In and out
//!
//! In: `stream` adds readers and removes them. The link passes pushes, the end of a connection, and lost pushes
//! ([`Dispatcher::interrupt`]). The session opens and ends generations, and reports denied
//! subscriptions and the events of the connection. Those are not routed: they are appended to the
//! broadcast channels of connection handlers and streams directly.
//!
//! Out: the broadcast channels, with the wake-ups of their readers. The session and `health` read
//! the state of each subscription; the statistics read the counters.
//!
//! # Invariants
//!
//! - The dispatcher never waits for a reader and runs no user code.
//! - A push costs one look-up, whatever the number of names; an invalidation one for each length of
//!   a subscribed prefix.
//! - While the dispatcher is unlocked, no batch is open, and every accepted message is in its channel.
//! - The dispatcher's lock is taken before that of a broadcast channel, never after it. No waker is
//!   woken while either lock is held.
//! - A route exists as long as somebody wants the name, or the server may still have the subscription.
//! - Of each node, at most one generation is open. Its session numbers them in ascending order, so a late
//!   push of a previous connection is recognized.
//! - A name is placed on one node, or on all that own slots. A push of the name from another one is counted
//!   and discarded. A name that comes back to a node is taken from it when its earlier subscription has ended.

mod answers;
mod copies;
mod counts;
mod generation;
mod guard;
mod holders;
mod intake;
mod invalidations;
mod inventory;
mod left_behind;
mod memory_limit;
mod mounts;
mod name;
mod node;
mod placement;
mod placing;
mod pushes;
mod route;
mod spread;
mod stream_reader;
mod streams;
mod subscriptions;
mod table;
mod turns;
mod wakeups;

pub(crate) use counts::{NameCounts, WantedBy};
pub(crate) use guard::DispatchGuard;
pub(crate) use inventory::{Unconfirmed, UnconfirmedName};
pub(crate) use mounts::MountedAt;
pub(crate) use placement::SubscriptionState;
pub(crate) use placing::Placing;
pub use pushes::{Pushes, PushesError};
pub(crate) use stream_reader::StreamReader;
pub(crate) use streams::{Confirmed, NoStream};
pub(crate) use table::RoutingTable;
pub(crate) use turns::Agenda;

use std::time::{Duration, SystemTime};

use tokio::sync::{Notify, watch};

use crate::config::Settings;
use crate::push::{Generation, NodeId};
#[cfg(feature = "testing")]
use crate::subscription::KitFence;
use crate::telemetry::FeedStats;
use crate::util::{Mutex, MutexGuard, clock};

use answers::Answers;
use intake::Intake;
use memory_limit::MemoryLimit;
use node::Open;
use pushes::RawPushes;
use wakeups::Wakeups;

/// Receives every push of the link and appends it to the broadcast channel of every subscribed
/// handler.
///
/// It does not wait for handlers and runs no user code: it copies pushes, and wakes readers.
#[derive(Debug)]
pub(crate) struct Dispatcher {
    state: Mutex<DispatchState>,
    /// Notifies the session of confirmations, denials, and ends.
    changed: watch::Sender<()>,
    /// Notifies the task that wakes handlers a moment later.
    wake_later: Notify,
    open: Open,
}

#[derive(Debug)]
struct DispatchState {
    /// The routes of the names, and the nodes.
    routes: RoutingTable,
    /// Whether the dispatcher is closed. Then no generation opens any more.
    closed: bool,
    /// When something last arrived from the server, as far as the clock was read.
    last_heard: SystemTime,
    counts: FeedStats,
    memory: MemoryLimit,
    /// The largest payload that is accepted.
    max_payload: usize,
    /// The sender of raw pushes, while it has receivers.
    pushes: Option<RawPushes>,
    /// How many streams there are.
    streams: usize,
    /// Whether the streams have ended, and no other begins.
    has_ended_streams: bool,
    /// How long a name stays subscribed after its last reader has left.
    linger: Duration,
    wakeups: Wakeups,
    intake: Intake,
    answers: Answers,
    /// How many subscriptions the server has ended by itself.
    ended: u64,
}

impl Dispatcher {
    pub(crate) fn new(routes: RoutingTable, settings: &Settings) -> Self {
        let now = clock::wall();
        // Connection events come from the session, not from the server, so they are live from the
        // beginning.
        let before = routes.nodes[NodeId::FIRST].before;
        for shared in routes.connection() {
            shared.confirm(0, Generation::NONE, before, &mut Vec::new());
        }
        let open = Open::new(routes.nodes.len());
        Self {
            state: Mutex::new(DispatchState {
                routes,
                closed: false,
                last_heard: now,
                counts: FeedStats::default(),
                memory: MemoryLimit::new(settings.memory_limit),
                max_payload: settings.max_payload,
                pushes: None,
                streams: 0,
                has_ended_streams: false,
                linger: settings.linger,
                wakeups: Wakeups::new(now),
                intake: Intake::default(),
                answers: Answers::default(),
                ended: 0,
            }),
            changed: watch::Sender::new(()),
            wake_later: Notify::new(),
            open,
        }
    }

    /// Returns how many pushes of a node were accepted: a sign of life.
    pub(crate) fn pushes_taken(&self, node: NodeId) -> u64 {
        self.lock().routes.nodes[node].pushes
    }

    /// Returns whether some handler has nothing to read.
    pub(crate) fn has_idle_handler(&self) -> bool {
        self.lock()
            .routes
            .broadcasts()
            .any(|shared| shared.is_idle())
    }

    /// Sets whether the link of a node has stopped reading to wait for a full buffer.
    pub(crate) fn set_waiting(&self, node: NodeId, waiting: bool) {
        self.lock().routes.nodes[node].is_waiting = waiting;
    }

    /// Returns whether the link of a node waits for a full buffer. Then its silence does not mean
    /// anything.
    pub(crate) fn is_waiting(&self, node: NodeId) -> bool {
        self.lock().routes.nodes[node].is_waiting
    }

    /// Returns a receiver that is notified when the state of a subscription or of the generation
    /// has changed.
    pub(crate) fn changed(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Returns how many subscriptions the servers have ended by themselves.
    pub(crate) fn ended_by_servers(&self) -> u64 {
        self.lock().ended
    }

    pub(crate) fn stats(&self) -> FeedStats {
        let state = self.lock();
        let pushes = state.routes.nodes.iter().map(|node| node.pushes).sum();
        FeedStats {
            pushes,
            ..state.counts
        }
    }

    /// Returns a receiver of every push from now on.
    pub(crate) fn pushes(&self) -> Pushes {
        let mut state = self.lock();
        if state.closed {
            return RawPushes::default().subscribe();
        }
        state.pushes.get_or_insert_default().subscribe()
    }

    /// Waits until a fence of the test kit has passed: all pushes that the node has sent before it are
    /// appended.
    #[cfg(feature = "testing")]
    pub(crate) async fn passed(&self, node: NodeId, KitFence(number): KitFence) {
        let mut changed = self.changed();
        while self.lock().routes.nodes[node].kit_fence < number {
            let _ = changed.changed().await;
        }
    }

    /// Publishes whether the generation of a node is open, after a change of it.
    fn publish_open(&self, state: &DispatchState, node: NodeId) {
        self.open.publish(&state.routes.nodes[node]);
    }

    fn notify_changed(&self) {
        self.changed.send_replace(());
    }

    fn lock(&self) -> MutexGuard<'_, DispatchState> {
        self.state.lock()
    }
}

#[cfg(test)]
mod tests;
