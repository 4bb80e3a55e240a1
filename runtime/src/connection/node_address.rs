//! The address of a node: of a cluster, or of a primary that sentinels name.

use std::fmt;
use std::sync::Arc;

/// A host and a port. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct NodeAddress {
    host: Arc<str>,
    port: u16,
}

impl NodeAddress {
    pub(crate) fn new(host: &str, port: u16) -> Self {
        let host = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .unwrap_or(host);
        let host = host.into();
        Self { host, port }
    }

    /// The address that a node names for another one, if it names one.
    ///
    /// An empty host stands for the host that was asked, because the node does not know its own or must
    /// not tell it. `?` stands for a host that nobody has configured. A wildcard address cannot be
    /// reached from elsewhere, so it stands for the host that was asked too.
    pub(super) fn named(host: &str, port: u16, asked: &str) -> Option<Self> {
        let is_wildcard = matches!(host, "0.0.0.0" | "::");
        match host {
            _ if port == 0 => None,
            "?" => None,
            _ if host.is_empty() || is_wildcard => Some(Self::new(asked, port)),
            _ => Some(Self::new(host, port)),
        }
    }

    /// The host, without the brackets of an IPv6 address.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}

impl fmt::Display for NodeAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        let host = host.escape_debug();
        if self.host.contains(':') {
            write!(f, "[{host}]:{port}")
        } else {
            write!(f, "{host}:{port}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_address_is_shown_in_brackets_and_kept_without_them() {
        for (host, shown) in [
            ("127.0.0.1", "127.0.0.1:7000"),
            ("redis.internal", "redis.internal:7000"),
            ("::1", "[::1]:7000"),
            ("[::1]", "[::1]:7000"),
            ("a\n", "a\\n:7000"),
        ] {
            assert_eq!(NodeAddress::new(host, 7000).to_string(), shown);
        }
        let address = NodeAddress::new("[fe80::1]", 1);
        assert_eq!((address.host(), address.port()), ("fe80::1", 1));
        assert_eq!(address, NodeAddress::new("fe80::1", 1));
    }

    #[test]
    fn a_host_that_is_not_named_is_the_one_that_was_asked() {
        let asked = "seed";
        for (host, port, address) in [
            ("10.0.0.2", 7000, Some("10.0.0.2:7000")),
            ("", 7000, Some("seed:7000")),
            ("0.0.0.0", 7000, Some("seed:7000")),
            ("::", 7000, Some("seed:7000")),
            ("?", 7000, None),
            ("10.0.0.2", 0, None),
        ] {
            let named = NodeAddress::named(host, port, asked);
            assert_eq!(named.map(|named| named.to_string()).as_deref(), address);
        }
    }
}
