use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The context of a span that goes with a message, as W3C Trace Context defines it: the trace, the span, and
/// whether it is sampled.
///
/// A message type with `#[push(.., trace)]` carries one. A handler or a stream can take it as an argument,
/// mostly as `Option<TraceParent>`, because a message without a sampled span has none:
///
/// ```
/// use redis_push::{PushMessage, TraceParent, push_handler};
///
/// #[derive(PushMessage)]
/// #[push(channel = "orders", trace)]
/// struct Order {
///     id: u64,
/// }
///
/// #[push_handler]
/// async fn on_order(order: Order, trace: Option<TraceParent>) {
///     println!("{} {:?}", order.id, trace.map(|trace| trace.to_string()));
/// }
/// # let _ = redis_push::handlers![on_order] as Vec<redis_push::Mount<()>>;
/// ```
///
/// Its text is the value of the header `traceparent`, and so is its serialized form:
///
/// ```
/// use redis_push::TraceParent;
///
/// let text = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
/// let trace: TraceParent = text.parse()?;
/// assert!(trace.is_sampled());
/// assert_eq!(trace.to_string(), text);
/// # Ok::<(), redis_push::BoxError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceParent {
    trace_id: [u8; 16],
    span_id: [u8; 8],
    flags: u8,
}

/// The length of the text.
pub(super) const LEN: usize = 55;

const SAMPLED: u8 = 1;

impl TraceParent {
    /// Creates the context of a span. Returns `None` if one of the ids is zero, which is not a valid id.
    #[must_use]
    pub fn new(trace_id: [u8; 16], span_id: [u8; 8], is_sampled: bool) -> Option<Self> {
        let is_valid = trace_id != [0; 16] && span_id != [0; 8];
        is_valid.then_some(Self {
            trace_id,
            span_id,
            flags: u8::from(is_sampled),
        })
    }

    /// Returns the id of the trace.
    #[must_use]
    pub fn trace_id(self) -> [u8; 16] {
        self.trace_id
    }

    /// Returns the id of the span.
    #[must_use]
    pub fn span_id(self) -> [u8; 8] {
        self.span_id
    }

    /// Returns whether the span is sampled: recorded, and sent to wherever traces are collected.
    #[must_use]
    pub fn is_sampled(self) -> bool {
        self.flags & SAMPLED != 0
    }

    /// Parses the text of version 00, which has a fixed length.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let text: &[u8; LEN] = text.try_into().ok()?;
        let has_form = text.starts_with(b"00-") && text[35] == b'-' && text[52] == b'-';
        if !has_form {
            return None;
        }
        let (mut trace_id, mut span_id, mut flags) = ([0; 16], [0; 8], [0]);
        read_hex(&text[3..35], &mut trace_id)?;
        read_hex(&text[36..52], &mut span_id)?;
        read_hex(&text[53..], &mut flags)?;
        let [flags] = flags;
        Some(Self {
            flags,
            ..Self::new(trace_id, span_id, false)?
        })
    }
}

/// Reads hexadecimal digits, which must be lower case.
fn read_hex(text: &[u8], into: &mut [u8]) -> Option<()> {
    let digit = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    for (pair, byte) in text.chunks_exact(2).zip(into) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(())
}

impl FromStr for TraceParent {
    type Err = Box<dyn std::error::Error + Send + Sync>;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text.as_bytes()).ok_or_else(|| {
            "not a `traceparent` of version 00, such as \
             `00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01`"
                .into()
        })
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (trace, span) = (self.trace_id, self.span_id);
        let (trace, span) = (u128::from_be_bytes(trace), u64::from_be_bytes(span));
        write!(f, "00-{trace:032x}-{span:016x}-{:02x}", self.flags)
    }
}

impl fmt::Debug for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TraceParent({self})")
    }
}

impl Serialize for TraceParent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TraceParent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl serde::de::Visitor<'_> for Text {
            type Value = TraceParent;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a `traceparent` of version 00")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<TraceParent, E> {
                text.parse().map_err(E::custom)
            }
        }

        deserializer.deserialize_str(Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn the_text_is_read_and_written() {
        let trace: TraceParent = TEXT.parse().unwrap();
        assert!(trace.is_sampled());
        assert_eq!(trace.trace_id()[..2], [0x0a, 0xf7]);
        assert_eq!(trace.span_id()[7], 0x31);
        assert_eq!(trace.to_string(), TEXT);
        let json = serde_json::to_string(&trace).unwrap();
        assert_eq!(json, format!("\"{TEXT}\""));
        assert_eq!(serde_json::from_str::<TraceParent>(&json).unwrap(), trace);
        let unsampled: TraceParent = TEXT.replace("-01", "-00").parse().unwrap();
        assert!(!unsampled.is_sampled());
    }

    #[test]
    fn what_is_not_a_context_is_refused() {
        for text in [
            "",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b716920333g-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01x",
        ] {
            assert!(text.parse::<TraceParent>().is_err(), "{text}");
        }
        assert_eq!(TraceParent::new([0; 16], [1; 8], true), None);
    }
}
