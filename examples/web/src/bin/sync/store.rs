//! The cart in Redis.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use redis::aio::{ConnectionManager, MultiplexedConnection, transaction_async};
use redis::{AsyncCommands as _, Client, Pipeline, RedisError};
use redis_push::{BoxError, ToPayload as _};
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::cart::{Cart, Change};

/// A hash: the quantity of each item.
const ITEMS: &str = "example:cart:items";
/// The number of the last change.
const VERSION: &str = "example:cart:version";

/// How much of an item a cart can hold, and how many items.
const MOST: u32 = 99;
const MOST_ITEMS: usize = 200;

/// How long an edit may take, with its turn and with all attempts.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Clone)]
pub(crate) struct Store {
    client: Client,
    /// For reading. A transaction needs a connection to itself.
    redis: ConnectionManager,
    /// One edit at a time, so that there is one connection for them, and they do not make each other fail.
    turn: Arc<Mutex<()>>,
    channel: String,
}

impl Store {
    pub(crate) fn new(client: Client, redis: ConnectionManager) -> redis_push::Result<Self> {
        let channel = Change::at().name()?.to_owned();
        Ok(Self {
            client,
            redis,
            turn: Arc::default(),
            channel,
        })
    }

    /// Reads the cart, which does not change meanwhile.
    pub(crate) async fn read(&self) -> Result<Cart, RedisError> {
        let mut read = redis::pipe();
        read.atomic().get(VERSION).hgetall(ITEMS);
        let (version, items): (Option<u64>, _) = read.query_async(&mut self.redis.clone()).await?;
        Ok(Cart {
            version: version.unwrap_or_default(),
            items,
        })
    }

    /// Adds to the quantity of an item, and publishes the change with the number that it has.
    ///
    /// Returns `false` if the cart has no place for another item. A change by another process meanwhile
    /// makes the transaction fail, and it is tried again.
    pub(crate) async fn add(&self, item: &str, quantity: i32) -> Result<bool, BoxError> {
        Ok(timeout(PATIENCE, self.add_in_turn(item, quantity)).await??)
    }

    async fn add_in_turn(&self, item: &str, quantity: i32) -> Result<bool, RedisError> {
        let _turn = self.turn.lock().await;
        let redis = self.client.get_multiplexed_async_connection().await?;
        transaction_async(redis, &[ITEMS, VERSION], |redis, pipe| {
            self.try_to_add(redis, pipe, item, quantity)
        })
        .await
    }

    async fn try_to_add(
        &self,
        mut redis: MultiplexedConnection,
        mut all: Pipeline,
        item: &str,
        quantity: i32,
    ) -> Result<Option<bool>, RedisError> {
        let before: Option<u32> = redis.hget(ITEMS, item).await?;
        if before.is_none() && redis.hlen::<_, usize>(ITEMS).await? >= MOST_ITEMS {
            return Ok(Some(false));
        }
        let version: Option<u64> = redis.get(VERSION).await?;
        let change = Change {
            version: version.unwrap_or_default() + 1,
            item: item.to_owned(),
            quantity: before
                .unwrap_or_default()
                .saturating_add_signed(quantity)
                .min(MOST),
        };
        all.set(VERSION, change.version);
        match change.quantity {
            0 => all.hdel(ITEMS, item),
            quantity => all.hset(ITEMS, item, quantity),
        };
        // In the same transaction, so that the changes are published in the order of their numbers.
        let payload = change.to_payload().map_err(io::Error::other)?;
        all.publish(&self.channel, &*payload);
        let done: Option<redis::Value> = all.query_async(&mut redis).await?;
        Ok(done.map(|_| true))
    }
}

#[cfg(test)]
mod tests {
    use redis_push::testing::Broker;

    use super::*;

    #[tokio::test]
    async fn a_full_cart_takes_no_other_item() {
        let broker = Broker::start().await.unwrap();
        let client = Client::open(broker.url()).unwrap();
        let mut redis = client.get_connection_manager().await.unwrap();
        let items: Vec<_> = (0..MOST_ITEMS).map(|item| (item, 1)).collect();
        let _: () = redis.hset_multiple(ITEMS, &items).await.unwrap();
        let store = Store::new(client, redis).unwrap();
        assert!(!store.add("pears", 1).await.unwrap());
        assert!(store.add("7", 1).await.unwrap());
        assert!(store.add("8", -1).await.unwrap());
        assert!(store.add("pears", 1).await.unwrap());
        let cart = store.read().await.unwrap();
        assert_eq!((cart.version, cart.items.len()), (3, MOST_ITEMS));
        assert_eq!((cart.items["7"], cart.items["pears"]), (2, 1));
    }

    #[tokio::test]
    async fn edits_at_once_wait_for_each_other() {
        let broker = Broker::start().await.unwrap();
        let client = Client::open(broker.url()).unwrap();
        let redis = client.get_connection_manager().await.unwrap();
        let store = Store::new(client, redis).unwrap();
        let edits = (0..20).map(|_| store.add("pears", 1));
        for edit in futures_util::future::join_all(edits).await {
            assert!(edit.unwrap());
        }
        assert_eq!(store.read().await.unwrap().items["pears"], 20);
    }
}
