//! What is said in a room, and who is there.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use redis::aio::ConnectionManager;
use redis::{AsyncCommands as _, RedisError};
use redis_push::{BoxError, Handle, Publisher, PushMessage};
use serde::Serialize;

/// What somebody says.
#[derive(PushMessage, Serialize)]
#[push(channel = "chat.{room}.said")]
pub(crate) struct Said {
    room: String,
    id: u64,
    name: String,
    text: String,
}

/// Somebody has come or gone. Who is there now must be asked for.
#[derive(PushMessage)]
#[push(channel = "chat.{room}.presence")]
pub(crate) struct Presence {
    room: String,
}

/// How often a visit says that it goes on, and how long it counts after it has said so: the visits of a
/// process that is killed end by themselves.
pub(crate) const BEAT: Duration = Duration::from_secs(5);
const STAY: Duration = Duration::from_secs(15);

/// How much of what was said is kept, and for how long.
const KEPT: isize = 50;
const KEPT_SECONDS: i64 = 86_400;

#[derive(Clone)]
pub(crate) struct Rooms {
    pub(crate) handle: Handle,
    pub(crate) publisher: Publisher,
    pub(crate) redis: ConnectionManager,
}

/// One visit to one room. The number keeps two visits of the same name apart.
#[derive(Clone)]
pub(crate) struct Visitor {
    pub(crate) room: String,
    pub(crate) name: String,
    pub(crate) number: u64,
}

impl Visitor {
    fn said(&self) -> String {
        format!("example:chat:{}:said", self.room)
    }

    /// The key of a sorted set of visits, by the time at which they end unless they go on.
    fn visits(&self) -> String {
        format!("example:chat:{}:visits", self.room)
    }

    /// The member of that set.
    fn visit(&self) -> String {
        format!("{} {}", self.number, self.name)
    }
}

impl Rooms {
    /// Keeps and publishes what a visitor says.
    pub(crate) async fn say(&mut self, visitor: &Visitor, text: String) -> Result<(), BoxError> {
        let said = Said {
            room: visitor.room.clone(),
            id: self.redis.incr("example:chat", 1).await?,
            name: visitor.name.clone(),
            text,
        };
        let key = visitor.said();
        let mut store = redis::pipe();
        store
            .rpush(&key, serde_json::to_string(&said)?)
            .ltrim(&key, -KEPT, -1)
            .expire(&key, KEPT_SECONDS);
        store.exec_async(&mut self.redis).await?;
        self.publisher.publish(&said).await?;
        Ok(())
    }

    /// What was said before, as JSON.
    pub(crate) async fn said(&mut self, visitor: &Visitor) -> Result<String, RedisError> {
        let all: Vec<String> = self.redis.lrange(visitor.said(), 0, -1).await?;
        Ok(format!(r#"{{"all":[{}]}}"#, all.join(",")))
    }

    /// Says that a visit begins or goes on, and removes those that have ended without a word.
    pub(crate) async fn stay(&mut self, visitor: &Visitor) -> Result<(), BoxError> {
        let (key, now) = (visitor.visits(), now());
        let mut stay = redis::pipe();
        stay.zadd(&key, visitor.visit(), (now + STAY).as_millis() as u64)
            .zrembyscore(&key, "-inf", now.as_millis() as u64)
            .expire(&key, KEPT_SECONDS)
            .ignore();
        let (come, gone): (u64, u64) = stay.query_async(&mut self.redis).await?;
        if come + gone > 0 {
            self.tell(visitor).await?;
        }
        Ok(())
    }

    /// Ends a visit.
    pub(crate) async fn leave(&mut self, visitor: &Visitor) -> Result<(), BoxError> {
        let _: u64 = self.redis.zrem(visitor.visits(), visitor.visit()).await?;
        self.tell(visitor).await
    }

    async fn tell(&self, visitor: &Visitor) -> Result<(), BoxError> {
        let room = visitor.room.clone();
        self.publisher.publish(&Presence { room }).await?;
        Ok(())
    }

    /// The names of those who are there.
    pub(crate) async fn present(
        &mut self,
        visitor: &Visitor,
    ) -> Result<BTreeSet<String>, RedisError> {
        let now = now().as_millis() as u64;
        let visits: Vec<String> = self
            .redis
            .zrangebyscore(visitor.visits(), now, "+inf")
            .await?;
        let names = visits.iter().filter_map(|visit| visit.split_once(' '));
        Ok(names.map(|(_, name)| name.to_owned()).collect())
    }
}

/// The time since 1970. The processes that share a room have clocks that nearly agree.
fn now() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}
