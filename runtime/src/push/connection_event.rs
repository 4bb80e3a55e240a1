use std::borrow::Cow;

/// A change of the connection: it is up, or it is lost.
///
/// ```
/// use redis_push::{ConnectionEvent, Mount, handlers, push_handler};
///
/// #[push_handler(connection)]
/// async fn on_connection(event: ConnectionEvent<'_>) {
///     match event {
///         ConnectionEvent::Connected => println!("live again soon"),
///         ConnectionEvent::Disconnected { reason, .. } => println!("prices are stale: {reason}"),
///         _ => {}
///     }
/// }
///
/// let mounts: Vec<Mount<()>> = handlers![on_connection];
/// ```
///
/// Events arrive in order, and each of them once for each connection. A failed attempt to connect
/// does not cause an event, nor does the end of the connection at a shutdown. (With `overflow =
/// "latest"`, only the last waiting event is delivered.) There are no gaps between events, so
/// `on_gap` is refused.
///
/// An event does not describe other handlers: each of them receives a [`Gap`](crate::Gap) in order
/// with its own messages. Whether every subscription is live again is reported by
/// [`Handle::health`](crate::Handle::health) and [`watch_health`](crate::Handle::watch_health).
///
/// As an argument, it rejects a push that is not a connection event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConnectionEvent<'p> {
    /// A connection is up, and its subscriptions are being requested.
    Connected,
    /// The connection is lost, and the next one is being established.
    #[non_exhaustive]
    Disconnected {
        /// The reason, as in the log.
        reason: &'p str,
    },
}

const CONNECTED: &str = "connected";

const DISCONNECTED: &str = "disconnected: ";

impl<'p> ConnectionEvent<'p> {
    /// Returns the payload that stands for the event in a broadcast channel.
    pub(crate) fn to_payload(self) -> Cow<'p, str> {
        match self {
            Self::Connected => CONNECTED.into(),
            Self::Disconnected { reason } => format!("{DISCONNECTED}{reason}").into(),
        }
    }

    /// Reads an event from its payload. Returns `None` for any other payload.
    pub(crate) fn read(payload: &'p [u8]) -> Option<Self> {
        let text = std::str::from_utf8(payload).ok()?;
        match text.strip_prefix(DISCONNECTED) {
            Some(reason) => Some(Self::Disconnected { reason }),
            None => (text == CONNECTED).then_some(Self::Connected),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_event_is_read_back_from_its_payload() {
        for event in [
            ConnectionEvent::Connected,
            ConnectionEvent::Disconnected { reason: "" },
            ConnectionEvent::Disconnected {
                reason: "reset: é"
            },
        ] {
            let payload = event.to_payload();
            assert_eq!(ConnectionEvent::read(payload.as_bytes()), Some(event));
        }
        assert_eq!(ConnectionEvent::read(b"connected?"), None);
    }
}
