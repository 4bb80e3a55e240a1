//! What a stream reads from.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::Dispatcher;
use super::streams::{Confirmed, Names};
use crate::broadcast::{Received, Receiver, Rest};
use crate::push::Batch;

/// A reader of the messages of some names. Dropping it lets go of the names.
pub(crate) struct StreamReader {
    pub(super) receiver: Receiver,
    pub(super) dispatcher: Arc<Dispatcher>,
    pub(super) names: Names,
}

impl StreamReader {
    /// Waits until every name is confirmed, or one is denied.
    pub(crate) fn poll_confirmed(&mut self, cx: &mut Context<'_>) -> Poll<Confirmed> {
        // The waker is registered before the denials are read, so none is missed.
        let begun = self.receiver.poll_begun(cx);
        if let Some((subscription, reason)) = self.dispatcher.lock().denial(&self.names) {
            return Poll::Ready(Confirmed::Denied(subscription, reason));
        }
        begun.map(|has_begun| {
            if has_begun {
                Confirmed::Yes
            } else {
                Confirmed::Ended
            }
        })
    }

    /// Returns whether every name is confirmed on the current connection. If it is, everything that was
    /// lost before the confirmation is reported by a gap that can be received now.
    pub(crate) fn is_live(&self) -> bool {
        let open = &self.dispatcher.open;
        match self.names {
            // The events come from the sessions, in whichever generation, and none is missed.
            Names::Connection(_) => open.is_any() && self.receiver.is_confirmed(|_| true),
            _ => self.receiver.is_confirmed(|generation| open.is(generation)),
        }
    }

    /// Waits for the next gap or batch.
    pub(crate) fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<Received>> {
        self.receiver.poll_recv(cx)
    }

    /// Waits until the subscriber has ended, whatever waits to be received.
    pub(crate) fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.receiver.poll_closed(cx)
    }

    /// Returns the batch of what was received last, if that has one.
    pub(crate) fn batch(&self) -> Option<&Arc<Batch>> {
        self.receiver.batch()
    }

    /// Sets what the pushes of the stream are counted under.
    pub(crate) fn set_label(&self, label: u16) {
        self.receiver.set_label(label);
    }

    /// Returns what the stream has not received.
    pub(crate) fn rest(&self) -> Rest {
        self.receiver.rest()
    }
}

impl Drop for StreamReader {
    fn drop(&mut self) {
        self.dispatcher.unsubscribe(&self.names);
    }
}

impl fmt::Debug for StreamReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamReader").finish_non_exhaustive()
    }
}
