//! Prefixes: literal text before the names of a subscription.

use redis_push_template::push_escaped;

use super::{Kind, Subscription};

impl Subscription {
    /// Adds literal text before every name of the subscription: before the keys, for a keyspace.
    pub(crate) fn prefixed(self, prefix: &str) -> Self {
        let template = self.template.map(|template| template.prefixed(prefix));
        let (keyspace, rest) = split_keyspace(&self.name);
        let name = match (self.kind, &template) {
            (Kind::Pattern, Some(template)) => template.glob(),
            (Kind::Pattern, None) => {
                let mut glob = keyspace.to_owned();
                push_escaped(&mut glob, prefix);
                glob + rest
            }
            (Kind::Channel | Kind::Shard, _) => format!("{keyspace}{prefix}{rest}"),
            (Kind::Invalidation, _) => format!("{prefix}{}", self.name),
            // The connection has no name.
            (Kind::Connection, _) => String::new(),
        };
        Self {
            kind: self.kind,
            name: name.into(),
            template,
            prefix_len: self.prefix_len + prefix.len(),
        }
    }

    /// Returns a channel's name without the prefix that this subscription puts before it.
    pub(crate) fn without_prefix<'c>(&self, channel: &'c str) -> &'c str {
        channel.get(self.prefix_len..).unwrap_or_default()
    }

    /// Returns the name of a pattern without the prefix.
    pub(super) fn glob_without_prefix(&self) -> &str {
        without_bytes(&self.name, self.prefix_len)
    }

    /// Returns whether the name is that of an event and not of keys, so that no prefix can go
    /// before it.
    pub(crate) fn is_of_one_event(&self) -> bool {
        self.name.starts_with("__keyevent@")
    }
}

/// Returns a glob without the literal bytes that it begins with, some of which are escaped.
fn without_bytes(glob: &str, count: usize) -> &str {
    let mut rest = glob;
    for _ in 0..count {
        let escaped = rest.strip_prefix('\\').unwrap_or(rest);
        let Some(after) = escaped.get(1..) else {
            return "";
        };
        rest = after;
    }
    rest
}

/// Splits the name of a keyspace channel before its key. The first part of other names is empty.
fn split_keyspace(name: &str) -> (&str, &str) {
    let end = name
        .strip_prefix("__keyspace@")
        .and_then(|_| name.find("__:"))
        .map_or(0, |at| at + "__:".len());
    name.split_at(end)
}
