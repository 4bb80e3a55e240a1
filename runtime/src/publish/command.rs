use std::fmt;

use redis::Cmd;

use crate::error::{Error, Result};
use crate::message::{PushMessage, ToPayload};
use crate::subscription::Kind;
use crate::telemetry::{Carrier, TraceParent};
use crate::util::Escaped;

/// Message types that can be published: they know their channel and how to encode their payload.
///
/// `#[derive(PushMessage)]` implements this for types with a `channel` or a `shard`, if their fields
/// can be encoded; a `pattern` does not name a channel to publish on. If a type has several channels,
/// the first one is used.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a message that can be published",
    label = "its channel is not known",
    note = "a `#[derive(PushMessage)]` type with a `channel` or a `shard` can be published, if its params are `Display` and it is not `receive_only`; for any other value use `publish_to(channel, &value)`"
)]
pub trait Publishable: PushMessage + ToPayload {
    /// Returns the name of the channel on which this message is published.
    ///
    /// # Errors
    ///
    /// Returns an error if the text of a param could not be parsed back from the name
    /// ([`Error::is_encode`]): it is empty, or contains a `.`, a `:`, a `/`, or the text that follows
    /// the param in the template.
    fn to_channel(&self) -> Result<String>;
}

/// A message that is encoded and ready to send.
pub(crate) struct Outgoing {
    command: &'static str,
    channel: Vec<u8>,
    /// How many bytes of the channel's name are the prefix of the publisher.
    #[cfg(feature = "testing")]
    prefix_len: usize,
    payload: Vec<u8>,
    /// The place of a trace context in the payload.
    carrier: Option<Carrier>,
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Payloads are the user's data and must not appear in logs.
        f.debug_struct("Outgoing")
            .field("command", &self.command)
            .field("channel", &Escaped(&self.channel))
            .field("payload_len", &self.payload.len())
            .finish()
    }
}

impl Outgoing {
    pub(super) fn of<M: Publishable + ?Sized>(message: &M) -> Result<Self> {
        let kind = match M::SUBSCRIPTIONS {
            [first, ..] => first.kind(),
            [] => return Err(Error::encode("the message type does not name a channel")),
        };
        let channel = message.to_channel()?.into_bytes();
        Self::new(kind, channel, message)
    }

    pub(super) fn new<T>(kind: Kind, channel: Vec<u8>, value: &T) -> Result<Self>
    where
        T: ToPayload + ?Sized,
    {
        let payload = value.to_payload()?.into_owned();
        if channel.is_empty() {
            return Err(Error::encode(
                "the name of the channel to publish on is empty",
            ));
        }
        let command = match kind {
            // A template with params is subscribed as a pattern; with its params filled it is a channel.
            Kind::Channel | Kind::Pattern => "PUBLISH",
            Kind::Shard => "SPUBLISH",
            Kind::Invalidation | Kind::Connection => {
                return Err(Error::encode("messages can be published only on channels"));
            }
        };
        Ok(Self {
            command,
            channel,
            #[cfg(feature = "testing")]
            prefix_len: 0,
            payload,
            carrier: value.trace_carrier(),
        })
    }

    pub(super) fn channel(&self) -> &[u8] {
        &self.channel
    }

    #[cfg(feature = "testing")]
    pub(super) fn prefix_len(&self) -> usize {
        self.prefix_len
    }

    #[cfg(feature = "testing")]
    pub(super) fn payload(&self) -> &[u8] {
        &self.payload
    }

    #[cfg(feature = "testing")]
    pub(super) fn is_shard(&self) -> bool {
        self.command == "SPUBLISH"
    }

    /// Writes a trace context into the payload, if its type carries one.
    pub(super) fn carry(&mut self, context: Option<TraceParent>) {
        if let (Some(context), Some(carrier)) = (context, self.carrier) {
            context.write_to(&mut self.payload, carrier);
        }
    }

    pub(super) fn carries_trace(&self) -> bool {
        self.carrier.is_some()
    }

    /// Adds a prefix to the name of the channel.
    pub(super) fn prefixed(mut self, prefix: &str) -> Self {
        self.channel.splice(..0, prefix.bytes());
        #[cfg(feature = "testing")]
        {
            self.prefix_len += prefix.len();
        }
        self
    }

    pub(super) fn command(&self) -> Cmd {
        let mut command = redis::cmd(self.command);
        command.arg(&self.channel[..]).arg(&self.payload[..]);
        command
    }
}
