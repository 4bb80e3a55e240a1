//! `CLIENT TRACKING`: enabling invalidations, and confirming that they arrive.
//!
//! The server answers `CLIENT TRACKING` with a reply, which does not prove where pushes go: a connection
//! in RESP2, or one with another push sender, answers `OK` and delivers no invalidation. Therefore an
//! `UNSUBSCRIBE` of a name that nobody subscribes, the [fence](crate::subscription::TrackingFence), is sent after it. The
//! server confirms that with a push, which takes the same way as the invalidations and arrives after
//! those that were sent before it.

use std::ops::Bound;

use redis::{Cmd, Value};

use super::commands::Connection;
use crate::error::Error;
use crate::subscription::Subscription;

/// Returns the command that enables the invalidations of one prefix, in addition to those that are
/// enabled already.
pub(super) fn switch_on(prefix: &str) -> Cmd {
    let mut command = redis::cmd("CLIENT");
    command.arg(&["TRACKING", "ON", "BCAST", "PREFIX"]);
    command.arg(prefix);
    command
}

/// Returns the command that disables the invalidations of every prefix.
pub(super) fn switch_off() -> Cmd {
    let mut command = redis::cmd("CLIENT");
    command.arg(&["TRACKING", "OFF"]);
    command
}

/// Returns the command that asks what the connection tracks.
pub(super) fn ask() -> Cmd {
    let mut command = redis::cmd("CLIENT");
    command.arg("TRACKINGINFO");
    command
}

/// Returns those of the prefixes that are missing in the server's answer to [`ask`]; none if the answer
/// has another form.
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
    // Then the invalidations go to another connection.
    let is_redirected = matches!(value("redirect"), Some(Value::Int(1..)));
    let is_tracked = |prefix: &[u8]| {
        let mut tracked = tracked.iter();
        tracked.any(|one| matches!(one, Value::BulkString(tracked) if prefix.starts_with(tracked)))
    };
    prefixes.retain(|prefix| is_redirected || !is_tracked(prefix.name().as_bytes()));
    prefixes
}

/// Whether the server has refused a prefix because it already tracks all its keys.
///
/// The server does not accept two prefixes of which one begins with the other. It answers `Prefix
/// 'user:1' overlaps with an existing prefix 'user:'. …`.
pub(super) fn is_already_tracked(prefix: &str, refusal: &str) -> bool {
    let existing = refusal
        .split_once("overlaps with an existing prefix '")
        .and_then(|(_, rest)| rest.rsplit_once("'. Prefixes for a single client"));
    existing.is_some_and(|(existing, _)| prefix.starts_with(existing))
}

/// What the server tracks, wanted or not.
impl Connection {
    /// Whether the server tracks a prefix that begins with this one, which it would refuse therefore.
    pub(crate) fn tracks_a_longer(&self, prefix: &str) -> bool {
        let after = (Bound::Excluded(prefix), Bound::Unbounded);
        let next = self.tracked.range::<str, _>(after).next();
        next.is_some_and(|next| next.starts_with(prefix))
    }

    /// Ends the tracking of every prefix: the server cannot stop tracking one of them. The end of each
    /// prefix that it tracks, and of each of the `others`, is a push, which goes to the dispatcher.
    ///
    /// # Errors
    ///
    /// Returns an error if the connection is lost.
    pub(crate) async fn end_tracking(&mut self, others: &[Subscription]) -> Result<(), Error> {
        let mut ended = std::mem::take(&mut self.tracked);
        ended.extend(others.iter().map(|one| one.name().into()));
        let ended: Vec<_> = ended
            .into_iter()
            .map(|prefix| Subscription::invalidation(String::from(prefix)))
            .collect();
        self.unsubscribe(&ended).await.map(|_| ())
    }
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
    fn only_a_shorter_or_equal_prefix_covers_all_keys() {
        for (prefix, existing, expected) in [
            ("user:1", "user:", true),
            ("user:", "user:", true),
            ("user:1", "", true),
            ("us", "user:", false),
            ("it's'. Prefixes for a single client", "it's", true),
        ] {
            let is_tracked = is_already_tracked(prefix, &refusal(prefix, existing));
            assert_eq!(is_tracked, expected, "{prefix} with {existing}");
        }
        assert!(!is_already_tracked(
            "a",
            "You can't switch BCAST mode on/off"
        ));
    }
}
