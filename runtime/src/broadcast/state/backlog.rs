//! What a reader has not received.

use std::time::SystemTime;

use super::ChannelState;
use super::receive::Known;
use crate::util::Key;

/// The backlog of one reader, for the statistics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Backlog {
    /// How many pushes have a number and were appended since the reader has joined.
    pub(crate) end: u64,
    /// How many pushes were replaced by newer ones before they had a number.
    pub(crate) superseded: u64,
    /// How many pushes with a number were skipped for newer ones, including those that the reader has
    /// not reached yet.
    pub(crate) skipped: u64,
    /// How many pushes were dropped before the reader could receive them, including those that it
    /// has not reached yet.
    pub(crate) missed: u64,
    /// How many pushes wait to be received.
    pub(crate) waiting: u64,
    /// When the batch of the oldest of them was opened.
    pub(crate) oldest: Option<SystemTime>,
    /// When the batch was opened that the reader has received last.
    pub(crate) in_hand: Option<SystemTime>,
}

/// What a reader has not received when it leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rest {
    /// How many pushes were dropped, and were not reported to it.
    pub(crate) missed: u64,
    /// How many pushes were replaced or skipped for newer ones, and were not reported to it.
    pub(crate) superseded: u64,
    /// How many pushes it could have received.
    pub(crate) waiting: u64,
    /// How many pushes have entered the channel since it has joined.
    pub(crate) entered: u64,
}

/// What has entered the channels of several readers, for each reader since it has joined.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Entered {
    /// How many pushes.
    pub(crate) pushes: u64,
    /// How many of them were replaced by newer ones before they had a number.
    pub(crate) superseded: u64,
}

impl ChannelState {
    /// Returns the backlog of a reader; after its receiver was dropped, the backlog at that time.
    pub(in crate::broadcast) fn backlog(&self, reader: Key) -> Backlog {
        let reader = &self.readers[reader];
        if let Some(left) = &reader.left {
            return **left;
        }
        let position = self.queue.caught_up(reader.position, reader.pace.limit());
        let (missed, skipped) = reader.split(position.push - reader.position.push);
        let missed = missed + self.queue.missing(position);
        let end = self.queue.end() - reader.joined;
        let passed = reader.position.push - reader.joined;
        let waiting = end - passed - missed - skipped;
        Backlog {
            end,
            superseded: self.queue.superseded(),
            skipped: reader.skipped + skipped,
            missed: reader.missed + missed,
            waiting,
            in_hand: Some(reader.opened),
            oldest: (waiting > 0).then(|| self.queue.oldest(position)).flatten(),
        }
    }

    /// Returns what a reader has not received.
    pub(in crate::broadcast) fn rest(&self, key: Key) -> Rest {
        let reader = &self.readers[key];
        let backlog = self.backlog(key);
        let missed = backlog.missed - reader.missed;
        let skipped = backlog.skipped - reader.skipped;
        Rest {
            missed,
            superseded: skipped + backlog.superseded,
            waiting: backlog.waiting,
            entered: backlog.end + backlog.superseded,
        }
    }

    /// Adds for each reader with a label what has entered the channel since it has joined.
    pub(in crate::broadcast) fn add_entered(&self, by_label: &mut [Entered]) {
        let superseded = self.queue.superseded();
        let end = self.queue.end() + superseded;
        for reader in self.readers.here() {
            if let Some(entered) = by_label.get_mut(usize::from(reader.label)) {
                entered.pushes += end - reader.joined;
                entered.superseded += superseded;
            }
        }
    }

    /// Returns which losses there are for a reader to know of.
    pub(in crate::broadcast) fn losses(&self, reader: Key) -> Known {
        Known {
            segment: self.segments.current(),
            missed: self.backlog(reader).missed,
        }
    }
}
