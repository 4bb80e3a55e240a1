//! Waiting for subscribers.

use super::Broker;
use super::state::BrokerState;
use super::subscriptions::Kind;

impl Broker {
    /// Waits until at least `n` connections have a subscription of any kind; with `n = 0`, until no
    /// connection has one.
    ///
    /// The wait is unbounded: wrap it in a `tokio::time::timeout`. Cancel safe.
    ///
    /// ```
    /// # use redis_push::testing::Broker;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let broker = Broker::start().await?;
    /// # let client = redis::Client::open(broker.url())?;
    /// # let mut pubsub = client.get_async_pubsub().await?;
    /// tokio::spawn(async move {
    ///     pubsub.subscribe("news").await?;
    ///     std::future::pending::<redis::RedisResult<()>>().await
    /// });
    /// broker.wait_for_subscribers(1).await;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn wait_for_subscribers(&self, n: usize) {
        self.wait_until(n, BrokerState::subscribers).await;
    }

    /// Waits until at least `n` connections are subscribed to this channel, pattern or sharded
    /// channel; with `n = 0`, until no connection is.
    ///
    /// The wait is unbounded: wrap it in a `tokio::time::timeout`. Cancel safe.
    ///
    /// ```
    /// # use redis_push::testing::Broker;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let broker = Broker::start().await?;
    /// # let client = redis::Client::open(broker.url())?;
    /// # let mut pubsub = client.get_async_pubsub().await?;
    /// pubsub.psubscribe("news.*").await?;
    /// broker.wait_for_subscribers_of("news.*", 1).await;
    ///
    /// drop(pubsub);
    /// broker.wait_for_subscribers_of("news.*", 0).await;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn wait_for_subscribers_of(&self, name: impl AsRef<[u8]>, n: usize) {
        let name = name.as_ref();
        self.wait_until(n, |state| state.subscribers_of(name)).await;
    }

    async fn wait_until(&self, n: usize, count: impl Fn(&BrokerState) -> usize) {
        let mut changed = self.shared.lock().changed.subscribe();
        loop {
            let found = count(&self.shared.lock());
            let is_reached = if n == 0 { found == 0 } else { found >= n };
            if is_reached {
                return;
            }
            // This handle keeps the state, and the state the sender: this cannot fail.
            let _ = changed.changed().await;
        }
    }
}

impl BrokerState {
    /// Returns the number of clients with a subscription.
    pub(super) fn subscribers(&self) -> usize {
        let clients = self.clients.values();
        clients.filter(|client| client.is_subscribed()).count()
    }

    /// Returns the number of clients that are subscribed to a name of any kind.
    pub(super) fn subscribers_of(&self, name: &[u8]) -> usize {
        let kinds = Kind::ALL.iter();
        kinds
            .map(|kind| self.subscriptions.count(*kind, name))
            .sum()
    }
}
