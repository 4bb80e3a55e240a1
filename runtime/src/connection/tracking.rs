//! How invalidations are asked for, and how their confirmation is told from a mere reply.
//!
//! `CLIENT TRACKING` is answered by a reply, and a reply says nothing of where pushes go: a
//! connection in RESP2, or one whose push sender is another, answers `OK` and stays silent. So an
//! `UNSUBSCRIBE` of a name that nobody has goes out behind it. The server confirms it by a push, and
//! that takes the way that the invalidations take, behind what was sent before it.

use redis::{Cmd, Value};

use crate::subscription::{Subscription, TrackingFence};

/// Asks for the invalidations of one prefix, beside those that were asked for before.
pub(super) fn switch_on(prefix: &str) -> Cmd {
    let mut command = redis::cmd("CLIENT");
    command.arg(&["TRACKING", "ON", "BCAST", "PREFIX"]);
    command.arg(prefix);
    command
}

/// Ends the invalidations of every prefix.
pub(super) fn switch_off() -> Cmd {
    let mut command = redis::cmd("CLIENT");
    command.arg(&["TRACKING", "OFF"]);
    command
}

/// Asks for the confirmation that a fence is.
pub(super) fn fence(fence: TrackingFence, prefix: &str) -> Cmd {
    let mut command = redis::cmd("UNSUBSCRIBE");
    command.arg(fence.name(prefix));
    command
}

/// Asks what the connection tracks.
pub(super) fn ask() -> Cmd {
    let mut command = redis::cmd("CLIENT");
    command.arg("TRACKINGINFO");
    command
}

/// Those of the prefixes that the server's answer to [`ask`] does not have; none where the answer is
/// of another form.
pub(super) fn not_in(answer: &Value, mut prefixes: Vec<Subscription>) -> Vec<Subscription> {
    let Value::Map(pairs) = answer else {
        return Vec::new();
    };
    let value = |wanted: &str| {
        let is_wanted =
            |key: &Value| matches!(key, Value::BulkString(key) if key == wanted.as_bytes());
        pairs
            .iter()
            .find(|(key, _)| is_wanted(key))
            .map(|(_, value)| value)
    };
    let Some(Value::Array(tracked)) = value("prefixes") else {
        return Vec::new();
    };
    // The invalidations go to another connection.
    let is_redirected = matches!(value("redirect"), Some(Value::Int(1..)));
    let is_in = |prefix: &Subscription, tracked: &Value| matches!(tracked, Value::BulkString(tracked) if prefix.name().as_bytes().starts_with(tracked));
    prefixes.retain(|prefix| is_redirected || !tracked.iter().any(|one| is_in(prefix, one)));
    prefixes
}

/// Whether the server has refused a prefix because it tells of all its keys already.
///
/// It takes no two prefixes of which one begins with the other, and says so: `Prefix 'user:1'
/// overlaps with an existing prefix 'user:'. …`.
pub(super) fn is_already_tracked(prefix: &str, refusal: &str) -> bool {
    let existing = refusal
        .split_once("overlaps with an existing prefix '")
        .and_then(|(_, rest)| rest.rsplit_once("'. Prefixes for a single client"));
    existing.is_some_and(|(existing, _)| prefix.starts_with(existing))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(prefix: &str, existing: &str) -> String {
        format!(
            "Prefix '{prefix}' overlaps with an existing prefix '{existing}'. Prefixes for a single \
             client must not overlap."
        )
    }

    #[test]
    fn only_a_shorter_or_equal_prefix_tells_of_all_keys() {
        for (prefix, existing, expected) in [
            ("user:1", "user:", true),
            ("user:", "user:", true),
            ("user:1", "", true),
            ("us", "user:", false),
            ("it's'. Prefixes for a single client", "it's", true),
        ] {
            let told = is_already_tracked(prefix, &refusal(prefix, existing));
            assert_eq!(told, expected, "{prefix} beside {existing}");
        }
        assert!(!is_already_tracked(
            "a",
            "You can't switch BCAST mode on/off"
        ));
    }
}
