//! What sentinels say of a primary, and which of them to believe.
//!
//! A sentinel that was cut off, or has just started, names a primary that was replaced. The number that
//! the sentinels give to each failover tells which one is newer. Whether the server is the primary, only
//! its own `ROLE` says.
//!
//! | file | contents |
//! | --- | --- |
//! | `mod` | [`SentinelView`]: what one sentinel says, and [`best`]: which one to believe |
//! | `role` | [`Role`](role::Role): what a server says of itself |
//! | `sentinels` | [`Sentinels`]: those that know a primary, and what all connections to it share |
//! | `look_up` | the question to all of them before each connection |
//! | `primary` | [`Primary`]: the answer, and whether it is still true |
//! | `watch` | the questions while there are connections |
//!
//! ```text
//!   look-up ── newest failover ──▶ connect ──▶ ROLE ── primary ──▶ in use ──▶ of no use
//!      ▲                              │          │                   ▲            │
//!      │                              ▼ refused  ▼ replica           │            │
//!      └────────────── pause ◀───────────────────────────────────────┼────────────┘
//!                        ▲                                           │
//!                        └──────────── watch, ROLE ──────────────────┘
//! ```
//!
//! A connection is of no use any more when a sentinel knows of a newer failover to another server, or when
//! the server says that it is not the primary. The same sentinel that is cut off, and knows of an older
//! failover, changes nothing.

mod look_up;
mod primary;
mod role;
mod sentinels;
mod watch;

pub(crate) use primary::Primary;
#[cfg(all(redis_push_internals, feature = "testing"))]
pub(crate) use role::Role;
pub(crate) use sentinels::Sentinels;
pub(crate) use watch::News;

use std::fmt;

use redis::Value;

use super::look::{LookError, list, number, pairs, text};
use super::node_address::NodeAddress;

/// What one sentinel says of a primary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SentinelView {
    pub(crate) primary: NodeAddress,
    /// The number of the failover that has made it the primary.
    pub(crate) epoch: u64,
    /// Whether this sentinel takes it for down.
    pub(crate) is_down: bool,
}

impl SentinelView {
    /// Reads the replies to `SENTINEL GET-MASTER-ADDR-BY-NAME` and `SENTINEL MASTER`, in this order.
    ///
    /// Both have an address. During a failover the sentinel that leads it already has the number of that
    /// failover, and goes on naming the old primary in the second reply until the other replicas follow
    /// the new one, for seconds. So the address is that of the first reply.
    ///
    /// # Errors
    ///
    /// Returns an error if the sentinel refuses, does not know the name, or if a reply has another form.
    pub(crate) fn parse(address: &Value, primary: &Value) -> Result<Self, LookError> {
        let form = |what: &str| LookError::unreadable(what);
        if *address == Value::Nil {
            let text = "the sentinel does not know a primary of this name";
            return Err(LookError::Unknown(text.to_owned()));
        }
        let [host, port] = list(address, "the address of a primary")? else {
            return Err(form("the address of a primary should be a host and a port"));
        };
        let (Some(host), Some(port)) = (text(host), number(port)) else {
            return Err(form("the address of a primary is not readable"));
        };
        let (mut epoch, mut is_down) = (None, false);
        for (name, value) in pairs(primary, "the reply to SENTINEL MASTER")? {
            match text(name) {
                Some("config-epoch") => epoch = number::<u64>(value),
                Some("flags") => {
                    let mut flags = text(value).unwrap_or_default().split(',');
                    is_down = flags.any(|flag| matches!(flag, "s_down" | "o_down"));
                }
                _ => {}
            }
        }
        Ok(Self {
            primary: NodeAddress::new(host, port),
            epoch: epoch.ok_or_else(|| form("the reply to SENTINEL MASTER has no config-epoch"))?,
            is_down,
        })
    }
}

/// Returns the most credible of what sentinels say.
///
/// The newest failover wins. Of its primaries, which are several while sentinels learn of it, that one
/// wins which more sentinels name, and then the one that fewer take for down.
pub(crate) fn best<'v>(
    views: impl Iterator<Item = &'v SentinelView> + Clone,
) -> Option<&'v SentinelView> {
    let weight = |view: &SentinelView| {
        let of_it =
            |other: &&SentinelView| (other.epoch, &other.primary) == (view.epoch, &view.primary);
        let votes = views.clone().filter(of_it);
        let up = votes.clone().filter(|other| !other.is_down).count();
        (view.epoch, votes.count(), up)
    };
    // The first of equals, in the order in which the sentinels were given.
    views.clone().reduce(|best, view| {
        if weight(view) > weight(best) {
            view
        } else {
            best
        }
    })
}

