//! Gaps, as handlers receive them.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use crate::subscription::Subscription;

/// A span in which a handler may have missed messages.
///
/// A handler receives it in order with its messages: after every message before the gap, and before
/// any message after it. Messages that are lost together are reported as one gap.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Gap {
    /// Why messages may be missing.
    pub cause: GapCause,
    /// How many messages are missing, as far as that can be known.
    pub missed: Missed,
    /// A time before the first loss, by this machine's clock: everything that was published by then
    /// was delivered, or was in an earlier gap.
    ///
    /// It is the time at which a command was sent whose reply has arrived, usually a `PING`, so it
    /// may be up to `ping_interval` before the loss. It does not depend on how long messages have
    /// waited in the server or on the way. To reload what has changed, compare it with times of
    /// *this* machine: if the data carries the time of another machine, subtract by how much the two
    /// clocks may differ.
    pub since: SystemTime,
    /// A time after the last loss, by this machine's clock: the subscription was live again, or the
    /// messages that were dropped had arrived.
    pub until: SystemTime,
    /// `None` for all.
    names: Option<Arc<[Subscription]>>,
}

impl Gap {
    /// Creates a gap, for unit tests of gap handlers.
    #[must_use]
    pub fn new(cause: GapCause, missed: Missed, since: SystemTime, until: SystemTime) -> Self {
        Self {
            cause,
            missed,
            since,
            until,
            names: None,
        }
    }

    /// Returns the subscriptions that may have missed messages, out of those of the handler or stream.
    /// `None` stands for all of them.
    ///
    /// In a cluster, the names of a handler are on several nodes, and a node that is lost concerns those on it:
    /// a handler of 1,000 names on three nodes loads a third of its data again. The names are those that the
    /// server knows, with every prefix, as [`health`](crate::Handle::health) and
    /// [`stats`](crate::Handle::stats) show them.
    ///
    /// All names are concerned where it is not known which: if messages were dropped because the
    /// handler was slow or had to be restarted, and in gaps that are merged with such a gap.
    ///
    /// ```
    /// use redis_push::{Gap, gap_handler, push_handler};
    /// # async fn load(symbols: &[&str]) {}
    /// # const SYMBOLS: [&str; 2] = ["EURUSD", "GBPUSD"];
    ///
    /// #[push_handler(on_gap = reload, shard = ["EURUSD", "GBPUSD"])]
    /// async fn on_quote(quote: &str) {}
    ///
    /// #[gap_handler]
    /// async fn reload(gap: Gap) {
    ///     match gap.names() {
    ///         Some(names) => load(&names.iter().map(|name| name.name()).collect::<Vec<_>>()).await,
    ///         None => load(&SYMBOLS).await,
    ///     }
    /// }
    /// ```
    #[must_use]
    pub fn names(&self) -> Option<&[Subscription]> {
        self.names.as_deref()
    }

    /// Sets the subscriptions that may have missed messages, for unit tests of gap handlers.
    #[must_use]
    pub fn with_names(mut self, names: impl Into<Arc<[Subscription]>>) -> Self {
        self.names = Some(names.into());
        self
    }
}

/// Why a handler may have missed messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum GapCause {
    /// Nothing has been missed yet: the subscriptions of the handler are live for the first time, all but those
    /// that are denied, and those on nodes of a cluster that cannot be reached. Data that a
    /// handler loads now is not made stale by a message that it will not receive. Messages that the
    /// buffer has dropped by then are reported as a [lag](Self::Lagged) after it.
    Initial,
    /// The connection was lost, and a new one is subscribed.
    ConnectionLost,
    /// The server ended or denied a subscription of this handler, and has confirmed it again.
    Resubscribed,
    /// A name has moved to another node of a cluster, and is confirmed there.
    Moved,
    /// The links between the nodes of a cluster were reset, which loses messages that were published on
    /// another node than the one that is listened to. It is noticed at the next look at the links, so this
    /// gap may come after messages that were published later.
    Bus,
    /// Messages were dropped because the handler was too slow: its buffer was full, or all buffers
    /// together had reached their limit. With [`Subscriber::attach`](crate::Subscriber::attach),
    /// also: messages were lost in the attached channel.
    Lagged,
    /// A message was dropped because its payload was larger than
    /// [`Subscriber::max_payload`](crate::Subscriber::max_payload).
    Oversized,
    /// The handler's loop exited unexpectedly and was restarted. In-flight messages are missed: the
    /// one whose delivery was under way, and those after it in its batch.
    Restarted,
    /// A resync was requested, with [`Handle::resync`](crate::Handle::resync) or
    /// [`Fault::resync`](crate::Fault::resync). No message is missing: `missed` is `Exactly(0)`. What
    /// the handler keeps is to be loaded again in full, because what is wrong with it may be older than
    /// `since`.
    Requested,
}

/// How many messages are missing in a gap.
///
/// Pub/Sub has no sequence numbers, so messages that are published while a connection is down
/// cannot be counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Missed {
    /// Exactly this many: the buffer counted what it dropped.
    Exactly(u64),
    /// This many or fewer.
    AtMost(u64),
    /// This many or more: the buffer dropped them, and the connection was lost as well.
    AtLeast(u64),
    /// Any number, none included.
    Unknown,
}

impl fmt::Display for GapCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Initial => "first subscribed",
            Self::ConnectionLost => "connection lost",
            Self::Resubscribed => "subscription renewed",
            Self::Moved => "moved to another node",
            Self::Bus => "links between nodes reset",
            Self::Lagged => "reader lagged",
            Self::Oversized => "payload too large",
            Self::Restarted => "handler's loop restarted",
            Self::Requested => "resync requested",
        })
    }
}

impl fmt::Display for Missed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exactly(n) => write!(f, "{n}"),
            Self::AtMost(n) => write!(f, "at most {n}"),
            Self::AtLeast(n) => write!(f, "at least {n}"),
            Self::Unknown => f.write_str("an unknown number"),
        }
    }
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lasted = self.until.duration_since(self.since).unwrap_or_default();
        let Self { cause, missed, .. } = self;
        write!(f, "{cause}: {missed} missed in {lasted:.3?}")
    }
}
