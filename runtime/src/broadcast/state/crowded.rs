//! What readers wait for while many of them are woken: see [`Crowd`].

use std::sync::Arc;
use std::task::Waker;

use super::ChannelState;
use crate::broadcast::crowd::Crowd;
use crate::broadcast::shared::Shared;
use crate::util::Key;

/// What a channel knows of the crowd of its dispatcher.
#[derive(Debug, Default)]
pub(in crate::broadcast) struct CrowdState {
    crowd: Option<Arc<Crowd>>,
    /// The crowd that was woken when the tail was opened. Zero stands for none.
    opened_in: u32,
    /// Whether the channel is listed, since a reader waits until all of the crowd are awake.
    is_listed: bool,
}

impl CrowdState {
    pub(in crate::broadcast) fn follow(&mut self, crowd: Arc<Crowd>) {
        self.crowd = Some(crowd);
    }

    /// Returns the crowd that is woken, if there is one.
    fn underway(&self) -> Option<u32> {
        self.crowd.as_ref()?.underway()
    }
}

impl ChannelState {
    /// Records which crowd is woken, before an append that opens the tail.
    #[inline]
    pub(super) fn note_crowd(&mut self) {
        if self.readers.are_crowd() && !self.queue.has_open() {
            self.crowd.opened_in = self.crowd.underway().unwrap_or(0);
        }
    }

    /// Returns whether a reader has nothing to receive but what has arrived since the crowd is woken, and has to wait
    /// until all are awake.
    #[inline]
    pub(in crate::broadcast) fn must_wait_for_crowd(
        &mut self,
        reader: Key,
        shared: &Arc<Shared>,
    ) -> bool {
        self.readers.are_crowd() && self.crowd.opened_in > 0 && self.waits_for_crowd(reader, shared)
    }

    fn waits_for_crowd(&mut self, reader: Key, shared: &Arc<Shared>) -> bool {
        let Some(crowd) = &self.crowd.crowd else {
            return false;
        };
        let opened_in = self.crowd.opened_in;
        let reader = &self.readers[reader];
        let position = self.queue.caught_up(reader.position, reader.pace.limit());
        if crowd.underway() != Some(opened_in) || self.closed || !self.queue.is_at_tail(position) {
            return false;
        }
        self.crowd.is_listed = self.crowd.is_listed || crowd.list(opened_in, shared);
        self.crowd.is_listed
    }

    /// Moves the wakers of the readers that wait to `wakers`, since all of the crowd are awake.
    pub(in crate::broadcast) fn end_crowd(&mut self, wakers: &mut Vec<Waker>) {
        self.crowd.is_listed = false;
        self.readers.collect_wakers(wakers);
    }
}
