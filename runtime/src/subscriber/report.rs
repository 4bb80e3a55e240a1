use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::telemetry::Stats;

/// The result of a [shutdown](crate::Handle::shutdown).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// The final counts.
    pub stats: Stats,
    /// How long the shutdown took.
    pub took: Duration,
}

impl ShutdownReport {
    /// Returns the number of messages that had arrived and were not delivered.
    #[must_use]
    pub fn cancelled(&self) -> u64 {
        self.stats
            .handlers
            .iter()
            .map(|handler| handler.cancelled)
            .sum()
    }
}

impl fmt::Display for ShutdownReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stats, took } = self;
        writeln!(f, "{stats}")?;
        write!(f, "shut down in {took:.3?}, {} cancelled", self.cancelled())
    }
}
