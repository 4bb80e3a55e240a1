//! The health of a subscriber: what it reports, how it is found out, and what follows from it.
//!
//! | file | contents |
//! | --- | --- |
//! | `mod` | [`Health`]: the answer, a plain value with reasons |
//! | `monitor` | `HealthMonitor`: computes the answer and publishes its changes |
//! | `watchdog` | the task that looks for stalled handlers and publishes at intervals |
//! | `display` | the answer in words |
//! | `changes` | [`HealthChanges`]: a receiver of the published changes |
//! | `exit_if_deaf` | the thread of `Subscriber::exit_if_deaf` |
//!
//! In: the monitor reads its sources whenever a caller asks: the states of the subscriptions from
//! `dispatch`, the status and the heartbeat from `session`, the tasks that are down from `tasks`, and
//! the counters of each handler from `delivery`. None of these report to the monitor.
//!
//! Out: `subscriber` creates the monitor and spawns the watchdog; `Handle` returns the health to
//! users. A shutdown publishes once when it begins and ends the published changes when it is done.
//!
//! Invariants:
//!
//! - Asking for the health takes no lock that is held across an await, so it works on any thread,
//!   even if the runtime is blocked.
//! - All durations are measured with the clock of the system, not of the runtime: a runtime that
//!   stands still must be noticed.
//! - A delivery pays nothing for the watchdog, which reads counters that the delivery writes anyway.

mod changes;
mod display;
mod exit_if_deaf;
mod monitor;
mod watchdog;

pub use changes::HealthChanges;
pub(crate) use exit_if_deaf::{DeafWatch, EXIT_CODE as DEAF_EXIT_CODE};
pub(crate) use monitor::{HealthMonitor, Sources};

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The health of a subscriber at one moment, with reasons.
///
/// *Live*: its internal tasks run, whatever Redis does. A process that is not live should be
/// restarted. *Ready*: every subscription is confirmed on the current connection, the last `PING` was
/// answered in time, no [required](crate::Spec::required) handler is stalled, and the handlers are
/// *synced*: every gap handler has succeeded since messages may last have been lost on the connection or a
/// [resync](crate::Handle::resync) was last requested, and no required handler has a lag that it does not
/// know of. A process that is not ready may miss
/// messages, or work with what is out of date; it becomes ready again without intervention.
///
/// ```
/// # use redis_push::{Subscriber, handlers, push_handler, testing::Broker};
/// # #[push_handler(channel = "news")]
/// # async fn on_news(_text: &str) {}
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = Broker::start().await?;
/// let handle = Subscriber::new(server.url()).handlers(handlers![on_news]).start().await?;
/// let health = handle.health();
/// assert!(health.is_live() && health.is_ready());
/// assert_eq!(health.to_string(), "live, ready");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Health {
    /// Why the subscriber is not live; empty if it is live.
    pub not_live: Vec<HealthReason>,
    /// Why the subscriber is not ready; empty if it is ready.
    pub not_ready: Vec<HealthReason>,
    /// The handlers that have run for longer than their stall limit, required or not.
    pub stalled: Vec<Stall>,
    /// The handlers that are not synced: they may have lost something that their gap handler has not
    /// handled yet. Listed are those with a gap handler and the required ones.
    #[serde(default)]
    pub not_synced: Vec<NotSynced>,
    /// How the names of streams stand. They do not affect readiness: a name may be denied to one user
    /// of a service.
    #[serde(default)]
    pub streams: StreamHealth,
    /// How long the last answer to a `PING` took.
    pub ping_rtt: Option<Duration>,
    /// How long ago a `PING`, or the greeting of a connection, was last answered.
    pub since_ping: Option<Duration>,
}

/// How the names stand that only [streams](crate::EventStream) listen to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StreamHealth {
    /// How many streams there are.
    pub open: usize,
    /// How many names they listen to. A name that handlers listen to as well is not counted.
    pub names: u64,
    /// How many of these names the server has not confirmed on this connection, without those that it
    /// has denied.
    pub pending: u64,
    /// How many of these names the server has denied.
    pub denied: u64,
    /// The first twenty of the denied names, with the server's reasons.
    pub denied_names: Vec<NotConfirmed>,
}

/// Why a subscriber is not live or not ready.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum HealthReason {
    /// There is no connection.
    NotConnected {
        /// Why the last connection ended, or could not be made.
        error: Option<String>,
    },
    /// Some subscriptions are not confirmed on this connection.
    NotConfirmed {
        /// The missing subscriptions; empty for a moment while the last confirmations are checked.
        missing: Vec<NotConfirmed>,
        /// The number of all subscriptions.
        total: usize,
    },
    /// The server has not answered a `PING` in time, and the connection has not been closed for it.
    PingLate {
        /// How long ago the last answer came.
        since: Duration,
    },
    /// A required handler has run for longer than its stall limit.
    Stalled(Stall),
    /// A gap handler has not succeeded since messages may have been lost on the connection or a resync was
    /// requested, or a required handler has lagged and does not know of it yet.
    NotSynced(NotSynced),
    /// An internal task has exited, and is not restarted yet.
    TaskEnded {
        /// The task, described in words.
        task: String,
    },
    /// An internal task exists, but does not run: the runtime is blocked or overloaded.
    TaskLate {
        /// The task, described in words.
        task: String,
        /// How long ago the task last ran.
        since: Duration,
    },
    /// A shutdown is under way or complete.
    ShuttingDown,
}

