//! From a push as redis-rs parses it to [`Incoming`]. The wire link has its own reader,
//! `wire/scan.rs`, and a test that both agree.

use redis::{PushInfo, PushKind, Value};

use crate::push::Incoming;
use crate::subscription::Kind;

/// Reads a push of redis-rs.
///
/// This does not use `redis::Msg::from_push_info`, which makes a sharded message look like a plain
/// one.
pub(crate) fn incoming(push: &PushInfo) -> Incoming<'_> {
    let well_formed = match &push.kind {
        PushKind::Message => message(Kind::Channel, &push.data),
        PushKind::PMessage => pattern_message(&push.data),
        PushKind::SMessage => message(Kind::Shard, &push.data),
        PushKind::Subscribe => subscribed(Kind::Channel, &push.data),
        PushKind::PSubscribe => subscribed(Kind::Pattern, &push.data),
        PushKind::SSubscribe => subscribed(Kind::Shard, &push.data),
        PushKind::Unsubscribe => unsubscribed(Kind::Channel, &push.data),
        PushKind::PUnsubscribe => unsubscribed(Kind::Pattern, &push.data),
        PushKind::SUnsubscribe => unsubscribed(Kind::Shard, &push.data),
        PushKind::Invalidate => invalidated(&push.data),
        PushKind::Disconnection => Some(Incoming::Disconnected),
        PushKind::Other(kind) => Some(Incoming::Unknown { kind }),
        _ => Some(Incoming::Unknown { kind: "" }),
    };
    well_formed.unwrap_or_else(|| Incoming::Malformed {
        kind: wire_name(&push.kind),
    })
}

fn message(kind: Kind, data: &[Value]) -> Option<Incoming<'_>> {
    let [channel, payload] = data else {
        return None;
    };
    let channel = bytes(channel)?;
    Some(Incoming::Message {
        kind,
        name: channel,
        channel,
        payload: bytes(payload)?,
    })
}

fn pattern_message(data: &[Value]) -> Option<Incoming<'_>> {
    let [pattern, channel, payload] = data else {
        return None;
    };
    Some(Incoming::Message {
        kind: Kind::Pattern,
        name: bytes(pattern)?,
        channel: bytes(channel)?,
        payload: bytes(payload)?,
    })
}

fn subscribed(kind: Kind, data: &[Value]) -> Option<Incoming<'_>> {
    let [name, Value::Int(_)] = data else {
        return None;
    };
    Some(Incoming::Subscribed {
        kind,
        name: bytes(name)?,
    })
}

fn unsubscribed(kind: Kind, data: &[Value]) -> Option<Incoming<'_>> {
    let [name, Value::Int(left)] = data else {
        return None;
    };
    Some(Incoming::Unsubscribed {
        kind,
        left: u64::try_from(*left).ok(),
        // The reply to an unsubscribe from everything has no name if nothing was subscribed.
        name: match name {
            Value::Nil => &[],
            name => bytes(name)?,
        },
    })
}

fn invalidated(data: &[Value]) -> Option<Incoming<'_>> {
    match data {
        [Value::Nil] => Some(Incoming::Invalidated(None)),
        [Value::Array(keys)] => keys
            .iter()
            .map(bytes)
            .collect::<Option<Vec<_>>>()
            .map(|keys| Incoming::Invalidated(Some(keys))),
        _ => None,
    }
}

fn bytes(value: &Value) -> Option<&[u8]> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        Value::SimpleString(text) => Some(text.as_bytes()),
        // redis-rs has a special value for this text.
        Value::Okay => Some(b"OK"),
        _ => None,
    }
}

fn wire_name(kind: &PushKind) -> &str {
    match kind {
        PushKind::Message => "message",
        PushKind::PMessage => "pmessage",
        PushKind::SMessage => "smessage",
        PushKind::Subscribe => "subscribe",
        PushKind::PSubscribe => "psubscribe",
        PushKind::SSubscribe => "ssubscribe",
        PushKind::Unsubscribe => "unsubscribe",
        PushKind::PUnsubscribe => "punsubscribe",
        PushKind::SUnsubscribe => "sunsubscribe",
        PushKind::Invalidate => "invalidate",
        PushKind::Other(kind) => kind,
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(kind: PushKind, data: Vec<Value>) -> PushInfo {
        PushInfo { kind, data }
    }

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.into())
    }

    #[test]
    fn a_push_of_wrong_arity_or_type_is_malformed() {
        let wrong = [
            push(PushKind::Message, vec![bulk("a")]),
            push(PushKind::Message, vec![bulk("a"), bulk("b"), bulk("c")]),
            push(PushKind::Message, vec![bulk("a"), Value::Nil]),
            push(PushKind::PMessage, vec![bulk("a"), bulk("b")]),
            push(PushKind::Subscribe, vec![bulk("a"), bulk("1")]),
            push(PushKind::Unsubscribe, vec![]),
            push(
                PushKind::Invalidate,
                vec![Value::Array(vec![Value::Int(1)])],
            ),
        ];
        for push in &wrong {
            assert!(
                matches!(incoming(push), Incoming::Malformed { .. }),
                "{push:?}"
            );
        }
    }

    /// `+OK`, which redis-rs does not parse as a string.
    #[test]
    fn a_payload_may_be_the_simple_string_ok() {
        let push = push(PushKind::Message, vec![bulk("a"), Value::Okay]);
        assert!(matches!(
            incoming(&push),
            Incoming::Message { payload: b"OK", .. }
        ));
    }

    #[test]
    fn a_push_of_unknown_kind_is_named() {
        let push = push(PushKind::Other("tidings".into()), vec![Value::Nil]);
        assert!(matches!(
            incoming(&push),
            Incoming::Unknown { kind: "tidings" }
        ));
    }

    #[test]
    fn sharded_and_pattern_messages_keep_their_kind() {
        let shard = push(PushKind::SMessage, vec![bulk("c"), bulk("1")]);
        assert!(matches!(
            incoming(&shard),
            Incoming::Message {
                kind: Kind::Shard,
                name: b"c",
                ..
            }
        ));
        let pattern = push(
            PushKind::PMessage,
            vec![bulk("c.*"), bulk("c.1"), bulk("1")],
        );
        assert!(matches!(
            incoming(&pattern),
            Incoming::Message {
                kind: Kind::Pattern,
                name: b"c.*",
                channel: b"c.1",
                ..
            }
        ));
    }
}
