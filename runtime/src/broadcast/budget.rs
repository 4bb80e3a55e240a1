use serde::{Deserialize, Serialize};

/// How much a handler's ring may hold, and what goes when there is more.
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

/// What goes when a handler's buffer is full.
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
    /// The oldest messages: what a handler gets next is as new as can be. The default.
    #[default]
    DropOldest,
    /// The messages that come while it is full: what a handler has begun to catch up with stays
    /// whole. (Where all buffers together reach
    /// [`memory_limit`](crate::Subscriber::memory_limit), the oldest go here too.)
    DropNewest,
    /// A newer message takes the place of an older one of the same channel that still waits, full
    /// or not: for prices and state, of which only the newest counts.
    ///
    /// Channels are delivered one at a time, in the order in which they first came. What was replaced counts as
    /// `superseded`, and is no gap. If there are more channels than `buffer`, the one that has
    /// waited longest is dropped, and told as a gap.
    Latest,
}

impl Overflow {
    /// As the attribute names it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::DropOldest => "drop_oldest",
            Self::DropNewest => "drop_newest",
            Self::Latest => "latest",
        }
    }
}
