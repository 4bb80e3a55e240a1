use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::changes::HealthChanges;
use super::watchdog::Watch;
use super::{Health, HealthReason, NotConfirmed, Stall};
use crate::delivery::Lane;
use crate::dispatch::{Feed, Standing};
use crate::session::{Phase, Pulse, Status, Tick};
use crate::tasks::{Keeper, TaskName};

use crate::util::Mutex;
use tokio::sync::Mutex as AsyncMutex;

/// What was last published, and whether it was the last word.
#[derive(Clone, Debug, Default)]
pub(super) struct Published {
    pub(super) health: Health,
    pub(super) is_last: bool,
}

/// What the health is read from, by whoever asks, on whatever thread.
pub(crate) struct Vitals {
    pub(super) parts: Parts,
    /// The watchdog's own tick.
    pub(super) tick: Tick,
    /// What the watchdog knows of the handlers; the next one goes on from there.
    pub(super) watch: AsyncMutex<Watch>,
    /// The handlers that are stalled, by their place, and since when.
    pub(super) stalls: Mutex<Vec<(usize, Instant)>>,
    published: watch::Sender<Published>,
}

/// The parts of a subscriber that a health is made of.
pub(crate) struct Parts {
    pub(crate) feed: Arc<Feed>,
    pub(crate) lanes: Vec<Arc<Lane>>,
    pub(crate) status: watch::Receiver<Status>,
    pub(crate) stop: watch::Receiver<bool>,
    pub(crate) keeper: Arc<Keeper>,
    pub(crate) pulse: Arc<Pulse>,
    /// The supervisor's tick.
    pub(crate) tick: Arc<Tick>,
    /// How long a connection may go without a sign of life before the supervisor gives it up.
    pub(crate) silence: Duration,
}

/// A task that has not ticked for so long is late. They tick every second.
const LATE: Duration = Duration::from_secs(5);

/// How long the supervisor may take to see that a connection is silent.
const SLACK: Duration = Duration::from_secs(1);

impl Vitals {
    pub(crate) fn new(parts: Parts) -> Arc<Self> {
        Arc::new(Self {
            watch: AsyncMutex::new(Watch::new(&parts.lanes)),
            parts,
            tick: Tick::new(),
            stalls: Mutex::default(),
            published: watch::Sender::default(),
        })
    }

    pub(crate) fn is_shutting_down(&self) -> bool {
        // Nobody left to say so is an end as well.
        *self.parts.stop.borrow() || self.parts.stop.has_changed().is_err()
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.phase() == Phase::Ready && self.health().is_ready()
    }

    pub(crate) fn health(&self) -> Health {
        let beats = self.parts.pulse.read();
        let stalled = self.stalled();
        let mut health = Health {
            ping_rtt: beats.rtt,
            since_ping: beats.answered.map(|answered| answered.elapsed()),
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
                let since = sign.elapsed();
                if since > self.parts.silence + SLACK {
                    health.not_ready.push(HealthReason::PingLate { since });
                }
                if self.phase() != Phase::Ready {
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
        for task in self.parts.keeper.down() {
            let bears_readiness = match task {
                TaskName::Supervisor | TaskName::Forwarding => true,
                TaskName::Handler(index) => self.parts.lanes[index].spec.required,
                _ => false,
            };
            let task = self.in_words(task);
            let reason = HealthReason::TaskEnded { task };
            if bears_readiness {
                health.not_ready.push(reason.clone());
            }
            health.not_live.push(reason);
        }
        for (task, tick) in [
            (TaskName::Supervisor, &*self.parts.tick),
            (TaskName::Watchdog, &self.tick),
        ] {
            let since = tick.ago();
            if since > LATE {
                let task = self.in_words(task);
                let reason = HealthReason::TaskLate { task, since };
                health.not_live.push(reason);
            }
        }
    }

    fn in_words(&self, task: TaskName) -> String {
        match task {
            TaskName::Supervisor => "the supervisor's task".to_owned(),
            TaskName::Waking => "the task that wakes handlers".to_owned(),
            TaskName::Handler(index) => {
                format!(
                    "the loop of handler `{}`",
                    self.parts.lanes[index].spec.name
                )
            }
            TaskName::Failures => "the failure hook's task".to_owned(),
            TaskName::Watchdog => "the watchdog's task".to_owned(),
            TaskName::Keeper => "the keeper's task".to_owned(),
            TaskName::Forwarding => "the task that reads the attached channel".to_owned(),
            TaskName::Link => "the task that reads the connection".to_owned(),
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
        let standings = self.parts.feed.standings();
        let total = standings.len();
        let missing = standings
            .into_iter()
            .filter_map(|(subscription, standing)| {
                let denied = match standing {
                    Standing::Confirmed => return None,
                    Standing::Denied(reason) => Some(reason.to_string()),
                    Standing::Wanted | Standing::Ended => None,
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
            let spec = &self.parts.lanes[*index].spec;
            Stall {
                handler: spec.name.to_string(),
                running_for: since.elapsed(),
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
