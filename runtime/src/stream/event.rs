use std::fmt;

use crate::error::Rejection;
use crate::gap::Gap;

/// An item of an [`EventStream`](crate::EventStream).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event<T> {
    /// A message.
    Message(T),
    /// Messages may be missing here: between what was received before and what follows. What the
    /// program knows from earlier messages may be out of date, so it should be loaded again.
    ///
    /// The first item of each stream is one, with the cause
    /// [`Initial`](crate::GapCause::Initial): what is loaded then has nothing missing to what follows.
    Gap(Gap),
    /// A message that could not be decoded. The stream goes on. It is counted, and logged without its
    /// payload, at most once a second for all streams of a template.
    Rejected(Rejection),
}

/// Why a stream is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StreamEnd {
    /// The subscriber was shut down, or its last [`Handle`](crate::Handle) was dropped.
    SubscriberEnded,
}

impl fmt::Display for StreamEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SubscriberEnded => "the subscriber has ended",
        })
    }
}