/// A subscription that the server has not confirmed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct NotConfirmed {
    /// The subscription, as it is printed in logs.
    pub subscription: String,
    /// In a cluster, where the subscription is, as it is printed: `slot 12182, at 10.0.0.3:6379`. Only sharded
    /// channels have a slot. `None` for names that only streams want.
    #[serde(default)]
    pub place: Option<String>,
    /// The server's reason, if it has denied the subscription.
    pub denied: Option<String>,
}

/// A handler that has not returned from one delivery, or from one run of its gap handler.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Stall {
    /// The handler's name.
    pub handler: String,
    /// How long the call has run, at least: the watchdog looks at intervals.
    pub running_for: Duration,
    /// Whether readiness depends on the handler.
    pub required: bool,
}

/// A handler that has not handled what it may have lost. What it keeps up to date from its messages is
/// wrong until then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct NotSynced {
    /// The handler's name.
    pub handler: String,
    /// Whether only its buffer has dropped messages. Otherwise messages may have been lost on the
    /// connection, or a resync is requested. The handler may not know of a loss yet, if messages wait
    /// before the gap.
    pub only_lagged: bool,
    /// Whether the handler is required. Only then does a lag affect readiness: otherwise a load peak
    /// would take every replica of a service out of rotation.
    pub required: bool,
    /// Why the gap handler last failed, if it has not succeeded since.
    pub error: Option<String>,
}

impl Health {
    /// Whether the subscriber's internal tasks run.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.not_live.is_empty()
    }

    /// Whether every subscription is live and every required handler is at work.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.not_ready.is_empty()
    }

    /// Whether the two differ in more than durations.
    pub(crate) fn differs_from(&self, other: &Self) -> bool {
        self.timeless() != other.timeless()
    }

    fn timeless(&self) -> Self {
        let timeless = HealthReason::timeless;
        Self {
            not_live: self.not_live.iter().map(timeless).collect(),
            not_ready: self.not_ready.iter().map(timeless).collect(),
            stalled: self.stalled.iter().map(Stall::timeless).collect(),
            not_synced: self.not_synced.clone(),
            // Streams come and go all the time.
            streams: StreamHealth {
                denied_names: self.streams.denied_names.clone(),
                ..StreamHealth::default()
            },
            ping_rtt: None,
            since_ping: None,
        }
    }
}

impl HealthReason {
    fn timeless(&self) -> Self {
        let mut reason = self.clone();
        match &mut reason {
            Self::PingLate { since } | Self::TaskLate { since, .. } => *since = Duration::ZERO,
            Self::Stalled(stall) => *stall = stall.timeless(),
            Self::NotConnected { .. }
            | Self::NotConfirmed { .. }
            | Self::NotSynced(_)
            | Self::TaskEnded { .. }
            | Self::ShuttingDown => {}
        }
        reason
    }
}

impl Stall {
    fn timeless(&self) -> Self {
        Self {
            running_for: Duration::ZERO,
            ..self.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stall(seconds: u64) -> Stall {
        Stall {
            handler: "x".into(),
            running_for: Duration::from_secs(seconds),
            required: true,
        }
    }

    #[test]
    fn reasons_read_as_sentences() {
        let missing = vec![
            NotConfirmed {
                subscription: "channel `a`".into(),
                place: Some("at 10.0.0.1:6379".into()),
                denied: None,
            },
            NotConfirmed {
                subscription: "channel `b`".into(),
                place: None,
                denied: Some("NOPERM".into()),
            },
        ];
        let health = Health {
            not_live: vec![HealthReason::TaskEnded {
                task: "the session's task".into(),
            }],
            not_ready: vec![
                HealthReason::NotConfirmed { missing, total: 5 },
                HealthReason::PingLate {
                    since: Duration::from_millis(12_345),
                },
                HealthReason::Stalled(stall(31)),
            ],
            ..Health::default()
        };
        assert_eq!(
            health.to_string(),
            "not live (the session's task has exited), not ready (2 of 5 subscriptions not \
             confirmed: channel `a` (at 10.0.0.1:6379), channel `b` (NOPERM); last PING answered 12 s ago; required \
             handler `x` has not returned for 31 s)"
        );
    }

    #[test]
    fn time_that_passes_is_not_a_change() {
        let at = |seconds| Health {
            not_ready: vec![HealthReason::Stalled(stall(seconds))],
            stalled: vec![stall(seconds)],
            since_ping: Some(Duration::from_secs(seconds)),
            ..Health::default()
        };
        assert!(!at(31).differs_from(&at(30)));
        assert!(at(31).differs_from(&Health::default()));
    }
}
