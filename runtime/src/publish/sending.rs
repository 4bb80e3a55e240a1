//! From encoded messages to the connection of a publisher.

use redis::Pipeline;

use super::command::Outgoing;
use super::context::PublishContext;
use super::publisher::Publisher;
use super::publishing::Publishing;
use crate::error::Result;

/// The number of messages of a [`Publisher::publish_all`] in one write.
const AT_ONCE: usize = 1_000;

impl Publisher {
    pub(super) fn one(
        &self,
        message: Result<Outgoing>,
        context: PublishContext,
    ) -> Publishing<u64> {
        let publisher = self.clone();
        Publishing::new(async move { publisher.send(message?, context).await })
    }

    /// Sends a message.
    pub(super) async fn send(&self, message: Outgoing, context: PublishContext) -> Result<u64> {
        let mut message = [self.prefixed(message)];
        let receivers = self.send_all(&mut message, context).await?;
        Ok(receivers.into_iter().sum())
    }

    /// Sends messages, whose names have the prefix.
    pub(super) async fn send_all(
        &self,
        messages: &mut [Outgoing],
        context: PublishContext,
    ) -> Result<Vec<u64>> {
        match self.begin(messages, context) {
            None => self.transmit(messages).await,
            // Boxed, because few publishers have spans.
            Some(span) => Box::pin(span.around(self.transmit(messages))).await,
        }
    }

    async fn transmit(&self, messages: &[Outgoing]) -> Result<Vec<u64>> {
        let mut receivers = Vec::new();
        for chunk in messages.chunks(AT_ONCE) {
            let mut pipeline = Pipeline::new();
            for message in chunk {
                pipeline.add_command(message.command());
            }
            #[cfg(feature = "testing")]
            let observed = self.observe();
            let sent = self.over.send(&pipeline, self.timeout).await;
            #[cfg(feature = "testing")]
            observed.ended(chunk, &sent);
            match receivers.is_empty() {
                true => receivers = sent?,
                false => receivers.extend(sent?),
            }
        }
        Ok(receivers)
    }

    pub(super) fn prefixed(&self, message: Outgoing) -> Outgoing {
        match &self.prefix {
            Some(prefix) => message.prefixed(prefix),
            None => message,
        }
    }
}
