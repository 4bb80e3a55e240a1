//! `MOVED` and `ASK`: a node says which other one to ask.

use redis::ServerError;

use super::node_address::NodeAddress;
use super::slots::Slot;

/// What a node says instead of running a command.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Moved {
    pub(crate) slot: Slot,
    /// The node to ask. `None` if the one that was asked does not know its address.
    pub(crate) to: Option<NodeAddress>,
    /// Whether the slot is still being moved (`ASK`), so that this is about one command, which must
    /// follow an `ASKING`. Otherwise the other node owns the slot.
    pub(crate) is_ask: bool,
}

impl Moved {
    /// Reads an error reply. `asked` is the host of the node that was asked, which stands for a host
    /// that it leaves out. Returns `None` for every other error.
    pub(crate) fn parse(error: &ServerError, asked: &str) -> Option<Self> {
        Self::of_words(error.code(), error.details()?, asked)
    }

    /// Reads the text of an error reply.
    pub(super) fn of_text(text: &str, asked: &str) -> Option<Self> {
        let (code, details) = text.split_once(' ')?;
        Self::of_words(code, details, asked)
    }

    fn of_words(code: &str, details: &str, asked: &str) -> Option<Self> {
        let is_ask = match code {
            "MOVED" => false,
            "ASK" => true,
            _ => return None,
        };
        let mut words = details.split_ascii_whitespace();
        let slot = words.next()?.parse().ok().and_then(Slot::new)?;
        // An IPv6 address has no brackets here.
        let (host, port) = words.next()?.rsplit_once(':')?;
        let to = NodeAddress::named(host, port.parse().ok()?, asked);
        Some(Self { slot, to, is_ask })
    }
}

#[cfg(test)]
mod tests {
    use redis::Value;

    use super::*;

    fn moved(text: &str) -> Option<Moved> {
        let reply = redis::parse_redis_value(format!("-{text}\r\n").as_bytes());
        let Ok(Value::ServerError(error)) = reply else {
            panic!("{text} is an error reply");
        };
        Moved::parse(&error, "seed")
    }

    #[test]
    fn a_moved_names_the_slot_and_the_node() {
        for (text, to, is_ask) in [
            ("MOVED 12182 127.0.0.1:22388", "127.0.0.1:22388", false),
            ("ASK 12182 127.0.0.1:22388", "127.0.0.1:22388", true),
            ("MOVED 12182 a.internal:1", "a.internal:1", false),
            ("MOVED 12182 ::1:6379", "[::1]:6379", false),
            ("MOVED 12182 [::1]:6379", "[::1]:6379", false),
            ("MOVED 12182 :6379", "seed:6379", false),
        ] {
            let moved = moved(text).unwrap();
            assert_eq!(moved.slot.number(), 12_182);
            assert_eq!(moved.to.unwrap().to_string(), to);
            assert_eq!(moved.is_ask, is_ask);
        }
        assert_eq!(moved("MOVED 7 ?:6379").unwrap().to, None);
        let text = "MOVED 7 :6379";
        assert_eq!(Moved::of_text(text, "seed"), moved(text));
    }

    #[test]
    fn another_error_is_no_moved() {
        for text in [
            "MOVED",
            "MOVED 7",
            "MOVED x 127.0.0.1:1",
            "MOVED 16384 127.0.0.1:1",
            "MOVED 7 127.0.0.1",
            "MOVED 7 127.0.0.1:x",
            "MOVED 7 127.0.0.1:65536",
            "CLUSTERDOWN Hash slot not served",
            "TRYAGAIN Multiple keys request during rehashing of slot",
        ] {
            assert_eq!(moved(text), None, "{text}");
        }
    }
}
