//! Publishing: from a value of the user to a `PUBLISH` or `SPUBLISH` command.
//!
//! | file | contents |
//! | --- | --- |
//! | `command` | [`Publishable`], and `Outgoing`: a message that is encoded and ready to send |
//! | `context` | the span of a publish, and the trace context that messages carry |
//! | `into_channel` | [`IntoChannel`]: the names and addresses that a value can be published on |
//! | `answer` | [`Publish`] and [`Answer`]: what a handler returns to have it published |
//! | `publisher` | [`Publisher`]: sends commands over a connection |
//! | `to_cluster` | publishers of a cluster |
//! | `sending` | how a publisher sends what is encoded, in a span if it has spans |
//! | `publishing` | [`Publishing`]: a publish in progress |
//! | `transport` | the connection of a publisher, and what its replies say |
//! | `push` | the publisher that travels with each push, for handlers |
//!
//! In: a value, and maybe an address. `message` encodes the payload and `subscription` fills the
//! channel's template, before anything is awaited. A [`Publishing`] owns the encoded bytes and nothing
//! of the value.
//!
//! Out: a pipeline of commands, either over a `CommandConnection`, which is separate from
//! the link, or over a connection that the user passed in. `subscriber` gives each handler a publisher
//! as an extension of its pushes, and `delivery` sends a handler's answer through it.
//!
//! Invariants:
//!
//! - A publish is sent at most once. It is never retried here, because the server may have accepted
//!   it without the reply arriving.
//! - If a command was sent and no reply arrived, the error begins with "not known to be published".
//! - No payload appears in `Debug` or in an error.

mod answer;
mod command;
mod context;
mod into_channel;
#[cfg(feature = "testing")]
mod probed;
mod publisher;
mod publishing;
mod push;
mod sending;
mod to_cluster;
mod transport;

pub use answer::{Answer, Publish};
pub use command::Publishable;
pub use into_channel::IntoChannel;
pub use publisher::Publisher;
pub use publishing::Publishing;
