use serde::{Deserialize, Serialize};

/// Gaps by their [causes](crate::GapCause), without the initial ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct GapCounts {
    /// Gaps of [lost connections](crate::GapCause::ConnectionLost).
    pub connection_lost: u64,
    /// Gaps of subscriptions that the server had [ended or denied](crate::GapCause::Resubscribed).
    pub resubscribed: u64,
    /// Gaps of names that have [moved](crate::GapCause::Moved) to another node.
    pub moved: u64,
    /// Gaps of links between the nodes of a cluster that were [reset](crate::GapCause::Bus).
    pub bus: u64,
    /// Gaps of handlers that were [too slow](crate::GapCause::Lagged).
    pub lagged: u64,
    /// Gaps of payloads that were [too large](crate::GapCause::Oversized).
    pub oversized: u64,
    /// Gaps of [restarts](crate::GapCause::Restarted) of handlers' loops.
    pub restarted: u64,
    /// Gaps of [requested](crate::GapCause::Requested) resyncs.
    pub requested: u64,
}

impl GapCounts {
    /// The names of the causes, in the order of the fields.
    pub(crate) const CAUSES: [&'static str; 8] = [
        "connection_lost",
        "resubscribed",
        "moved",
        "bus",
        "lagged",
        "oversized",
        "restarted",
        "requested",
    ];

    /// Returns the number of all these gaps.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts().iter().sum()
    }

    /// The counts in the order of [`CAUSES`](Self::CAUSES).
    pub(crate) fn from_counts(counts: [u64; Self::CAUSES.len()]) -> Self {
        let [
            connection_lost,
            resubscribed,
            moved,
            bus,
            lagged,
            oversized,
            restarted,
            requested,
        ] = counts;
        Self {
            connection_lost,
            resubscribed,
            moved,
            bus,
            lagged,
            oversized,
            restarted,
            requested,
        }
    }

    fn counts(&self) -> [u64; Self::CAUSES.len()] {
        [
            self.connection_lost,
            self.resubscribed,
            self.moved,
            self.bus,
            self.lagged,
            self.oversized,
            self.restarted,
            self.requested,
        ]
    }

    /// Returns the names of the causes with the counts.
    pub(crate) fn by_cause(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Self::CAUSES.into_iter().zip(self.counts())
    }

    pub(super) fn add(&mut self, other: Self) {
        let (mut sum, more) = (self.counts(), other.counts());
        sum.iter_mut()
            .zip(more)
            .for_each(|(sum, more)| *sum += more);
        *self = Self::from_counts(sum);
    }
}
