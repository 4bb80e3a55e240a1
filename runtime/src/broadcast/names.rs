//! What the dispatcher reports of the names of a channel: confirmations, ends and losses.

use std::task::Waker;
use std::time::SystemTime;

use super::concerned::Concerned;
use super::confirmations::{Confirmed, Left};
use super::segments::GapStart;
use super::shared::Shared;
use crate::gap::{GapCause, Missed};
use crate::push::Generation;

impl Shared {
    /// Records that the server has confirmed the subscription at `index`. The first confirmation of
    /// a generation begins a segment after the gap `before`.
    pub(crate) fn confirm(
        &self,
        index: usize,
        generation: Generation,
        before: GapStart,
        wakers: &mut Vec<Waker>,
    ) {
        self.confirm_moved(index, generation, before, None, wakers);
    }

    /// Like [`confirm`](Self::confirm), for a name that may have `left` another node.
    pub(crate) fn confirm_moved(
        &self,
        index: usize,
        generation: Generation,
        before: GapStart,
        left: Option<Left>,
        wakers: &mut Vec<Waker>,
    ) {
        let mut state = self.lock();
        let names = &mut state.confirmations;
        let confirmed = names.confirm(index, generation, before.since, left);
        // What was lost with the connection to another node was lost there.
        let before = left.map_or(before, |left| left.before);
        match confirmed {
            Confirmed::First(since, concerned) if state.segments.current() > 0 => {
                let mut before = GapStart { since, ..before };
                // The connection that was lost was not of the node that this is known of.
                if before.cause == GapCause::Initial {
                    (before.cause, before.missed) = (GapCause::ConnectionLost, Missed::Unknown);
                }
                state.begin_segment(before, concerned);
            }
            // Nothing was live on this channel before, so earlier connections have lost nothing.
            Confirmed::First(since, _) => {
                let before = GapStart {
                    cause: GapCause::Initial,
                    missed: Missed::Exactly(0),
                    since,
                };
                state.begin_segment(before, Concerned::All);
            }
            Confirmed::Again(since) => {
                let before = GapStart {
                    cause: match left {
                        Some(_) => GapCause::Moved,
                        None => GapCause::Resubscribed,
                    },
                    missed: Missed::Unknown,
                    since,
                };
                let name = state.confirmations.concerned(index);
                state.begin_segment(before, name);
            }
            Confirmed::Joined(since) => {
                let before = GapStart {
                    cause: GapCause::Moved,
                    missed: Missed::Unknown,
                    since,
                };
                let name = state.confirmations.concerned(index);
                state.begin_segment(before, name);
            }
            Confirmed::More => {}
        }
        state.wake_if_settled(wakers);
    }

    /// Adds a name to those that have to be confirmed, and returns its index among them. It is one more of the
    /// subscription at `index` in the channel's list. If the channel is live without it, its confirmation
    /// begins a segment after a gap since a time.
    pub(crate) fn add_name(&self, index: u32, since: SystemTime) -> usize {
        let mut state = self.lock();
        let is_live = state.segments.current() > 0;
        state.confirmations.add(index, is_live.then_some(since))
    }

    /// Removes a name from those that have to be confirmed. If it is not, what it has missed is a gap.
    pub(crate) fn remove_name(&self, index: usize, wakers: &mut Vec<Waker>) {
        let mut state = self.lock();
        let concerned = state.confirmations.concerned(index);
        if let Some(since) = state.confirmations.remove(index)
            && state.segments.current() > 0
        {
            let before = GapStart {
                cause: GapCause::Moved,
                missed: Missed::Unknown,
                since,
            };
            state.begin_segment(before, concerned);
        }
        state.wake_if_settled(wakers);
    }

    /// Records that the subscription at `index` was denied or ended by the server, and that no push
    /// has arrived through it since `since`.
    pub(crate) fn turn_off(
        &self,
        index: usize,
        generation: Generation,
        before: GapStart,
        since: SystemTime,
        wakers: &mut Vec<Waker>,
    ) {
        let mut state = self.lock();
        let names = &mut state.confirmations;
        names.turn_off(index, generation, before.since, since);
        state.wake_if_settled(wakers);
    }

    /// Lets readers begin without the name at `index`, unless it is confirmed.
    pub(crate) fn waive(&self, index: usize, wakers: &mut Vec<Waker>) {
        let mut state = self.lock();
        state.confirmations.waive(index);
        state.wake_if_settled(wakers);
    }

    /// Begins a segment after a gap in which the end of a subscription may have been lost as well. So
    /// another gap follows when a name is confirmed again.
    pub(crate) fn interrupt_names(&self, before: GapStart, wakers: &mut Vec<Waker>) {
        self.lock().confirmations.doubt(before.since);
        self.interrupt(before, wakers);
    }

    /// Begins a segment after a gap of all names, on a connection that stays up.
    pub(crate) fn interrupt(&self, before: GapStart, wakers: &mut Vec<Waker>) {
        self.lock().interrupt(before, Concerned::All, wakers);
    }

    /// Begins a segment after a gap of the subscription at `index` in the channel's list, on a connection that
    /// stays up: a payload was too large, for example.
    pub(crate) fn interrupt_one(&self, index: u32, before: GapStart, wakers: &mut Vec<Waker>) {
        let mut state = self.lock();
        let concerned = state.confirmations.of_list(std::iter::once(index));
        state.interrupt(before, concerned, wakers);
    }

    /// Records that a subscription may have missed something since a time, and is about to be confirmed elsewhere.
    /// That is told by its gap there, or by one now. The name is at `name` among those that have to be confirmed,
    /// and the subscription at `index` in the channel's list.
    pub(crate) fn doubt(&self, name: usize, index: u32, before: GapStart, wakers: &mut Vec<Waker>) {
        let mut state = self.lock();
        if !state.confirmations.doubt_one(name, before.since) {
            let concerned = state.confirmations.of_list(std::iter::once(index));
            state.interrupt(before, concerned, wakers);
        }
    }

    /// Removes a name that nobody wants any more, so that nobody has missed anything.
    pub(crate) fn forget_name(&self, index: usize) {
        let mut state = self.lock();
        state.confirmations.remove(index);
        // Nobody reads from the channel.
        state.wake_if_settled(&mut Vec::new());
    }
}
