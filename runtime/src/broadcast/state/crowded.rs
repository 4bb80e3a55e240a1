//! What readers wait for while many of them are woken: see [`Crowd`](crate::broadcast::Crowd).

use std::sync::Arc;
use std::task::Waker;

use super::ChannelState;
use crate::broadcast::crowd::Number;
use crate::broadcast::shared::Shared;
use crate::util::Key;

/// What a channel knows of the crowds of its dispatcher.
#[derive(Debug, Default)]
pub(in crate::broadcast) struct CrowdState {
    /// The last crowd to which the channel has contributed its readers. Zero stands for none.
    number: Number,
    /// The crowd with readers of the channel that was woken when a tail was opened. Zero stands for none. A tail
    /// that is opened because the last one was full is not noted, and counts as the last one.
    opened_in: Number,
    /// Whether the channel is listed, since a reader waits until all of the crowd are awake.
    is_listed: bool,
}

impl ChannelState {
    /// Records, before an append that opens the tail, whether readers of the channel are in the crowd that is woken.
    #[inline]
    pub(super) fn note_crowd(&mut self) {
        if self.readers.are_crowd() && !self.queue.has_open() {
            let number = self.crowd.number;
            let underway = self.queue.crowd().underway();
            self.crowd.opened_in = underway.filter(|crowd| *crowd == number).unwrap_or(0);
        }
    }

    /// Moves the wakers of the readers that wait to `wakers` after an append, unless they would only go on waiting
    /// for the crowd.
    #[inline]
    pub(super) fn collect_wakers_of_appended(&mut self, wakers: &mut Vec<Waker>) {
        if self.readers.are_crowd() && self.crowd.is_listed && self.gathers() {
            return;
        }
        self.contribute(wakers);
    }

    /// Moves the wakers of the readers that wait to `wakers`, and records which crowd they are of.
    fn contribute(&mut self, wakers: &mut Vec<Waker>) {
        if self.readers.are_many_waiting() {
            self.crowd.number = self.queue.crowd().next();
        }
        self.readers.collect_wakers(wakers);
    }

    /// Returns whether the tail is kept for the next crowd. It is as long as it is small: nobody may miss a push that
    /// would have been received in time.
    fn gathers(&self) -> bool {
        let opened_in = self.crowd.opened_in;
        opened_in > 0
            && self.queue.crowd().underway() == Some(opened_in)
            && !self.closed
            && self.queue.is_within(2)
            && self.queue.tail_len() <= self.readers.nearest() / 4
    }

    /// Returns whether a reader has nothing to receive but what is kept for the next crowd, and has to wait until all
    /// of the present one are awake.
    #[inline]
    pub(in crate::broadcast) fn must_wait_for_crowd(
        &mut self,
        reader: Key,
        shared: &Arc<Shared>,
    ) -> bool {
        self.readers.are_crowd() && self.crowd.opened_in > 0 && self.waits_for_crowd(reader, shared)
    }

    fn waits_for_crowd(&mut self, reader: Key, shared: &Arc<Shared>) -> bool {
        let reader = &self.readers[reader];
        let position = self.queue.caught_up(reader.position, reader.pace.limit());
        if !self.gathers() || !self.queue.is_at_tail(position) {
            return false;
        }
        if !self.crowd.is_listed {
            // If all are awake just now, nobody would wake the reader.
            let crowd = self.queue.crowd();
            self.crowd.is_listed = crowd.list(self.crowd.opened_in, shared);
        }
        self.crowd.is_listed
    }

    /// Moves the wakers of the readers that wait to `wakers`, since all of the crowd are awake.
    pub(in crate::broadcast) fn end_crowd(&mut self, wakers: &mut Vec<Waker>) {
        self.crowd.is_listed = false;
        self.contribute(wakers);
    }
}
