//! Connections: to which server, as which user, over which stream, and what is sent over them.
//!
//! | file | contents |
//! | --- | --- |
//! | `endpoint`, `options` | [`Endpoint`]: what users set; checked and turned into a [`Destination`] |
//! | `credentials` | [`Credentials`], and the user's provider of them |
//! | `address_map` | where servers are reached whose addresses others tell |
//! | `server` | [`Server`]: the address, the greeting, and the wait for both |
//! | `destination` | [`Destination`]: a server, or the primary that sentinels name for each connection |
//! | `dial`, `stream`, `tls` | streams: TCP, TLS over TCP, unix sockets |
//! | `connect_error` | why a connection could not be made, without secrets |
//! | `reason` | why a server closes new connections, in its own words |
//! | `commands` | [`Connection`]: the commands of the session |
//! | `requests` | the commands that subscribe and unsubscribe |
//! | `attached` | what only the connection of an attached manager needs |
//! | `sender` | what carries the commands |
//! | `exchange` | how commands are sent, and how replies are known to belong to them |
//! | `awaited` | [`Awaited`]: the confirmations that redis-rs waits for |
//! | `tracking` | the commands for invalidations |
//! | `settings` | the settings of the server |
//! | `slots` | [`SlotMap`](slots::SlotMap): the slot of a name, and the node that owns it, by `CLUSTER SLOTS` |
//! | `moved` | `MOVED` and `ASK` |
//! | `bus` | the links of the cluster bus, by `CLUSTER LINKS` |
//! | `sentinel` | the primary that sentinels name: the look-up, and the watch |
//! | `node_address`, `look` | what these four have in common: addresses, and errors |
//! | `lazy` | [`LazyConnection`]: the commands of publishers, caches and failure sinks |
//! | `redirect` | where those of [`LazyConnection`] go in a test, with the feature `testing` |
//! | `cluster` | [`ClusterConnection`]: those to the nodes of a cluster, each command to the node of its slot |
//! | `command_connection` | [`CommandConnection`]: one of these, or the connection of an attached manager |
//!
//! In: `subscriber`, `publish` and `failure` pass an [`Endpoint`]. `link` makes the session's
//! connections to its [`Destination`]. Out: `link` and `session` get a [`Connection`], `failure`, `publish`
//! and `cache` a [`CommandConnection`].
//!
//! # What is sent
//!
//! | when | commands |
//! | --- | --- |
//! | connecting | redis-rs's greeting: `HELLO 3` with the credentials, `SELECT`, `CLIENT SETINFO`; then `CLIENT SETNAME` |
//! | subscribing | `SUBSCRIBE`, `PSUBSCRIBE`, `SSUBSCRIBE`; for invalidations `CLIENT TRACKING ON BCAST PREFIX`, then `UNSUBSCRIBE` of a fence |
//! | before the first `PING`, if there are invalidations only | `CONFIG GET timeout`: after that time the server closes a connection that is idle and has no subscription |
//! | at each `ping_interval`, or more often for that timeout | `PING`; except on the wire link, `UNSUBSCRIBE` of a fence; before both, `CLIENT TRACKINGINFO` on an attached connection with invalidations |
//! | draining | `UNSUBSCRIBE`, `PUNSUBSCRIBE`, `SUNSUBSCRIBE`; for invalidations `CLIENT TRACKING OFF`, then `UNSUBSCRIBE` of a fence |
//! | attached, before subscribing | `HELLO`, `CLIENT ID`; after a `RESET` of the owner `HELLO 3` |
//! | before subscribing to key events | `CONFIG GET notify-keyspace-events`, and `CONFIG SET` if users want that |
//! | after the commands of each exchange | `PING` with a nonce |
//! | to sentinels, before a connection and at each `topology_interval` | `SENTINEL MASTER`, `SENTINEL GET-MASTER-ADDR-BY-NAME`; once `SUBSCRIBE +switch-master` |
//! | to a server that sentinels have named, after connecting and at each `ping_interval` | `ROLE` |
//! | on a [`LazyConnection`] | what publishers and sinks write; `PTTL` and `GET` for caches |
//! | on that to a node of a cluster | also `CLUSTER SLOTS` and `CLUSTER INFO`, when the map of slots is missing, old, or known to be wrong |
//!
//! # Invariants, and the facts behind them
//!
//! - The session's connection carries no commands of users, unless it is attached. The server's output
//!   buffer limit for Pub/Sub covers every reply on it, and redis-rs takes a `sunsubscribe` that the
//!   server sends on its own for the reply to the oldest command in flight.
//! - There is one name in each command. Under ACL, a `SUBSCRIBE` of several names is all or nothing, and
//!   redis-rs expects one reply for each command. The commands are pipelined.
//! - A reply is not a confirmation. Confirmations are pushes, and go to the dispatcher. `CLIENT TRACKING`
//!   has no confirmation, so a fence follows it (`tracking`).
//! - Names are never unsubscribed with an empty list: this would end the subscriptions of others too, and
//!   redis-rs miscounts the replies.
//! - An error reply to a `PING` is a sign of life too.
//! - redis-rs's own retries and timeouts are off: after a command that timed out, the connection would
//!   stay as it is. The callers have timeouts.
//! - A server that does not know a command repeats its arguments in the error. Those of `HELLO` contain
//!   the password, those of `PUBLISH` the payload.

mod address_map;
mod attached;
mod awaited;
#[cfg_attr(
    not(any(test, all(redis_push_internals, feature = "testing"))),
    expect(
        dead_code,
        reason = "a part of it is for what a user can ask about the nodes"
    )
)]
pub(crate) mod bus;
mod cluster;
mod command_connection;
mod command_error;
mod commands;
mod connect_error;
mod credentials;
mod destination;
mod dial;
mod endpoint;
mod exchange;
mod lazy;
mod look;
pub(crate) mod moved;
pub(crate) mod node_address;
mod options;
mod reason;
#[cfg(feature = "testing")]
mod redirect;
mod requests;
mod sender;
pub(crate) mod sentinel;
mod server;
mod settings;
#[cfg_attr(
    not(test),
    expect(
        dead_code,
        reason = "a part of it is for what a user can ask about the nodes"
    )
)]
pub(crate) mod slots;
mod stream;
pub(crate) mod tls;
mod tracking;

pub(crate) use awaited::Awaited;
pub(crate) use cluster::{ClusterConnection, Seeds};
#[cfg(feature = "cache")]
pub(crate) use command_connection::KeyRead;
pub(crate) use command_connection::{CommandConnection, one_each};
pub(crate) use command_error::{CommandError, ServerError, accepted};
pub(crate) use commands::{Connection, Reply};
pub use credentials::Credentials;
pub(crate) use destination::Destination;
pub use endpoint::Endpoint;
pub(crate) use lazy::LazyConnection;
pub(crate) use look::LookError;
pub(crate) use moved::Moved;
pub(crate) use node_address::NodeAddress;
pub(crate) use options::Servers;
#[cfg(feature = "testing")]
pub(crate) use redirect::Redirect;
pub(crate) use sentinel::{News, Primary, Sentinels};
pub(crate) use server::Server;
pub(crate) use settings::Setting;
pub use tls::Tls;
