//! How a subscriber is: what it says, how that is found out, and what follows from it.

mod changes;
mod exit_if_deaf;
mod monitor;
mod watchdog;

pub use changes::HealthChanges;
pub(crate) use exit_if_deaf::{DeafWatch, EXIT_CODE as DEAF_EXIT_CODE};
pub(crate) use monitor::{HealthMonitor, Sources};

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How a subscriber is at one moment, with reasons.
///
/// *Live*: its own tasks run, whatever Redis does. A process that is not live should be restarted.
/// *Ready*: every subscription is confirmed on the connection of this moment, the last `PING` was
/// answered in time, and no [required](crate::Spec::required) handler is stalled. A process that is
/// not ready may miss messages; it becomes ready again by itself.
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
    /// Why it is not live; empty if it is.
    pub not_live: Vec<HealthReason>,
    /// Why it is not ready; empty if it is.
    pub not_ready: Vec<HealthReason>,
    /// The handlers that have not come back within their stall limit, required or not.
    pub stalled: Vec<Stall>,
    /// How long the last answer to a `PING` took.
    pub ping_rtt: Option<Duration>,
    /// How long ago a `PING`, or the greeting of a connection, was last answered.
    pub since_ping: Option<Duration>,
}

/// Why a subscriber is not live or not ready.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum HealthReason {
    /// There is no connection.
    NotConnected {
        /// Why the last one ended, or could not be made.
        error: Option<String>,
    },
    /// Some subscriptions are not confirmed on this connection.
    NotConfirmed {
        /// Those that are not; empty for a moment while the last confirmations are looked at.
        missing: Vec<NotConfirmed>,
        /// How many there are in all.
        total: usize,
    },
    /// The server has not answered a `PING` in time, and the connection was not given up for it.
    PingLate {
        /// How long ago the last answer came.
        since: Duration,
    },
    /// A required handler has not come back within its stall limit.
    Stalled(Stall),
    /// A task of the subscriber has ended, and is not started again yet.
    TaskEnded {
        /// Which one, in words.
        task: String,
    },
    /// A task of the subscriber is there, but does not run: the runtime is blocked or overloaded.
    TaskLate {
        /// Which one, in words.
        task: String,
        /// How long ago it ran last.
        since: Duration,
    },
    /// A shutdown is under way, or done.
    ShuttingDown,
}

/// A subscription that the server has not confirmed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct NotConfirmed {
    /// The subscription, as it is printed in logs.
    pub subscription: String,
    /// The server's reason, if it has refused.
    pub denied: Option<String>,
}

/// A handler that has not come back from one delivery, or from one run of its gap handler.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Stall {
    /// The handler's name.
    pub handler: String,
    /// For how long, at the least: looks are taken at intervals.
    pub running_for: Duration,
    /// Whether readiness depends on it.
    pub required: bool,
}

impl Health {
    /// Whether the subscriber's own tasks run.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.not_live.is_empty()
    }

    /// Whether every subscription is live, and every required handler at work.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.not_ready.is_empty()
    }

    /// Whether it differs in more than in how long things have lasted.
    pub(crate) fn is_news_after(&self, before: &Self) -> bool {
        self.timeless() != before.timeless()
    }

    fn timeless(&self) -> Self {
        let timeless = HealthReason::timeless;
        Self {
            not_live: self.not_live.iter().map(timeless).collect(),
            not_ready: self.not_ready.iter().map(timeless).collect(),
            stalled: self.stalled.iter().map(Stall::timeless).collect(),
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

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        reasons(f, "live", &self.not_live)?;
        f.write_str(", ")?;
        reasons(f, "ready", &self.not_ready)?;
        for stall in self.stalled.iter().filter(|stall| !stall.required) {
            write!(f, "; {stall}")?;
        }
        Ok(())
    }
}

fn reasons(f: &mut fmt::Formatter<'_>, what: &str, reasons: &[HealthReason]) -> fmt::Result {
    let Some((first, more)) = reasons.split_first() else {
        return f.write_str(what);
    };
    write!(f, "not {what} ({first}")?;
    more.iter().try_for_each(|reason| write!(f, "; {reason}"))?;
    f.write_str(")")
}

impl fmt::Display for HealthReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotConnected { error: None } => f.write_str("not connected"),
            Self::NotConnected { error: Some(error) } => write!(f, "not connected: {error}"),
            Self::NotConfirmed { missing, .. } if missing.is_empty() => {
                f.write_str("the last confirmations have only just come")
            }
            Self::NotConfirmed { missing, total } => {
                const MOST: usize = 20;
                let count = missing.len();
                write!(f, "{count} of {total} subscriptions not confirmed: ")?;
                for (index, one) in missing.iter().take(MOST).enumerate() {
                    write!(f, "{}{one}", if index > 0 { ", " } else { "" })?;
                }
                match count.saturating_sub(MOST) {
                    0 => Ok(()),
                    more => write!(f, " and {more} more"),
                }
            }
            Self::PingLate { since } => write!(f, "last PING answered {} ago", Rounded(*since)),
            Self::Stalled(stall) => stall.fmt(f),
            Self::TaskEnded { task } => write!(f, "{task} has ended"),
            Self::TaskLate { task, since } => {
                write!(f, "{task} has not run for {}", Rounded(*since))
            }
            Self::ShuttingDown => f.write_str("shutting down"),
        }
    }
}

impl fmt::Display for NotConfirmed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.subscription)?;
        match &self.denied {
            Some(reason) => write!(f, " ({reason})"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Stall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let required = if self.required { "required " } else { "" };
        let Self { handler, .. } = self;
        let time = Rounded(self.running_for);
        write!(
            f,
            "{required}handler `{handler}` has not come back for {time}"
        )
    }
}

/// A time as a person would say it: whole seconds, or milliseconds where it is less than ten.
struct Rounded(Duration);

impl fmt::Display for Rounded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_secs() {
            0..10 => write!(f, "{} ms", self.0.as_millis()),
            seconds => write!(f, "{seconds} s"),
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
                denied: None,
            },
            NotConfirmed {
                subscription: "channel `b`".into(),
                denied: Some("NOPERM".into()),
            },
        ];
        let health = Health {
            not_live: vec![HealthReason::TaskEnded {
                task: "the supervisor's task".into(),
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
            "not live (the supervisor's task has ended), not ready (2 of 5 subscriptions not \
             confirmed: channel `a`, channel `b` (NOPERM); last PING answered 12 s ago; required \
             handler `x` has not come back for 31 s)"
        );
    }

    #[test]
    fn time_that_passes_is_no_news() {
        let at = |seconds| Health {
            not_ready: vec![HealthReason::Stalled(stall(seconds))],
            stalled: vec![stall(seconds)],
            since_ping: Some(Duration::from_secs(seconds)),
            ..Health::default()
        };
        assert!(!at(31).is_news_after(&at(30)));
        assert!(at(31).is_news_after(&Health::default()));
    }
}
