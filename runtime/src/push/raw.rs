use std::fmt;

use bytes::Bytes;

use crate::subscription::Kind;
use crate::util::Escaped;

/// A push as it arrived on the connection, of any kind, whether a handler is subscribed to it or
/// not.
///
/// [`Handle::pushes`](crate::Handle::pushes) yields these. Names and payloads are bytes: Redis does
/// not restrict what they contain.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RawPush {
    /// A message, with the subscribed name that it matched: the channel itself, or the pattern.
    Message {
        /// The kind of the subscription.
        kind: Kind,
        /// The subscribed name.
        name: Bytes,
        /// The channel that the message was published on.
        channel: Bytes,
        /// The published payload.
        payload: Bytes,
    },
    /// The server has confirmed a subscription.
    Subscribed {
        /// The kind of the subscription.
        kind: Kind,
        /// The subscribed name.
        name: Bytes,
    },
    /// The server has ended a subscription.
    Unsubscribed {
        /// The kind of the subscription.
        kind: Kind,
        /// The subscribed name.
        name: Bytes,
    },
    /// Keys that the client tracks have changed. `None` stands for all keys.
    Invalidated(Option<Vec<Bytes>>),
    /// The connection has ended. This comes from the client, not from the server.
    Disconnected,
    /// A push of a kind that this crate does not know.
    Unknown {
        /// The kind, as the server names it.
        kind: String,
    },
    /// A push of a known kind in an unexpected form.
    Malformed {
        /// The kind, as the server names it.
        kind: String,
    },
}

impl RawPush {
    /// Returns how many bytes of memory the push holds, besides its own.
    pub(crate) fn memory(&self) -> usize {
        /// What `Bytes` need to share a buffer.
        const SHARED: usize = 3 * size_of::<usize>();
        let of = |bytes: &Bytes| bytes.len() + SHARED;
        match self {
            Self::Message {
                name,
                channel,
                payload,
                ..
            } => of(name) + of(channel) + of(payload),
            Self::Subscribed { name, .. } | Self::Unsubscribed { name, .. } => of(name),
            Self::Invalidated(Some(keys)) => {
                keys.capacity() * size_of::<Bytes>() + keys.iter().map(of).sum::<usize>()
            }
            Self::Invalidated(None) | Self::Disconnected => 0,
            Self::Unknown { kind } | Self::Malformed { kind } => kind.capacity(),
        }
    }
}

impl fmt::Debug for RawPush {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = |f: &mut fmt::Formatter<'_>, what, kind: &Kind, name: &Bytes| {
            write!(f, "{what}({kind} {:?})", Escaped(name))
        };
        match self {
            Self::Message {
                kind,
                channel,
                payload,
                ..
            } => {
                // Payloads are the user's data, so they are not logged.
                named(f, "Message", kind, channel)?;
                write!(f, "[{} bytes]", payload.len())
            }
            Self::Subscribed { kind, name } => named(f, "Subscribed", kind, name),
            Self::Unsubscribed { kind, name } => named(f, "Unsubscribed", kind, name),
            Self::Invalidated(Some(keys)) => write!(f, "Invalidated({} keys)", keys.len()),
            Self::Invalidated(None) => f.write_str("Invalidated(all)"),
            Self::Disconnected => f.write_str("Disconnected"),
            Self::Unknown { kind } => write!(f, "Unknown({:?})", Escaped(kind.as_bytes())),
            Self::Malformed { kind } => write!(f, "Malformed({:?})", Escaped(kind.as_bytes())),
        }
    }
}

/// A push, borrowed from the buffer that the link has read: what the dispatcher accepts.
#[derive(Debug)]
pub(crate) enum Incoming<'a> {
    Message {
        kind: Kind,
        name: &'a [u8],
        channel: &'a [u8],
        payload: &'a [u8],
    },
    Subscribed {
        kind: Kind,
        name: &'a [u8],
    },
    Unsubscribed {
        kind: Kind,
        name: &'a [u8],
        /// How many subscriptions of its kind the connection has left, if the link reads that.
        /// Patterns count as channels.
        left: Option<u64>,
    },
    Invalidated(Option<Vec<&'a [u8]>>),
    Disconnected,
    Unknown {
        kind: &'a str,
    },
    Malformed {
        kind: &'a str,
    },
}

impl Incoming<'_> {
    /// Copies the push.
    pub(crate) fn to_raw(&self) -> RawPush {
        let copy = Bytes::copy_from_slice;
        match *self {
            Self::Message {
                kind,
                name,
                channel,
                payload,
            } => RawPush::Message {
                kind,
                name: copy(name),
                channel: copy(channel),
                payload: copy(payload),
            },
            Self::Subscribed { kind, name } => RawPush::Subscribed {
                kind,
                name: copy(name),
            },
            Self::Unsubscribed { kind, name, .. } => RawPush::Unsubscribed {
                kind,
                name: copy(name),
            },
            Self::Invalidated(ref keys) => RawPush::Invalidated(
                keys.as_ref()
                    .map(|keys| keys.iter().map(|key| copy(key)).collect()),
            ),
            Self::Disconnected => RawPush::Disconnected,
            Self::Unknown { kind } => RawPush::Unknown {
                kind: kind.to_owned(),
            },
            Self::Malformed { kind } => RawPush::Malformed {
                kind: kind.to_owned(),
            },
        }
    }
}
