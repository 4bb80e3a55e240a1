use std::time::Duration;

use redis::io::tcp::{TcpSettings, socket2::TcpKeepalive};
use redis::{Client, IntoConnectionInfo, ProtocolVersion};

use super::{Attached, Link, Manager, Wire};
use crate::error::Error;

/// Where a subscriber is to connect to.
pub(crate) enum Target {
    Url(String),
    Client(Client),
    Attached(Attached),
}

impl Target {
    /// Makes the link: the wire link, or a manager's.
    ///
    /// # Errors
    ///
    /// When the URL is none, or asks for what cannot be.
    pub(crate) fn into_link(self, wire: Option<Duration>) -> Result<Link, Error> {
        let client = match self {
            Self::Url(url) => client_of(&url)?,
            Self::Client(client) => prepare(client.get_connection_info().clone())?,
            Self::Attached(_) if wire.is_some() => {
                return Err(Error::config(
                    "an attached manager reads its own socket: `wire()` does not go with `attach`",
                ));
            }
            Self::Attached(link) => return Ok(Link::Attached(link)),
        };
        match wire {
            Some(wait) => Wire::new(client, wait).map(Link::Wire),
            None => Ok(Link::Manager(Manager::new(client))),
        }
    }
}

fn client_of(url: &str) -> Result<Client, Error> {
    // A URL may hold a password: none of it goes into an error.
    let parsed = redis::parse_redis_url(url).ok_or_else(|| {
        Error::config(
            "the server's URL is not one; it looks like `redis://[user:password@]host:port/[db]`",
        )
    })?;
    // An unescaped `#`, `/` or `?` in a password makes a part of it look like a host or a path,
    // which errors would print.
    let looks_cut = parsed.fragment().is_some()
        || parsed.path().contains('@')
        || parsed.query().is_some_and(|query| query.contains('@'));
    if looks_cut && !parsed.scheme().contains("unix") {
        return Err(Error::config(
            "the server's URL has a character in its password that must be percent-encoded, such \
             as `%23` for `#` or `%40` for `@`",
        ));
    }
    let asks_for_resp2 = parsed
        .query_pairs()
        .any(|(key, value)| key == "protocol" && matches!(&*value, "2" | "resp2"));
    if asks_for_resp2 {
        return Err(Error::config(
            "the server's URL asks for `protocol=resp2`, which has no pushes; leave it out, RESP3 \
             is switched on here",
        ));
    }
    let info = parsed.into_connection_info().map_err(|error| {
        let problem = error.to_string();
        Error::config(format!("the server's URL cannot be used: {problem}"))
    })?;
    prepare(info)
}

/// Sets what every connection of ours needs and redis-rs leaves off.
fn prepare(info: redis::ConnectionInfo) -> Result<Client, Error> {
    let settings = info
        .redis_settings()
        .clone()
        .set_protocol(ProtocolVersion::RESP3);
    let info = info.set_redis_settings(settings).set_tcp_settings(tcp());
    Client::open(info)
        .map_err(|error| Error::config(format!("the server's address cannot be used: {error}")))
}

fn tcp() -> TcpSettings {
    TcpSettings::default()
        .set_nodelay(true)
        .set_keepalive(keepalive())
}

pub(super) fn keepalive() -> TcpKeepalive {
    TcpKeepalive::new()
        .with_time(Duration::from_secs(10))
        .with_interval(Duration::from_secs(5))
}
