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
        self.wait_until(n, |state| {
            state
                .clients
                .values()
                .filter(|client| client.is_subscribed())
                .count()
        })
        .await;
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
        let count = |state: &BrokerState| {
            Kind::ALL
                .iter()
                .map(|kind| state.subscriptions.count(*kind, name))
                .sum()
        };
        self.wait_until(n, count).await;
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
