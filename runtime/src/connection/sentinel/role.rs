//! The reply to `ROLE`: what a server says of itself.

use std::fmt;

use redis::Value;

use crate::connection::look::{LookError, list, number, text};
use crate::connection::node_address::NodeAddress;

/// What a server says that it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Primary,
    Replica {
        primary: NodeAddress,
        /// Whether it has a link to its primary, and the primary's data.
        is_connected: bool,
    },
    Sentinel,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Primary => f.write_str("a primary"),
            Self::Sentinel => f.write_str("a sentinel"),
            Self::Replica {
                primary,
                is_connected,
            } => {
                let link = if *is_connected {
                    ""
                } else {
                    ", which it is not connected to"
                };
                write!(f, "a replica of {primary}{link}")
            }
        }
    }
}

impl Role {
    /// Reads the reply to `ROLE`.
    ///
    /// # Errors
    ///
    /// Returns an error if the server refuses, or if the reply has another form.
    pub(crate) fn parse(reply: &Value) -> Result<Self, LookError> {
        let reply = list(reply, "the reply to ROLE")?;
        match reply.first().and_then(text) {
            Some("master") => Ok(Self::Primary),
            Some("sentinel") => Ok(Self::Sentinel),
            // Servers that have another word for it may come.
            Some("slave" | "replica") => Self::replica(reply).ok_or_else(|| {
                LookError::unreadable("ROLE does not name the primary of a replica")
            }),
            _ => Err(LookError::unreadable("ROLE names a role that is not known")),
        }
    }

    fn replica(reply: &[Value]) -> Option<Self> {
        let [_, host, port, state, ..] = reply else {
            return None;
        };
        Some(Self::Replica {
            primary: NodeAddress::new(text(host)?, number(port)?),
            is_connected: text(state)? == "connected",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(reply: &str) -> Result<Role, LookError> {
        Role::parse(&redis::parse_redis_value(reply.as_bytes()).unwrap())
    }

    #[test]
    fn a_server_is_a_primary_a_replica_or_a_sentinel() {
        let primary = "*3\r\n$6\r\nmaster\r\n:14\r\n*0\r\n";
        assert_eq!(role(primary), Ok(Role::Primary));
        assert_eq!(role("*2\r\n$8\r\nsentinel\r\n*0\r\n"), Ok(Role::Sentinel));
        for (state, is_connected) in [("connected", true), ("sync", false), ("connect", false)] {
            let replica = format!("*5\r\n+slave\r\n+10.0.0.1\r\n:6379\r\n+{state}\r\n:-1\r\n");
            let expected = Role::Replica {
                primary: NodeAddress::new("10.0.0.1", 6379),
                is_connected,
            };
            assert_eq!(role(&replica), Ok(expected));
        }
    }

    #[test]
    fn another_reply_is_an_error() {
        for reply in [
            "+OK\r\n",
            "*0\r\n",
            "*1\r\n+king\r\n",
            "*1\r\n+slave\r\n",
            "*4\r\n+slave\r\n+a\r\n:70000\r\n+connected\r\n",
            "-LOADING Redis is loading\r\n",
        ] {
            assert!(role(reply).is_err(), "{reply}");
        }
    }
}
