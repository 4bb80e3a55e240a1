//! What is logged about an outage: the first failure, then fewer and fewer of them, and its end.

use std::time::Duration;

use tokio::time::Instant;

use crate::dispatch::NameCounts;
use crate::error::Error;
use crate::util::{Mutex, clock};

/// The outage that is under way, if there is one.
///
/// It begins with the first failure, of a connection, an attempt to connect, or a wait for
/// confirmations, and ends when every name is confirmed or denied.
#[derive(Default)]
pub(crate) struct Outage {
    /// Which of several links it is about.
    link: Option<u64>,
    /// The address of the node that it is about, in a cluster.
    node: Option<String>,
    ongoing: Mutex<Option<Ongoing>>,
}

struct Ongoing {
    since: Instant,
    failures: u64,
    /// The reasons that are logged already. A new one is logged at once.
    reasons: Vec<String>,
    /// When a failure is logged again, and the pause after that.
    next: Instant,
    pause: Duration,
}

const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(600);

/// The number of different reasons that are logged at once. Reasons may contain changing numbers.
const MOST_REASONS: usize = 8;

impl Outage {
    /// Creates the state of one of several links, or of the only one.
    pub(crate) fn new(link: Option<u64>) -> Self {
        Self {
            link,
            ..Self::default()
        }
    }

    /// Creates the state of a node of a cluster.
    pub(super) fn of_node(address: String) -> Self {
        Self {
            node: Some(address),
            ..Self::default()
        }
    }

    /// Records a failure, and logs it if it is due.
    pub(super) fn failed(&self, error: &Error) {
        if let Some(Report { length, failures }) = self.record(clock::now(), &error.to_string()) {
            tracing::warn!(
                target: "redis_push",
                %error,
                link = self.link,
                node = self.node,
                failures,
                outage = ?length,
                "not all subscriptions are confirmed; retrying"
            );
        }
    }

    /// Records and logs that every name of the handlers is confirmed, or denied.
    pub(super) fn ended(&self, handlers: NameCounts, streams: NameCounts) {
        let what = if handlers.all + streams.all == 0 && self.node.is_some() {
            "connected; no subscription is on this node"
        } else if handlers.denied > 0 {
            "connected; some subscriptions are denied"
        } else if streams.denied + streams.pending() > 0 {
            "connected; all subscriptions of handlers are confirmed, some of streams are not"
        } else {
            "connected; all subscriptions are confirmed"
        };
        match self.end(clock::now()) {
            Some(Report { length, failures }) => {
                tracing::info!(
                    target: "redis_push",
                    link = self.link,
                    node = self.node,
                    failures,
                    outage = ?length,
                    "{what}"
                );
            }
            // A node of a cluster is connected to before it has a name, and after its last one has moved.
            None if handlers.all + streams.all == 0 && self.node.is_some() => {}
            None => {
                tracing::info!(target: "redis_push", link = self.link, node = self.node, "{what}");
            }
        }
    }

    /// Records that a node of a cluster has said which node has which slots, and logs it after a failure.
    pub(super) fn has_map(&self) {
        if let Some(Report { length, failures }) = self.end(clock::now()) {
            tracing::info!(
                target: "redis_push",
                failures,
                outage = ?length,
                "a node of the cluster says which node has which slots"
            );
        }
    }

    fn record(&self, now: Instant, reason: &str) -> Option<Report> {
        let mut ongoing = self.ongoing.lock();
        let ongoing = ongoing.get_or_insert_with(|| Ongoing {
            since: now,
            failures: 0,
            reasons: Vec::new(),
            next: now,
            pause: FIRST_PAUSE,
        });
        ongoing.failures += 1;
        let is_new = ongoing.reasons.len() < MOST_REASONS
            && !ongoing.reasons.iter().any(|known| known == reason);
        if is_new {
            ongoing.reasons.push(reason.to_owned());
        }
        let is_due = now >= ongoing.next;
        if is_due {
            ongoing.next = now + ongoing.pause;
            ongoing.pause = (ongoing.pause * 2).min(LONGEST_PAUSE);
        }
        (is_new || is_due).then(|| ongoing.report(now))
    }

    fn end(&self, now: Instant) -> Option<Report> {
        let ongoing = self.ongoing.lock().take();
        ongoing.map(|ongoing| ongoing.report(now))
    }
}

impl Ongoing {
    fn report(&self, now: Instant) -> Report {
        Report {
            length: now - self.since,
            failures: self.failures,
        }
    }
}

/// The length of an outage so far, and the number of its failures.
#[derive(Debug, PartialEq, Eq)]
struct Report {
    length: Duration,
    failures: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    /// The seconds at which a failure in each second of an hour is logged.
    fn logged(outage: &Outage, begin: Instant, reason: impl Fn(u64) -> String) -> Vec<u64> {
        let is_logged = |second: &u64| {
            outage
                .record(begin + seconds(*second), &reason(*second))
                .is_some()
        };
        (0..3_600).filter(is_logged).collect()
    }

    #[test]
    fn an_outage_logs_its_first_failure_then_at_growing_intervals_and_its_end() {
        let (outage, begin) = (Outage::default(), clock::now());
        let at = logged(&outage, begin, |_| "refused".to_owned());
        assert_eq!(
            at,
            [0, 5, 15, 35, 75, 155, 315, 635, 1235, 1835, 2435, 3035]
        );
        let report = outage.end(begin + seconds(3_600));
        let (length, failures) = (seconds(3_600), 3_600);
        assert_eq!(report, Some(Report { length, failures }));
        assert_eq!(outage.end(begin), None);
        assert!(outage.record(begin, "refused").is_some(), "the next outage");
    }

    #[test]
    fn a_new_reason_is_logged_at_once_unless_there_are_too_many() {
        let (outage, begin) = (Outage::default(), clock::now());
        let alternating = |second| format!("reason {}", second % 2);
        assert_eq!(logged(&outage, begin, alternating)[..4], [0, 1, 5, 15]);
        outage.end(begin);
        let changing = |second| format!("reason {second}");
        assert_eq!(
            logged(&outage, begin, changing)[..10],
            [0, 1, 2, 3, 4, 5, 6, 7, 15, 35]
        );
    }
}
