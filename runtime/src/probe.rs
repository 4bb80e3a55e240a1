//! What the test kit sees of a running subscriber.
//!
//! Handlers, streams and publishers report to a [`Probe`] what they do, if there is one. There is one in
//! [`TestKit`](crate::testing::TestKit) only, which implements it. This module knows nothing of the kit, so
//! that every floor below it can import this.

use std::fmt;
use std::sync::Arc;

use crate::error::{Fault, Rejection};
use crate::gap::Gap;
use crate::push::Push;

/// Receives what happens. It runs on the tasks of handlers and streams, and must not block.
pub(crate) trait Probe: fmt::Debug + Send + Sync {
    /// A delivery begins. Returns the error with which it ends, instead of the handler's call.
    fn begins(&self, handler: Subject<'_>, push: Push<'_>) -> Option<Fault>;

    /// A delivery has ended. The counters do not know it yet: see [`changed`](Self::changed).
    fn ends(&self, handler: Subject<'_>, push: Push<'_>, ending: Ending);

    /// A gap was reported, and the gap handler succeeded, or failed for a reason.
    fn reports_gap(&self, handler: Subject<'_>, gap: &Gap, problem: Option<String>);

    /// The reader of a stream has taken something.
    fn streamed(&self, stream: &str, item: Streamed<'_>);

    /// A publisher sends a message. Every call is followed by one of [`published`](Self::published).
    fn publishes(&self);

    /// A publisher has sent a message, and the server has accepted it or not. `None` if the publisher's
    /// caller has stopped waiting.
    fn published(&self, message: Option<Published<'_>>);

    /// The counters of a handler have changed.
    fn changed(&self);
}

/// A probe that many share.
pub(crate) type SharedProbe = Arc<dyn Probe>;

/// A handler: its name, and where it is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'a> {
    pub(crate) name: &'a str,
    pub(crate) place: Option<(&'static str, u32)>,
    /// The name of its gap handler.
    pub(crate) on_gap: Option<&'a str>,
}

/// How a delivery ended, with the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Handled,
    Failed(String),
    Rejected(String),
    Panicked(String),
    TimedOut,
    Unmatched,
    Skipped,
}

/// What a stream has returned to its reader.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Streamed<'a> {
    Message(Push<'a>),
    Rejected(Push<'a>, &'a Rejection),
    Gap(&'a Gap),
}

/// A message that was sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Published<'a> {
    pub(crate) channel: &'a [u8],
    /// How many bytes of the channel's name are the prefix of the publisher.
    pub(crate) prefix_len: usize,
    pub(crate) payload: &'a [u8],
    pub(crate) is_shard: bool,
    /// Why it was not accepted.
    pub(crate) problem: Option<&'a str>,
}
