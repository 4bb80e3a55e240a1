use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Mutex as AsyncMutex, Notify, watch};
use tokio_util::sync::CancellationToken;

use super::changes::HealthChanges;
use super::watchdog::Watch;
use super::{Health, HealthReason, NotConfirmed, NotSynced, Stall, StreamHealth};
use crate::delivery::{Handlers, Mounted, Unhandled};
use crate::dispatch::{Dispatcher, SubscriptionState, Unconfirmed};
use crate::session::{Board, LastSeen, Phase, Status};
use crate::tasks::{TaskName, Tasks};
use crate::telemetry::StateStats;
use crate::util::{Mutex, clock};

/// The health that was last published, and whether the subscriber has ended.
#[derive(Clone, Debug, Default)]
pub(super) struct Published {
    pub(super) health: Health,
    pub(super) is_last: bool,
}

/// Computes the health, for any caller on any thread.
pub(crate) struct HealthMonitor {
    pub(super) sources: Sources,
    /// When the watchdog last ran.
    pub(super) last_seen: LastSeen,
    /// What the watchdog has seen of the handlers. Held by the running watchdog; a restarted one
    /// continues with it.
    pub(super) watch: AsyncMutex<Watch>,
    /// The stalled handlers, and since when.
    pub(super) stalls: Mutex<Vec<(Arc<Mounted>, Instant)>>,
    published: watch::Sender<Published>,
}

/// The parts of a subscriber that the health is computed from.
pub(crate) struct Sources {
    pub(crate) dispatcher: Arc<Dispatcher>,
    pub(crate) handlers: Arc<Handlers>,
    /// Notified when a gap handler has succeeded or failed.
    pub(crate) synced: Arc<Notify>,
    pub(crate) status: watch::Receiver<Status>,
    pub(crate) stop: CancellationToken,
    pub(crate) tasks: Arc<Tasks>,
    pub(crate) board: Arc<Board>,
    /// How long a connection may be silent before the session closes it.
    pub(crate) silence: Duration,
}

/// A task that has not run for this long is late. The session and the watchdog run every second.
const LATE: Duration = Duration::from_secs(5);

/// The largest number of denied names of streams that the health lists.
const MOST_LISTED: usize = 20;

/// How long the session may take to notice that a connection is silent.
const SLACK: Duration = Duration::from_secs(1);

impl HealthMonitor {
    pub(crate) fn new(sources: Sources) -> Arc<Self> {
        Arc::new(Self {
            watch: AsyncMutex::default(),
            sources,
            last_seen: LastSeen::new(),
            stalls: Mutex::default(),
            published: watch::Sender::default(),
        })
    }

    pub(crate) fn is_shutting_down(&self) -> bool {
        self.sources.stop.is_cancelled()
    }

    pub(crate) fn is_ready(&self) -> bool {
        // While names are missing, each call would list them.
        let is_known = || !self.published.borrow().health.is_ready();
        if self.phase() != Phase::Confirmed && is_known() {
            return false;
        }
        self.health().is_ready()
    }

    /// Returns the current health, and notifies the receivers if it has changed.
    ///
    /// What one caller has seen, every receiver has to see. Otherwise a state that ends before the watchdog's
    /// next look ends without a change, and whoever waits for its end waits for ever.
    pub(crate) fn health(&self) -> Health {
        let mut current = Health::default();
        self.published.send_if_modified(|published| {
            // Computed under the lock, so that no caller publishes an older state after a newer one.
            current = self.compute();
            let is_changed = !published.is_last && current.differs_from(&published.health);
            if is_changed {
                published.health = current.clone();
            }
            is_changed
        });
        current
    }

    fn compute(&self) -> Health {
        let beats = self.sources.board.beat();
        let stalled = self.stalled();
        let mut health = Health {
            ping_rtt: beats.rtt,
            since_ping: beats.answered.map(|answered| clock::monotonic() - answered),
            ..Health::default()
        };
        if self.is_shutting_down() {
            health.not_ready.push(HealthReason::ShuttingDown);
            health.stalled = stalled;
            return health;
        }
        self.add_tasks(&mut health);
        health.streams = self.streams();
        match beats.sign {
            None => health.not_ready.push(HealthReason::NotConnected {
                error: self.error(),
            }),
            Some(sign) => {
                let since = clock::monotonic() - sign;
                if since > self.sources.silence + SLACK {
                    health.not_ready.push(HealthReason::PingLate { since });
                }
                if self.phase() != Phase::Confirmed {
                    health.not_ready.push(self.not_confirmed());
                }
            }
        }
        health.not_synced = self.not_synced();
        let required = |not_synced: &&NotSynced| not_synced.required || !not_synced.only_lagged;
        let reasons = health.not_synced.iter().filter(required).cloned();
        health
            .not_ready
            .extend(reasons.map(HealthReason::NotSynced));
        let required_stalls = stalled.iter().filter(|stall| stall.required);
        health
            .not_ready
            .extend(required_stalls.cloned().map(HealthReason::Stalled));
        health.stalled = stalled;
        health
    }

