use std::fmt;

use redis::Cmd;

use crate::error::{Error, Result};
use crate::message::{PushMessage, ToPayload};
use crate::subscription::Kind;
use crate::util::Escaped;

/// A message type that can be published: it knows its channel, and how its payload is written.
///
/// `#[derive(PushMessage)]` writes it for types with a `channel` or a `shard`, if their fields can
/// be written; a `pattern` names no channel to publish on. Of several channels the first is meant.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a message that can be published",
    label = "its channel is not known",
    note = "a `#[derive(PushMessage)]` type with a `channel` or a `shard` can be, if its params are `Display` and it is not `receive_only`; for any other value there is `publish_to(channel, &value)`"
)]
pub trait Publishable: PushMessage + ToPayload {
    /// The name of the channel that this message goes to.
    ///
    /// # Errors
    ///
    /// When a param's text could not be read back from the name ([`Error::is_encode`]): it is empty,
    /// or holds a `.`, a `:`, a `/`, or the text that stands behind it in the template.
    fn to_channel(&self) -> Result<String>;
}

/// A message, ready to be sent.
pub(crate) struct Outgoing {
    command: &'static str,
    channel: Vec<u8>,
    payload: Vec<u8>,
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Payloads are the user's data: they stay out of logs.
        f.debug_struct("Outgoing")
            .field("command", &self.command)
            .field("channel", &Escaped(&self.channel))
            .field("payload_len", &self.payload.len())
            .finish()
    }
}

impl Outgoing {
    pub(super) fn of<M: Publishable>(message: &M) -> Result<Self> {
        let kind = match M::SUBSCRIPTIONS {
            [first, ..] => first.kind(),
            [] => return Err(Error::encode("the message type names no channel")),
        };
        let channel = message.to_channel()?.into_bytes();
        let payload = message.to_payload()?.into_owned();
        Self::new(kind, channel, payload)
    }

    pub(super) fn new(kind: Kind, channel: Vec<u8>, payload: Vec<u8>) -> Result<Self> {
        if channel.is_empty() {
            return Err(Error::encode("the name of the channel is empty"));
        }
        let command = match kind {
            // A template is a pattern for who listens, and a channel once its params are filled.
            Kind::Channel | Kind::Pattern => "PUBLISH",
            Kind::Shard => "SPUBLISH",
            Kind::Invalidation | Kind::Connection => {
                return Err(Error::encode("only on channels can be published"));
            }
        };
        Ok(Self {
            command,
            channel,
            payload,
        })
    }

    pub(super) fn command(&self) -> Cmd {
        let mut command = redis::cmd(self.command);
        command.arg(&self.channel[..]).arg(&self.payload[..]);
        command
    }
}
