//! What streams log about single messages and loads: at most one line a second for the streams of one label
//! and each event, so that a flood of bad messages is not a flood of lines.

use std::sync::Arc;
use std::time::Duration;

use super::counters::StreamCounters;
use crate::error::Rejection;
use crate::failure::{UNMATCHED, UNMATCHED_HINT};
use crate::push::Push;
use crate::subscription::Subscription;
use crate::util::{Escaped, RateLimit};

const REJECTED: &str = "message of a stream rejected";
const NOT_LOADED: &str = "snapshot not loaded";

/// The rate limits of the streams with one label.
#[derive(Debug)]
pub(super) struct StreamLog {
    rejected: RateLimit,
    unmatched: RateLimit,
    not_loaded: RateLimit,
}

impl StreamLog {
    pub(super) fn new(label: &str) -> Self {
        let limit = |event| RateLimit::of_streams(label.to_owned(), event);
        Self {
            rejected: limit(REJECTED),
            unmatched: limit(UNMATCHED),
            not_loaded: limit(NOT_LOADED),
        }
    }

    /// Logs a message that could not be decoded. The source of the rejection, such as an error of serde, may
    /// quote the payload and is left out.
    pub(super) fn rejected(&self, label: &str, push: Push<'_>, rejection: &Rejection) {
        self.rejected.report(|suppressed| {
            tracing::warn!(
                target: "redis_push", stream = label,
                channel = %Escaped(push.channel()),
                bytes = push.payload().len(),
                suppressed,
                "{REJECTED}: {rejection}"
            );
        });
    }

    /// Logs a push whose channel the glob matches and the template does not.
    pub(super) fn unmatched(&self, label: &str, push: Push<'_>) {
        let subscription = push.subscription();
        self.unmatched.report(|suppressed| {
            tracing::warn!(
                target: "redis_push", stream = label,
                channel = %Escaped(push.channel()),
                %subscription,
                suppressed,
                "{UNMATCHED}: {UNMATCHED_HINT}"
            );
        });
    }

    /// Logs that a function of the user has not loaded a snapshot.
    pub(super) fn not_loaded(
        &self,
        label: &str,
        names: &[Subscription],
        problem: &str,
        delay: Duration,
    ) {
        self.not_loaded.report(|suppressed| {
            let names: Vec<_> = names.iter().map(Subscription::name).collect();
            let channel = names.join(", ");
            tracing::error!(
                target: "redis_push", stream = label,
                channel = %Escaped(channel.as_bytes()),
                problem,
                ?delay,
                suppressed,
                "{NOT_LOADED}; the stream passes on no message until it is"
            );
        });
    }

    /// Logs how many lines were left out since the last ones.
    pub(super) fn flush(&self) {
        for limit in [&self.rejected, &self.unmatched, &self.not_loaded] {
            limit.flush();
        }
    }
}

/// Logs the loads of one stream's snapshots.
pub(super) struct LoadLog {
    counters: Arc<StreamCounters>,
    /// What the stream listens to. Its label may be a template, which many streams have.
    names: Arc<[Subscription]>,
}

impl LoadLog {
    pub(super) fn new(counters: &Arc<StreamCounters>, names: &Arc<[Subscription]>) -> Self {
        Self {
            counters: Arc::clone(counters),
            names: Arc::clone(names),
        }
    }

    /// Logs that a function of the user has not loaded a snapshot.
    pub(super) fn not_loaded(&self, problem: &str, delay: Duration) {
        self.counters.log_not_loaded(&self.names, problem, delay);
    }
}
