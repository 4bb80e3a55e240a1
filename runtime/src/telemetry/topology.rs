use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The servers that a subscriber is connected to at a moment, or tries to be.
///
/// With one server there is one node for each [link](crate::Subscriber::links). Of a
/// [cluster](crate::Subscriber::cluster) it has the primaries, and the nodes that have been primaries since the
/// start.
///
/// `Display` prints a line for each node and each sentinel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Topology {
    /// In the order in which they were found.
    pub nodes: Vec<NodeTopology>,
    /// How many names wait because no node owns their slots.
    pub waiting: u64,
    /// The [sentinels](crate::Subscriber::sentinel), in the order of their URLs. While none of them answers, the
    /// connection goes on, and a failover is noticed only by its end.
    #[serde(default)]
    pub sentinels: Vec<SentinelTopology>,
}

/// One sentinel, as a subscriber sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SentinelTopology {
    /// Its address: `host:port`.
    pub address: String,
    /// Whether it answers, and names a primary.
    pub names_primary: bool,
    /// Why it does not. `None` also before it was asked.
    pub error: Option<String>,
}

impl fmt::Display for SentinelTopology {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            address,
            names_primary,
            error,
        } = self;
        match error {
            _ if *names_primary => write!(f, "sentinel {address}: answers"),
            Some(error) => write!(f, "sentinel {address}: {error}"),
            None => write!(f, "sentinel {address}: not asked yet"),
        }
    }
}

/// One server, as a subscriber sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct NodeTopology {
    /// The address that is connected to, or, with [`Subscriber::address_map`](crate::Subscriber::address_map) in a
    /// cluster, the one that the other nodes tell: `host:port`, or the path of a unix socket. Before sentinels
    /// have named a primary, it is the name of that.
    pub address: String,
    /// The number of the link, from 1, if there are [several](crate::Subscriber::links) to one server. Log lines
    /// have it as `link`.
    pub link: Option<u64>,
    /// What it is to other servers.
    pub role: NodeRole,
    /// The slots that it owns, in ascending order. Empty without a cluster.
    pub slots: Vec<RangeInclusive<u16>>,
    /// How many names of handlers and streams are on it. Key events and invalidations are on each primary of
    /// a cluster.
    pub names: u64,
    /// How many of them it has confirmed.
    pub confirmed: u64,
    /// Whether there is a connection.
    pub is_connected: bool,
    /// How long it took to answer the last `PING`.
    pub ping_rtt: Option<Duration>,
    /// How often its links with other nodes were seen to be reset, so that its channels and patterns may
    /// have missed messages.
    pub bus_losses: u64,
}

/// What a server is to others.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[non_exhaustive]
pub enum NodeRole {
    /// Nobody was asked, or nobody knows.
    #[default]
    Unknown,
    /// It takes writes: sentinels have named it, or it owns slots.
    Primary,
    /// It follows a primary.
    Replica,
}

impl fmt::Display for NodeRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "server",
            Self::Primary => "primary",
            Self::Replica => "replica",
        })
    }
}

impl fmt::Display for NodeTopology {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            address,
            link,
            role,
            names,
            confirmed,
            ..
        } = self;
        write!(f, "{role} {address}")?;
        if let Some(link) = link {
            write!(f, ", link {link}")?;
        }
        write!(f, ": {confirmed} of {names} names confirmed")?;
        match (self.is_connected, self.ping_rtt) {
            (false, _) => f.write_str(", not connected")?,
            (true, Some(rtt)) => write!(f, ", ping {rtt:?}")?,
            (true, None) => {}
        }
        if !self.slots.is_empty() {
            let slots = self
                .slots
                .iter()
                .map(|range| match (range.start(), range.end()) {
                    (first, last) if first == last => first.to_string(),
                    (first, last) => format!("{first}-{last}"),
                });
            write!(f, ", slots {}", slots.collect::<Vec<_>>().join(","))?;
        }
        if self.bus_losses > 0 {
            write!(f, ", {} losses on the bus", self.bus_losses)?;
        }
        Ok(())
    }
}

impl fmt::Display for Topology {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, node) in self.nodes.iter().enumerate() {
            let line_break = if index == 0 { "" } else { "\n" };
            write!(f, "{line_break}{node}")?;
        }
        if self.waiting > 0 {
            write!(
                f,
                "\n{} names wait for an owner of their slots",
                self.waiting
            )?;
        }
        for sentinel in &self.sentinels {
            write!(f, "\n{sentinel}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topology_is_a_line_for_each_node_and_each_sentinel() {
        let primary = NodeTopology {
            address: "10.0.0.1:6379".into(),
            link: None,
            role: NodeRole::Primary,
            slots: vec![0..=5_460, 9_000..=9_000],
            names: 3,
            confirmed: 2,
            is_connected: true,
            ping_rtt: Some(Duration::from_micros(312)),
            bus_losses: 1,
        };
        let lost = NodeTopology {
            address: "10.0.0.2:6379".into(),
            link: Some(2),
            ..NodeTopology::default()
        };
        let topology = Topology {
            nodes: vec![primary, lost],
            waiting: 4,
            sentinels: vec![
                SentinelTopology {
                    address: "10.0.0.7:26379".into(),
                    names_primary: true,
                    error: None,
                },
                SentinelTopology {
                    address: "10.0.0.8:26379".into(),
                    error: Some("it hangs".into()),
                    ..SentinelTopology::default()
                },
                SentinelTopology {
                    address: "10.0.0.9:26379".into(),
                    ..SentinelTopology::default()
                },
            ],
        };
        assert_eq!(
            topology.to_string(),
            "primary 10.0.0.1:6379: 2 of 3 names confirmed, ping 312µs, slots 0-5460,9000, 1 losses on \
             the bus\nserver 10.0.0.2:6379, link 2: 0 of 0 names confirmed, not connected\n4 names wait for an \
             owner of their slots\nsentinel 10.0.0.7:26379: answers\nsentinel 10.0.0.8:26379: it hangs\n\
             sentinel 10.0.0.9:26379: not asked yet"
        );
    }
}
