//! The place of a trace context in a payload: the first member of a JSON object, or the first entry of a
//! MessagePack map. It is `traceparent`, as in CloudEvents.
//!
//! A reader looks only at the beginning, which is constant, so a payload without a context costs next to
//! nothing.

use super::trace_parent::{LEN, TraceParent};

/// The encodings that have a place for a context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// A JSON object.
    Json,
    /// A MessagePack map.
    MsgPack,
}

const JSON: &[u8] = br#"{"traceparent":"#;
/// A text of eleven bytes.
const KEY: &[u8] = b"\xabtraceparent";
/// The head of a text of [`LEN`] bytes.
const VALUE: [u8; 2] = [0xd9, LEN as u8];

impl TraceParent {
    /// Returns the context at the beginning of a payload.
    pub(crate) fn of_payload(payload: &[u8]) -> Option<Self> {
        let text = match payload.strip_prefix(JSON) {
            // Some encoders write a space after each colon.
            Some(rest) => match rest.strip_prefix(b" ").unwrap_or(rest) {
                [b'"', rest @ ..] if rest.get(LEN) == Some(&b'"') => &rest[..LEN],
                _ => return None,
            },
            None => after_key(payload)?.strip_prefix(&VALUE)?.get(..LEN)?,
        };
        Self::parse(text)
    }

    /// Writes the context into a payload. Returns whether it has a place for one.
    pub(crate) fn write_to(self, payload: &mut Vec<u8>, carrier: Carrier) -> bool {
        match carrier {
            Carrier::Json => self.write_to_object(payload),
            Carrier::MsgPack => self.write_to_map(payload),
        }
    }

    fn write_to_object(self, payload: &mut Vec<u8>) -> bool {
        let end = match &payload[..] {
            b"{}" => "",
            [b'{', ..] => ",",
            _ => return false,
        };
        let member = format!("\"traceparent\":\"{self}\"{end}");
        payload.splice(1..1, member.bytes());
        true
    }

    fn write_to_map(self, payload: &mut Vec<u8>) -> bool {
        let Some((head, count)) = map_head(payload) else {
            return false;
        };
        let Some(count) = count.checked_add(1) else {
            return false;
        };
        let mut entry = Vec::with_capacity(5 + KEY.len() + VALUE.len() + LEN);
        match (u8::try_from(count), u16::try_from(count)) {
            (Ok(count @ ..=0x0f), _) => entry.push(0x80 | count),
            (_, Ok(count)) => {
                entry.push(0xde);
                entry.extend(count.to_be_bytes());
            }
            _ => {
                entry.push(0xdf);
                entry.extend(count.to_be_bytes());
            }
        }
        entry.extend(KEY);
        entry.extend(VALUE);
        entry.extend(self.to_string().bytes());
        payload.splice(..head, entry);
        true
    }
}

/// Returns whether a JSON object begins with a context, or with anything else of that name.
#[inline]
pub(crate) fn begins_object(payload: &[u8]) -> bool {
    payload.starts_with(JSON)
}

/// Returns whether a MessagePack map begins with a context, or with anything else of that name.
#[inline]
#[cfg(feature = "msgpack")]
pub(crate) fn begins_map(payload: &[u8]) -> bool {
    after_key(payload).is_some()
}

fn after_key(payload: &[u8]) -> Option<&[u8]> {
    let (head, _) = map_head(payload)?;
    payload[head..].strip_prefix(KEY)
}

/// Returns the length of the head of a MessagePack map, and the number of its entries.
fn map_head(payload: &[u8]) -> Option<(usize, u32)> {
    match *payload {
        [head @ 0x80..=0x8f, ..] => Some((1, u32::from(head & 0x0f))),
        [0xde, a, b, ..] => Some((3, u32::from(u16::from_be_bytes([a, b])))),
        [0xdf, a, b, c, d, ..] => Some((5, u32::from_be_bytes([a, b, c, d]))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn an_object_carries_a_context() {
        let trace: TraceParent = TEXT.parse().unwrap();
        for (payload, end) in [("{}", "}"), (r#"{"bid":1}"#, r#","bid":1}"#)] {
            let mut payload = payload.as_bytes().to_vec();
            assert_eq!(TraceParent::of_payload(&payload), None);
            assert!(!begins_object(&payload));
            assert!(trace.write_to(&mut payload, Carrier::Json));
            let text = str::from_utf8(&payload).unwrap();
            assert_eq!(text, format!(r#"{{"traceparent":"{TEXT}"{end}"#));
            assert_eq!(TraceParent::of_payload(&payload), Some(trace));
            assert!(begins_object(&payload));
        }
        let spaced = format!(r#"{{"traceparent": "{TEXT}", "bid": 1}}"#);
        assert_eq!(TraceParent::of_payload(spaced.as_bytes()), Some(trace));
        for payload in ["[1]", "", "\"text\"", "7"] {
            let mut payload = payload.as_bytes().to_vec();
            let before = payload.clone();
            assert!(!trace.write_to(&mut payload, Carrier::Json));
            assert_eq!(payload, before);
        }
    }

    #[test]
    fn a_map_carries_a_context_whatever_the_size_of_its_head() {
        let trace: TraceParent = TEXT.parse().unwrap();
        let fixed = |count: u8| vec![0x80 | count];
        for (head, after) in [
            (fixed(0), fixed(1)),
            (fixed(14), fixed(15)),
            (fixed(15), vec![0xde, 0, 16]),
            (vec![0xde, 0xff, 0xff], vec![0xdf, 0, 1, 0, 0]),
            (vec![0xdf, 0, 1, 0, 0], vec![0xdf, 0, 1, 0, 1]),
        ] {
            let mut payload = head;
            payload.extend(b"rest");
            assert_eq!(TraceParent::of_payload(&payload), None);
            assert!(trace.write_to(&mut payload, Carrier::MsgPack));
            assert!(payload.starts_with(&after), "{payload:?}");
            assert!(payload.ends_with(b"rest"), "{payload:?}");
            assert_eq!(TraceParent::of_payload(&payload), Some(trace));
        }
        let mut array = vec![0x91, 1];
        assert!(!trace.write_to(&mut array, Carrier::MsgPack));
    }

    #[test]
    fn what_only_looks_like_a_context_is_none() {
        for payload in [
            r#"{"traceparent":null}"#,
            r#"{"traceparent":""#,
            r#"{"traceparent":"00-"}"#,
            r#"{"traceparent":"zz-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}"#,
            r#"{"traceparents":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}"#,
        ] {
            assert_eq!(
                TraceParent::of_payload(payload.as_bytes()),
                None,
                "{payload}"
            );
        }
        assert_eq!(
            TraceParent::of_payload(b"\x81\xabtraceparent\xd9\x37"),
            None
        );
    }
}
