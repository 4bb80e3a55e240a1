//! A checked reader, shared by the models of the broadcast channel and of the dispatcher.

use std::time::SystemTime;

use crate::broadcast::{Budget, GapStart, Received, Receiver};
use crate::gap::{GapCause, Missed};
use crate::push::Batch;
use crate::util::model::block_on;

/// One reader, with what it has received.
pub(crate) struct Reader {
    pub(crate) receiver: Receiver,
    /// The number of the next push to receive.
    pub(crate) position: u64,
    pub(crate) missed: u64,
    pub(crate) gaps: Vec<GapCause>,
}

impl Reader {
    pub(crate) fn new(receiver: Receiver) -> Self {
        Self {
            receiver,
            position: 0,
            missed: 0,
            gaps: Vec::new(),
        }
    }

    /// Reads until this many pushes are accounted for.
    pub(crate) fn read_to(mut self, count: u64) -> Self {
        while self.position < count {
            assert!(self.read(), "the channel is open");
        }
        assert_eq!(self.position, count);
        self
    }

    /// Reads until the channel is closed and drained.
    pub(crate) fn read_to_the_end(mut self) -> Self {
        while self.read() {}
        self
    }

    /// Reads a gap or a batch, and checks that each push follows the previous one. Returns false at
    /// the end.
    pub(crate) fn read(&mut self) -> bool {
        let Some(Received {
            gap, missed, batch, ..
        }) = block_on(self.receiver.recv())
        else {
            return false;
        };
        assert!(missed == 0 || gap.is_some(), "every miss is reported");
        if let Some(gap) = &gap {
            let reported = match gap.missed {
                Missed::Exactly(reported) | Missed::AtLeast(reported) => reported,
                _ => 0,
            };
            assert_eq!(reported, missed, "{gap:?}");
            self.gaps.push(gap.cause);
        }
        self.position += missed;
        self.missed += missed;
        if let Some(skip) = batch {
            let batch = self.receiver.batch().expect("just received");
            for index in skip..batch.len() {
                assert_eq!(number(batch, index), self.position, "order, no duplicate");
                self.position += 1;
            }
        }
        true
    }
}

/// Returns the payload of the push with this number.
pub(crate) fn payload(number: u64) -> [u8; 8] {
    number.to_be_bytes()
}

fn number(batch: &Batch, index: usize) -> u64 {
    u64::from_be_bytes(batch.bytes()[batch.payload(index)].try_into().unwrap())
}

/// Returns a budget of this many messages.
pub(crate) fn holds(messages: usize) -> Budget {
    Budget {
        messages,
        ..Budget::default()
    }
}

pub(crate) fn since(cause: GapCause) -> GapStart {
    GapStart {
        cause,
        missed: Missed::Unknown,
        since: SystemTime::now(),
    }
}
