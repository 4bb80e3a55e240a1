use std::time::SystemTime;

use serde::{Deserialize, Serialize};

/// How much a broadcast channel may hold, and what is dropped when it is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Budget {
    pub(crate) messages: usize,
    pub(crate) bytes: usize,
    pub(crate) overflow: Overflow,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            messages: 65_536,
            bytes: 8 * 1024 * 1024,
            overflow: Overflow::default(),
        }
    }
}

/// The memory that messages hold which wait for user code.
///
/// A [`Budget`] counts the bytes of messages, because users set it. This counts memory, used or not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Held {
    /// What waits to be received.
    pub(crate) waiting: usize,
    /// What was received and not given back. It cannot be dropped.
    pub(crate) in_hand: usize,
    /// How many messages wait.
    pub(crate) messages: usize,
    /// When the oldest of them arrived, as far as the clock was read.
    pub(crate) since: Option<SystemTime>,
}

impl Held {
    /// Returns how much memory the messages hold in all.
    pub(crate) fn memory(&self) -> usize {
        self.waiting + self.in_hand
    }
}

/// What is dropped when a handler's buffer is full.
///
/// ```
/// use redis_push::{Mount, Overflow, handlers, push_handler};
///
/// #[push_handler(channel = "quotes.{symbol}", overflow = "latest")]
/// async fn on_quote(quote: &str) {
///     println!("{quote}");
/// }
///
/// // Or at the mount:
/// let mounts: Vec<Mount<()>> = handlers![on_quote.overflow(Overflow::DropNewest)];
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Overflow {
    /// Drops the oldest messages: what a handler receives next is as new as possible. The default.
    #[default]
    DropOldest,
    /// Drops the messages that arrive while the buffer is full: what already waits stays complete.
    /// (When all buffers together reach [`memory_limit`](crate::Subscriber::memory_limit), the
    /// oldest messages are dropped even so.)
    DropNewest,
    /// Replaces a waiting message by a newer one on the same channel, even if the buffer is not
    /// full: for prices and state, where only the newest message matters.
    ///
    /// Messages are delivered one at a time, in the order in which their channels first appeared. A
    /// replaced message is counted as `superseded` and is not a gap. If there are more channels
    /// than `buffer`, the message that has waited longest is dropped and reported as a gap.
    Latest,
}

impl Overflow {
    /// Returns the name that the attribute uses.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::DropOldest => "drop_oldest",
            Self::DropNewest => "drop_newest",
            Self::Latest => "latest",
        }
    }
}
