//! The wait until the reaction to a message is over.

use std::time::Duration;

use tokio::runtime::RuntimeFlavor;
use tokio::time::timeout;

use super::TestKit;
use crate::error::{Error, Result};

/// How long a reaction may take by a paused clock, which a handler may make jump.
pub(super) const PAUSED: Duration = Duration::from_secs(60 * 60);

/// How long a reaction may take by the clock of the system.
pub(super) const REAL: Duration = Duration::from_secs(30);

/// How many deliveries may follow those that wait when the wait begins.
pub(super) const MOST: u64 = 10_000;

impl TestKit {
    /// Waits until what the application does [is over](Self#when-a-reaction-is-over): after a change that
    /// the test has made with a client of its own, for example.
    ///
    /// # Errors
    ///
    /// Returns an error if it goes on ([`Error::is_timeout`]): it names the handlers. And if the clock is
    /// paused in a live run.
    pub async fn settle(&self) -> Result<()> {
        self.server.refuse_paused()?;
        let begun = self.ledger.counts();
        let settling = async {
            let mut most = None;
            // Each pass may find what the pass before has caused.
            loop {
                let before = self.ledger.activity();
                self.handle.fence().await?;
                let most = most.get_or_insert_with(|| {
                    self.most + self.ledger.deliveries() + self.handle.outstanding()
                });
                if !self.is_quiet_within(*most).await {
                    return Ok(false);
                }
                self.let_streams_read().await;
                if self.ledger.activity() == before {
                    return Ok(true);
                }
            }
        };
        let within = self.within;
        match timeout(within, settling).await {
            Ok(Ok(true)) => Ok(()),
            Ok(Ok(false)) => {
                let ended = self.ledger.counts().into_iter();
                let busy = ended.filter_map(|(label, count)| {
                    let more = count - begun.get(&label).copied().unwrap_or(0).min(count);
                    (more > 0).then(|| format!("\n  {label}: {more} deliveries"))
                });
                let busy: String = busy.collect();
                Err(Error::timeout(format!(
                    "the reaction is not over after more than {} deliveries; do handlers answer each \
                     other?{busy}",
                    self.most
                )))
            }
            Ok(Err(error)) => Err(error),
            Err(_) => Err(self.not_over(within)),
        }
    }

    /// Waits until no handler has anything to do, and no publish is under way. Returns false once there were
    /// more than `most` deliveries.
    async fn is_quiet_within(&self, most: u64) -> bool {
        let mut changes = self.ledger.changes();
        loop {
            changes.mark_unchanged();
            if self.ledger.deliveries() > most {
                return false;
            }
            if self.ledger.publishing() == 0 && self.handle.unsettled().is_empty() {
                return true;
            }
            // What a handler does is notified. The failure hook and a restarted task are not.
            let _ = timeout(self.server.tick(), changes.changed()).await;
        }
    }

    /// Lets the readers of streams take what has arrived, as long as they do. They are woken already: on a
    /// runtime with one thread they have run after a yield. Other threads need a moment to begin.
    async fn let_streams_read(&self) {
        const IDLE: usize = 8;
        const MOMENT: Duration = Duration::from_millis(2);
        let flavor = tokio::runtime::Handle::current().runtime_flavor();
        let is_one_thread = matches!(flavor, RuntimeFlavor::CurrentThread);
        let mut changes = self.ledger.changes();
        let mut queued = self.handle.queued_for_streams();
        let mut idle = 0;
        while queued > 0 && idle < IDLE {
            if is_one_thread {
                tokio::task::yield_now().await;
            } else {
                changes.mark_unchanged();
                let _ = timeout(MOMENT, changes.changed()).await;
            }
            let before = std::mem::replace(&mut queued, self.handle.queued_for_streams());
            idle = if queued == before { idle + 1 } else { 0 };
        }
    }

    fn not_over(&self, within: Duration) -> Error {
        let mut reasons = self.handle.unsettled();
        match self.ledger.publishing() {
            0 => {}
            publishing => reasons.push(format!("{publishing} publishes are under way")),
        }
        if reasons.is_empty() {
            reasons.push(format!(
                "the subscriber has not answered: {}",
                self.handle.health()
            ));
        }
        Error::timeout(format!(
            "the reaction is not over within {within:?}:\n  {}",
            reasons.join("\n  ")
        ))
    }
}
