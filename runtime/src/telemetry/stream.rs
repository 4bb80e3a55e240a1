use serde::{Deserialize, Serialize};

/// The counts of the streams that listen to the same template, or to the same kind of name.
///
/// A message is queued until a stream has read it or has passed it, or until the stream ends. So
/// `received = taken + rejected + unmatched + dropped + superseded + cancelled + queued`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StreamStats {
    /// The template, or the kind of the name.
    pub listens_to: String,
    /// The streams that have not ended.
    pub open: u64,
    /// Messages that have entered the buffers of the streams since they have begun: for each stream, each
    /// message. They are equal to [`accounted`](Self::accounted) when nothing is under way, and otherwise
    /// equal or greater.
    pub received: u64,
    /// Messages that were decoded and returned.
    pub taken: u64,
    /// Messages that could not be decoded.
    pub rejected: u64,
    /// Messages that the glob matches but the template does not.
    pub unmatched: u64,
    /// Messages that were lost because the stream was too slow, or because all buffers together had
    /// reached their limit.
    pub dropped: u64,
    /// Messages that were skipped for newer ones, with [`latest`](crate::Subscribe::latest).
    pub superseded: u64,
    /// Messages that waited when the stream was dropped.
    pub cancelled: u64,
    /// Messages that wait to be read, with those that a stream has read since it last ran out of them.
    #[serde(default)]
    pub queued: u64,
    /// Gaps that were reported, without the initial ones.
    pub gaps: u64,
}

impl StreamStats {
    /// Returns the sum of all that messages have become.
    #[must_use]
    pub fn accounted(&self) -> u64 {
        self.taken
            + self.rejected
            + self.unmatched
            + self.dropped
            + self.superseded
            + self.cancelled
            + self.queued
    }
}