    /// Returns how the connection and the subscriptions are, without the reasons.
    pub(crate) fn state(&self) -> StateStats {
        let Health {
            not_live,
            not_ready,
            ping_rtt,
            since_ping,
            ..
        } = self.health();
        let (handlers, streams) = self.sources.dispatcher.name_counts();
        StateStats {
            is_live: not_live.is_empty(),
            is_ready: not_ready.is_empty(),
            handler_names: handlers.into(),
            stream_names: streams.into(),
            ping_rtt,
            since_ping,
        }
    }

    fn add_tasks(&self, health: &mut Health) {
        for task in self.sources.tasks.down() {
            let reason = HealthReason::TaskEnded {
                task: task.to_string(),
            };
            if task.bears_readiness() {
                health.not_ready.push(reason.clone());
            }
            health.not_live.push(reason);
        }
        for (task, since) in [
            (TaskName::Session, self.sources.board.last_seen()),
            (TaskName::Watchdog, self.last_seen.ago()),
        ] {
            if since > LATE {
                let task = task.to_string();
                let reason = HealthReason::TaskLate { task, since };
                health.not_live.push(reason);
            }
        }
    }

    fn phase(&self) -> Phase {
        self.sources.status.borrow().phase
    }

    fn error(&self) -> Option<String> {
        let status = self.sources.status.borrow();
        status.error.as_ref().map(ToString::to_string)
    }

    fn not_confirmed(&self) -> HealthReason {
        let Unconfirmed { names, total } = self.sources.dispatcher.unconfirmed();
        let missing = names.into_iter().map(|name| NotConfirmed {
            place: self.sources.board.place_of(name.node, &name.subscription),
            subscription: name.subscription.to_string(),
            denied: match name.state {
                SubscriptionState::Denied(reason) => Some(reason.to_string()),
                _ => None,
            },
        });
        HealthReason::NotConfirmed {
            missing: missing.collect(),
            total,
        }
    }

    fn streams(&self) -> StreamHealth {
        let Sources { dispatcher, .. } = &self.sources;
        let (_, names) = dispatcher.name_counts();
        let denied = match names.denied {
            0 => Vec::new(),
            _ => dispatcher.denied_to_streams(MOST_LISTED),
        };
        StreamHealth {
            open: dispatcher.streams(),
            names: names.all,
            pending: names.pending(),
            denied: names.denied,
            denied_names: denied
                .into_iter()
                .map(|(subscription, reason)| NotConfirmed {
                    subscription: subscription.to_string(),
                    place: None,
                    denied: Some(reason.to_string()),
                })
                .collect(),
        }
    }

    /// Returns the handlers that have lost something which their gap handler has not handled yet, or
    /// which they do not know of yet because it lies behind messages that wait.
    fn not_synced(&self) -> Vec<NotSynced> {
        let handlers = self.sources.handlers.running();
        let each = handlers.iter();
        each.filter_map(|handler| {
            let Mounted { context, meter, .. } = &**handler;
            let spec = &context.spec;
            if !spec.has_to_be_synced() {
                return None;
            }
            let Unhandled { gap, lag } = context.unhandled(meter.losses());
            // Without a gap handler, a lost connection has no consequence for the handler.
            let gap = gap && spec.on_gap.is_some();
            (gap || lag).then(|| NotSynced {
                handler: spec.name.to_string(),
                only_lagged: !gap,
                required: spec.required,
                error: context.sync.problem(),
            })
        })
        .collect()
    }

    fn stalled(&self) -> Vec<Stall> {
        let stalls = self.stalls.lock();
        let stall = |(handler, since): &(Arc<Mounted>, Instant)| {
            let spec = &handler.context.spec;
            Stall {
                handler: spec.name.to_string(),
                running_for: clock::monotonic() - *since,
                required: spec.required,
            }
        };
        stalls.iter().map(stall).collect()
    }

    /// Publishes the last health, after which the receivers end.
    pub(crate) fn end(&self) {
        let health = self.compute();
        let is_last = true;
        self.published.send_replace(Published { health, is_last });
    }

    pub(crate) fn changes(self: &Arc<Self>) -> HealthChanges {
        // The receiver begins with the current health.
        self.health();
        HealthChanges::new(self.published.subscribe(), Arc::downgrade(self))
    }
}