impl fmt::Display for SentinelView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            primary,
            epoch,
            is_down,
        } = self;
        let down = if *is_down {
            ", which it takes for down"
        } else {
            ""
        };
        write!(f, "names {primary} (failover {epoch}){down}")
    }
}

/// The payload of a `+switch-master` message: a primary was replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Switched<'m> {
    /// The name by which the sentinels know the primary.
    pub(crate) name: &'m str,
    pub(crate) old: NodeAddress,
    pub(crate) new: NodeAddress,
}

impl<'m> Switched<'m> {
    /// Reads `mymaster 10.0.0.1 6379 10.0.0.2 6379`. Returns `None` for a payload in another form.
    pub(crate) fn parse(payload: &'m [u8]) -> Option<Self> {
        let mut words = str::from_utf8(payload).ok()?.split(' ');
        let name = words.next().filter(|name| !name.is_empty())?;
        let mut address = || {
            let host = words.next().filter(|host| !host.is_empty())?;
            Some(NodeAddress::new(host, words.next()?.parse().ok()?))
        };
        let (old, new) = (address()?, address()?);
        words.next().is_none().then_some(Self { name, old, new })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.into())
    }

    fn flat(words: &[&str]) -> Value {
        Value::Array(words.iter().map(|word| bulk(word)).collect())
    }

    fn view(port: u16, epoch: u64, is_down: bool) -> SentinelView {
        let primary = NodeAddress::new("a", port);
        SentinelView {
            primary,
            epoch,
            is_down,
        }
    }

    fn port(views: &[SentinelView]) -> Option<u16> {
        best(views.iter()).map(|view| view.primary.port())
    }

    #[test]
    fn a_view_has_the_address_of_the_first_reply() {
        let address = flat(&["10.0.0.2", "6379"]);
        let pairs = [
            "name",
            "m",
            "ip",
            "10.0.0.1",
            "port",
            "1",
            "config-epoch",
            "7",
        ];
        for (flags, is_down) in [
            ("master", false),
            ("master,failover_in_progress", false),
            ("s_down,master", true),
            ("s_down,o_down,master", true),
        ] {
            let primary = flat(&[&pairs[..], &["flags", flags]].concat());
            let view = SentinelView::parse(&address, &primary).unwrap();
            assert_eq!(view.primary, NodeAddress::new("10.0.0.2", 6379));
            assert_eq!((view.epoch, view.is_down), (7, is_down));
        }
    }

    #[test]
    fn replies_in_another_form_are_errors() {
        let (address, primary) = (flat(&["a", "1"]), flat(&["config-epoch", "7"]));
        assert!(SentinelView::parse(&address, &primary).is_ok());
        for address in [
            Value::Okay,
            flat(&["a"]),
            flat(&["a", "x"]),
            flat(&["a", "65536"]),
        ] {
            assert!(
                SentinelView::parse(&address, &primary).is_err(),
                "{address:?}"
            );
        }
        for primary in [
            Value::Okay,
            flat(&["a"]),
            flat(&["config-epoch", "x"]),
            flat(&[]),
        ] {
            assert!(
                SentinelView::parse(&address, &primary).is_err(),
                "{primary:?}"
            );
        }
        let unknown = SentinelView::parse(&Value::Nil, &primary).unwrap_err();
        assert!(matches!(unknown, LookError::Unknown(_)));
    }

    #[test]
    fn the_newest_failover_wins_then_the_majority_then_who_is_up() {
        assert_eq!(port(&[]), None);
        // A sentinel that was cut off, and is asked first.
        assert_eq!(port(&[view(1, 1, false), view(2, 2, false)]), Some(2));
        let old = [view(1, 1, false), view(1, 1, false)];
        assert_eq!(port(&[&old[..], &[view(2, 2, true)]].concat()), Some(2));
        let split = [view(1, 2, false), view(2, 2, true), view(2, 2, true)];
        assert_eq!(port(&split), Some(2));
        assert_eq!(port(&[view(1, 2, true), view(2, 2, false)]), Some(2));
        assert_eq!(port(&[view(1, 2, false), view(2, 2, false)]), Some(1));
    }

    #[test]
    fn a_switch_names_both_addresses() {
        let switched = Switched::parse(b"mymaster 10.0.0.1 6379 ::1 6380").unwrap();
        assert_eq!(switched.name, "mymaster");
        assert_eq!(switched.old, NodeAddress::new("10.0.0.1", 6379));
        assert_eq!(switched.new, NodeAddress::new("::1", 6380));
        for payload in [
            &b""[..],
            b"m",
            b"m a 1 b",
            b"m a 1 b x",
            b"m a 1 b 65536",
            b"m a 1 b 2 c",
            b" a 1 b 2",
            b"m  1 b 2",
            b"m \xff 1 b 2",
        ] {
            assert_eq!(Switched::parse(payload), None, "{}", payload.escape_ascii());
        }
    }
}
