use std::borrow::Cow;

/// What has become of the connection.
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
/// It is told in order, and once for each connection: attempts that fail in between are no events,
/// and the end that a shutdown makes is none. (With `overflow = "latest"` only the last event that
/// waits is told.) There are no gaps in it, so `on_gap` is refused. It says nothing of other handlers: each of those is
/// told of what it missed by a [`Gap`](crate::Gap) of its own, in its own stream. Whether every
/// subscription is live again is said by [`Handle::health`](crate::Handle::health) and
/// [`watch_health`](crate::Handle::watch_health).
///
/// It rejects what is no event of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConnectionEvent<'p> {
    /// A connection is up, and the subscriptions are being asked for on it.
    Connected,
    /// The connection is lost, and the next one is being made.
    #[non_exhaustive]
    Disconnected {
        /// Why, as the log says it.
        reason: &'p str,
    },
}

const CONNECTED: &str = "connected";

const DISCONNECTED: &str = "disconnected: ";

impl<'p> ConnectionEvent<'p> {
    /// The form in which it goes through a ring.
    pub(crate) fn to_payload(self) -> Cow<'p, str> {
        match self {
            Self::Connected => CONNECTED.into(),
            Self::Disconnected { reason } => format!("{DISCONNECTED}{reason}").into(),
        }
    }

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
