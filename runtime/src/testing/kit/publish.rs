//! Publishing to the application, until the whole reaction is over.

use super::TestKit;
use crate::error::Result;
use crate::message::ToPayload;
#[cfg(doc)]
use crate::publish::Publisher;
use crate::publish::{IntoChannel, Publishable};
#[cfg(doc)]
use crate::subscriber::Subscriber;

impl TestKit {
    /// Publishes a message on the channel of its type, under the [prefix](Subscriber::prefix) of the
    /// subscriber, and returns when the reaction to it
    /// [is over](Self#when-a-reaction-is-over). The number of receivers is returned, as by
    /// [`Publisher::publish`].
    ///
    /// # Errors
    ///
    /// Returns the errors of [`Publisher::publish`] and of [`settle`](Self::settle).
    pub async fn publish<M: Publishable + ?Sized>(&self, message: &M) -> Result<u64> {
        self.settled(self.publisher.publish(message)).await
    }

    /// Publishes a value on a channel or an address, as [`Publisher::publish_to`] does, and returns when the
    /// reaction to it is over.
    ///
    /// # Errors
    ///
    /// As [`publish`](Self::publish).
    pub async fn publish_to<T: ToPayload + ?Sized>(
        &self,
        channel: impl IntoChannel<T>,
        value: &T,
    ) -> Result<u64> {
        self.settled(self.publisher.publish_to(channel, value))
            .await
    }

    /// Publishes messages in order, many in one round trip, and returns when the reaction to all of them is
    /// over.
    ///
    /// # Errors
    ///
    /// As [`publish`](Self::publish).
    pub async fn publish_all<'m, M: Publishable + 'm>(
        &self,
        messages: impl IntoIterator<Item = &'m M>,
    ) -> Result<Vec<u64>> {
        self.settled(self.publisher.publish_all(messages)).await
    }

    /// Publishes any bytes on a channel: a message that does not decode, for example. Returns when the
    /// reaction is over.
    ///
    /// # Errors
    ///
    /// As [`publish`](Self::publish).
    pub async fn publish_raw(
        &self,
        channel: impl AsRef<[u8]>,
        payload: impl AsRef<[u8]>,
    ) -> Result<u64> {
        let publishing = self
            .publisher
            .publish_to(channel.as_ref(), payload.as_ref());
        self.settled(publishing).await
    }

    async fn settled<T>(&self, publishing: impl Future<Output = Result<T>>) -> Result<T> {
        self.server.refuse_paused()?;
        let receivers = publishing.await?;
        self.settle().await?;
        Ok(receivers)
    }
}
