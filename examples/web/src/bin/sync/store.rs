//! The cart in Redis.

use std::io;

use redis::aio::{ConnectionManager, MultiplexedConnection, transaction_async};
use redis::{AsyncCommands as _, Client, Pipeline, RedisError};
use redis_push::ToPayload as _;

use crate::cart::{Cart, Change};

/// A hash: the quantity of each item.
const ITEMS: &str = "example:cart:items";
/// The number of the last change.
const VERSION: &str = "example:cart:version";

/// How much of an item a cart can hold.
const MOST: u32 = 99;

#[derive(Clone)]
pub(crate) struct Store {
    client: Client,
    /// For reading. A transaction needs a connection to itself.
    redis: ConnectionManager,
    channel: String,
}

impl Store {
    pub(crate) fn new(client: Client, redis: ConnectionManager) -> redis_push::Result<Self> {
        let channel = Change::at().name()?.to_owned();
        Ok(Self {
            client,
            redis,
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
    /// A change by somebody else meanwhile makes the transaction fail, and it is tried again.
    pub(crate) async fn add(&self, item: &str, quantity: i32) -> Result<(), RedisError> {
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
    ) -> Result<Option<()>, RedisError> {
        let before: Option<u32> = redis.hget(ITEMS, item).await?;
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
        Ok(done.map(|_| ()))
    }
}
