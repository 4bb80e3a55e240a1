use std::sync::Arc;
use std::time::Duration;

use super::TestKit;
use super::ledger::Ledger;
use crate::subscriber::ShutdownReport;

/// How long handlers may take to finish.
const DEADLINE: Duration = Duration::from_secs(10);

impl TestKit {
    /// Shuts the subscriber down, as a program does at its end: handlers finish what has arrived, for at
    /// most ten seconds.
    pub async fn shutdown(self) -> KitReport {
        let report = self.handle.shutdown(DEADLINE).await;
        KitReport {
            report,
            ledger: self.ledger,
        }
    }
}

/// The result of a [shutdown](TestKit::shutdown) of a kit.
#[derive(Debug)]
#[must_use = "a message that was lost is only noticed by `assert_nothing_lost`"]
pub struct KitReport {
    report: ShutdownReport,
    ledger: Arc<Ledger>,
}

impl KitReport {
    /// Asserts that every message that has arrived was delivered: none was dropped by a full buffer or by a
    /// restart, but those that [`TestKit::lag`] has asked for, and none was cancelled by the shutdown. And
    /// that the failure hook has received every failure.
    ///
    /// Messages that were published during an outage have not arrived. The gaps report them.
    ///
    /// # Panics
    ///
    /// Panics if a message was lost, with the handlers.
    #[track_caller]
    pub fn assert_nothing_lost(&self) -> &Self {
        let stats = &self.report.stats;
        let all = stats.handlers.iter().chain(&stats.unmounted);
        let lost: Vec<_> = all
            .filter_map(|handler| {
                let name = &handler.handler;
                let dropped = handler.dropped.saturating_sub(self.ledger.lost(name));
                let unaccounted = handler.received.saturating_sub(handler.accounted());
                (dropped + handler.cancelled + unaccounted > 0).then(|| {
                    format!(
                        "\n  `{name}`: {dropped} dropped, {} cancelled, {unaccounted} not accounted for",
                        handler.cancelled
                    )
                })
            })
            .collect();
        assert!(lost.is_empty(), "messages were lost:{}", lost.concat());
        let failures = stats.failures.dropped;
        assert!(
            failures == 0,
            "the failure hook was too slow for {failures} failures"
        );
        self
    }

    /// Returns the report of the subscriber, with the final counts.
    #[must_use]
    pub fn report(&self) -> &ShutdownReport {
        &self.report
    }
}
