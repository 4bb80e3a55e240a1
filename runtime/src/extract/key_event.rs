use std::fmt;

use super::FromPush;
use crate::error::Rejection;
use crate::message::{MessageDescriptor, Source};
use crate::push::Push;
use crate::util::{Escaped, TextOrBytes};

/// An event of a key, such as `set` or `expired`.
///
/// ```
/// use redis_push::{KeyEvent, Mount, Param, handlers, push_handler};
///
/// #[push_handler(keyspace = "user:{id}")]
/// async fn on_user(event: KeyEvent<'_>, Param(id): Param<u64>) {
///     println!("user {id}: {}", event.event); // `set`, `del`, `expired`, …
/// }
///
/// let mounts: Vec<Mount<()>> = handlers![on_user];
/// ```
///
/// The server reports key events only if it is configured to:
/// `CONFIG SET notify-keyspace-events KA` for all events, fewer letters for fewer events. See
/// [Redis keyspace notifications](https://redis.io/docs/latest/develop/pubsub/keyspace-notifications/).
/// An event says what was done to a key, not what its value is now. In a cluster, each node reports
/// its own keys only.
///
/// Extracted from `__keyspace@…` and `__keyevent@…` channels; pushes of all other channels are
/// rejected. `pattern = "__keyevent@0__:expired"` listens to one event of all keys.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct KeyEvent<'p> {
    /// The index of the database that the key is in.
    pub database: u32,
    /// The key. Keys are bytes; most, not all, are UTF-8.
    pub key: &'p [u8],
    /// The event, in the server's word: `set`, `del`, `expire`, `expired`, `lpush`, …
    pub event: &'p str,
}

impl<'p> KeyEvent<'p> {
    /// Returns the key as text; `None` if it is not UTF-8.
    #[must_use]
    pub fn key_str(&self) -> Option<&'p str> {
        std::str::from_utf8(self.key).ok()
    }

    fn read(channel: &'p [u8], payload: &'p [u8]) -> Option<Self> {
        let rest = channel.strip_prefix(b"__key")?;
        let (kind, rest) = rest.split_at_checked("space@".len())?;
        let is_text = |bytes: &'p [u8]| std::str::from_utf8(bytes).ok();
        let end = rest.windows(3).position(|three| three == b"__:")?;
        let database = is_text(&rest[..end])?.parse().ok()?;
        let name = &rest[end + 3..];
        let (key, event) = match kind {
            b"space@" => (name, payload),
            b"event@" => (payload, name),
            _ => return None,
        };
        let event = is_text(event)?;
        Some(Self {
            database,
            key,
            event,
        })
    }
}

/// Shows the key as text if it is UTF-8.
impl fmt::Debug for KeyEvent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyEvent")
            .field("database", &self.database)
            .field("key", &TextOrBytes(self.key))
            .field("event", &self.event)
            .finish()
    }
}

impl<'p, S> FromPush<'p, S> for KeyEvent<'p> {
    const MESSAGE: Option<MessageDescriptor> = Some(MessageDescriptor {
        source: Source::Keys,
        ..MessageDescriptor::payload("key event")
    });

    fn from_push(push: Push<'p>, _state: &'p S) -> Result<Self, Rejection> {
        Self::read(push.channel(), push.payload()).ok_or_else(|| {
            let channel = Escaped(push.channel());
            Rejection::new(format!("`{channel}` is not a channel of key events"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read() {
        let by_key = KeyEvent::read(b"__keyspace@3__:user:7", b"set").unwrap();
        assert_eq!((by_key.database, by_key.key_str()), (3, Some("user:7")));
        assert_eq!(by_key.event, "set");
        assert_eq!(
            format!("{by_key:?}"),
            r#"KeyEvent { database: 3, key: "user:7", event: "set" }"#
        );
        let by_event = KeyEvent::read(b"__keyevent@0__:expired", b"a__:b\xff").unwrap();
        assert_eq!(
            (by_event.key, by_event.event),
            (&b"a__:b\xff"[..], "expired")
        );
        let odd = KeyEvent::read(b"__keyspace@0__:__:", b"del").unwrap();
        assert_eq!(odd.key, b"__:");
    }

    #[test]
    fn other_channels_are_not() {
        for channel in [
            "news",
            "__key",
            "__keyspace@x__:a",
            "__keyspace@0",
            "__keyother@0__:a",
        ] {
            assert_eq!(
                KeyEvent::read(channel.as_bytes(), b"set"),
                None,
                "{channel}"
            );
        }
    }
}
