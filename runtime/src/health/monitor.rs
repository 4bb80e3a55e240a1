use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Mutex as AsyncMutex, watch};
use tokio_util::sync::CancellationToken;

use super::changes::HealthChanges;
use super::watchdog::Watch;
use super::{Health, HealthReason, NotConfirmed, Stall};
use crate::delivery::HandlerContext;
use crate::dispatch::{Dispatcher, SubscriptionState};
use crate::session::{Heartbeat, LastSeen, Phase, Status};
use crate::tasks::{TaskName, Tasks};
use crate::util::{Mutex, clock};

/// What was last published, and whether it was the last word.
#[derive(Clone, Debug, Default)]
pub(super) struct Published {
    pub(super) health: Health,
    pub(super) is_last: bool,
}

/// What the health is read from, by whoever asks, on whatever thread.
pub(crate) struct HealthMonitor {
    pub(super) parts: Sources,
    /// The watchdog's own tick.
    pub(super) last_seen: LastSeen,
    /// What the watchdog knows of the handlers; the next one goes on from there.
    pub(super) watch: AsyncMutex<Watch>,
    /// The handlers that are stalled, by their place, and since when.
    pub(super) stalls: Mutex<Vec<(usize, Instant)>>,
    published: watch::Sender<Published>,
}

/// The parts of a subscriber that a health is made of.
pub(crate) struct Sources {
    pub(crate) dispatcher: Arc<Dispatcher>,
    pub(crate) contexts: Vec<Arc<HandlerContext>>,
    pub(crate) status: watch::Receiver<Status>,
    pub(crate) stop: CancellationToken,
    pub(crate) tasks: Arc<Tasks>,
    pub(crate) heartbeat: Arc<Heartbeat>,
    /// The supervisor's tick.
    pub(crate) last_seen: Arc<LastSeen>,
    /// How long a connection may go without a sign of life before the supervisor gives it up.
    pub(crate) silence: Duration,
}

/// A task that has not ticked for so long is late. They tick every second.
const LATE: Duration = Duration::from_secs(5);

/// How long the supervisor may take to see that a connection is silent.
const SLACK: Duration = Duration::from_secs(1);

impl HealthMonitor {
    pub(crate) fn new(parts: Sources) -> Arc<Self> {
        Arc::new(Self {
            watch: AsyncMutex::new(Watch::new(&parts.contexts)),
            parts,
            last_seen: LastSeen::new(),
            stalls: Mutex::default(),
            published: watch::Sender::default(),
        })
    }

    pub(crate) fn is_shutting_down(&self) -> bool {
        self.parts.stop.is_cancelled()
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.phase() == Phase::Confirmed && self.health().is_ready()
    }

    pub(crate) fn health(&self) -> Health {
        let beats = self.parts.heartbeat.read();
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
        match beats.sign {
            None => health.not_ready.push(HealthReason::NotConnected {
                error: self.error(),
            }),
            Some(sign) => {
                let since = clock::monotonic() - sign;
                if since > self.parts.silence + SLACK {
                    health.not_ready.push(HealthReason::PingLate { since });
                }
                if self.phase() != Phase::Confirmed {
                    health.not_ready.push(self.not_confirmed());
                }
            }
        }
        let required = stalled.iter().filter(|stall| stall.required);
        let required = required.cloned().map(HealthReason::Stalled);
        health.not_ready.extend(required);
        health.stalled = stalled;
        health
    }

    fn add_tasks(&self, health: &mut Health) {
        for task in self.parts.tasks.down() {
            let reason = HealthReason::TaskEnded {
                task: task.to_string(),
            };
            if task.bears_readiness() {
                health.not_ready.push(reason.clone());
            }
            health.not_live.push(reason);
        }
        for (task, last_seen) in [
            (TaskName::Session, &*self.parts.last_seen),
            (TaskName::Watchdog, &self.last_seen),
        ] {
            let since = last_seen.ago();
            if since > LATE {
                let task = task.to_string();
                let reason = HealthReason::TaskLate { task, since };
                health.not_live.push(reason);
            }
        }
    }

    fn phase(&self) -> Phase {
        self.parts.status.borrow().phase
    }

    fn error(&self) -> Option<String> {
        let status = self.parts.status.borrow();
        status.error.as_ref().map(ToString::to_string)
    }

    fn not_confirmed(&self) -> HealthReason {
        let subscription_states = self.parts.dispatcher.subscription_states();
        let total = subscription_states.len();
        let missing = subscription_states
            .into_iter()
            .filter_map(|(subscription, state)| {
                let denied = match state {
                    SubscriptionState::Confirmed => return None,
                    SubscriptionState::Denied(reason) => Some(reason.to_string()),
                    SubscriptionState::Pending | SubscriptionState::Ended => None,
                };
                let subscription = subscription.to_string();
                Some(NotConfirmed {
                    subscription,
                    denied,
                })
            });
        HealthReason::NotConfirmed {
            missing: missing.collect(),
            total,
        }
    }

    fn stalled(&self) -> Vec<Stall> {
        let stalls = self.stalls.lock();
        let stall = |(index, since): &(usize, Instant)| {
            let spec = &self.parts.contexts[*index].spec;
            Stall {
                handler: spec.name.to_string(),
                running_for: clock::monotonic() - *since,
                required: spec.required,
            }
        };
        stalls.iter().map(stall).collect()
    }

    /// Tells those who watch, if there is news.
    pub(crate) fn publish(&self) {
        let health = self.health();
        self.published.send_if_modified(|published| {
            let is_news = !published.is_last && health.is_news_after(&published.health);
            if is_news {
                published.health = health;
            }
            is_news
        });
    }

    /// Tells those who watch that there will be no more.
    pub(crate) fn end(&self) {
        let health = self.health();
        let is_last = true;
        self.published.send_replace(Published { health, is_last });
    }

    pub(crate) fn changes(self: &Arc<Self>) -> HealthChanges {
        HealthChanges::new(self.published.subscribe(), Arc::downgrade(self))
    }
}
