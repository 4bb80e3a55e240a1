//! The servers as the redis crate sees them.

use std::collections::{HashMap, HashSet};

use futures_util::StreamExt;
use redis::aio::{ConnectionManager, ConnectionManagerConfig, MultiplexedConnection};
use redis::{
    AsyncCommands, AsyncConnectionConfig, Client, FromRedisValue, ProtocolVersion, PushInfo,
    PushKind, Value,
};
use tests::harness::Test;
use tests::{Server, tests, within};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

pub(crate) fn tests() -> Vec<Test<(Server,)>> {
    tests![
        a_connection_manager_receives_every_kind_of_push,
        a_connection_manager_reconnects_after_a_kill,
        a_connection_manager_reconnects_after_a_restart,
        a_multiplexed_connection_receives_pushes_between_its_replies,
        credentials_in_the_settings_are_used,
        resp2_pubsub_receives_messages,
        typed_commands_store_every_type,
        an_atomic_pipeline_is_one_transaction,
    ]
}

fn client(server: &Server) -> Client {
    let info = redis::IntoConnectionInfo::into_connection_info(server.url()).unwrap();
    let settings = info
        .redis_settings()
        .clone()
        .set_protocol(ProtocolVersion::RESP3);
    Client::open(info.set_redis_settings(settings)).unwrap()
}

async fn manager(server: &Server) -> (ConnectionManager, UnboundedReceiver<PushInfo>) {
    let (sender, pushes) = unbounded_channel();
    let config = ConnectionManagerConfig::new().set_push_sender(sender);
    let client = client(server);
    let manager = client.get_connection_manager_with_config(config);
    (
        within("a connection manager", manager).await.unwrap(),
        pushes,
    )
}

async fn push(pushes: &mut UnboundedReceiver<PushInfo>) -> PushInfo {
    within("a push", pushes.recv())
        .await
        .expect("an open push channel")
}

/// Receives the next push: its kind, and its data as text.
async fn received<T: FromRedisValue>(pushes: &mut UnboundedReceiver<PushInfo>) -> (PushKind, T) {
    let push = push(pushes).await;
    (
        push.kind,
        redis::from_redis_value(Value::Array(push.data)).unwrap(),
    )
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().copied().map(str::to_owned).collect()
}

async fn a_connection_manager_receives_every_kind_of_push(server: Server) {
    server.set_key_events("KEA").await;
    let (mut manager, mut pushes) = manager(&server).await;
    manager.subscribe("news").await.unwrap();
    manager.psubscribe("n*").await.unwrap();
    redis::cmd("SSUBSCRIBE")
        .arg("shard")
        .exec_async(&mut manager)
        .await
        .unwrap();
    manager.subscribe("__keyevent@0__:set").await.unwrap();
    redis::cmd("CLIENT")
        .arg("TRACKING")
        .arg("ON")
        .arg("BCAST")
        .arg("PREFIX")
        .arg("user:")
        .exec_async(&mut manager)
        .await
        .unwrap();
    for (kind, name, count) in [
        (PushKind::Subscribe, "news", "1"),
        (PushKind::PSubscribe, "n*", "2"),
        (PushKind::SSubscribe, "shard", "1"),
        (PushKind::Subscribe, "__keyevent@0__:set", "3"),
    ] {
        assert_eq!(received(&mut pushes).await, (kind, words(&[name, count])));
    }
    assert_eq!(server.publish("news", "hello").await, 2);
    let mut other = server.raw3().await;
    other.expect("SPUBLISH shard hi", &[":1"]).await;
    other.expect("SET user:1 x", &["+OK"]).await;
    other.expect("FLUSHALL", &["+OK"]).await;
    assert_eq!(
        received(&mut pushes).await,
        (PushKind::Message, words(&["news", "hello"]))
    );
    assert_eq!(
        received(&mut pushes).await,
        (PushKind::PMessage, words(&["n*", "news", "hello"]))
    );
    assert_eq!(
        received(&mut pushes).await,
        (PushKind::SMessage, words(&["shard", "hi"]))
    );
    assert_eq!(
        received(&mut pushes).await,
        (PushKind::Message, words(&["__keyevent@0__:set", "user:1"]))
    );
    assert_eq!(
        received(&mut pushes).await,
        (PushKind::Invalidate, vec![words(&["user:1"])])
    );
    let flushed = push(&mut pushes).await;
    assert_eq!(
        (flushed.kind, flushed.data),
        (PushKind::Invalidate, vec![Value::Nil])
    );
    manager.unsubscribe("news").await.unwrap();
    manager.punsubscribe("n*").await.unwrap();
    assert_eq!(
        received(&mut pushes).await,
        (PushKind::Unsubscribe, words(&["news", "2"]))
    );
    assert_eq!(
        received(&mut pushes).await,
        (PushKind::PUnsubscribe, words(&["n*", "1"]))
    );
    assert_eq!(server.publish("news", "hello").await, 0);
}

async fn a_connection_manager_reconnects_after_a_kill(server: Server) {
    let (mut manager, mut pushes) = manager(&server).await;
    manager.subscribe("news").await.unwrap();
    assert_eq!(push(&mut pushes).await.kind, PushKind::Subscribe);
    for n in 0..5 {
        server.kill_connections().await;
        while push(&mut pushes).await.kind != PushKind::Disconnection {}
        // The first command after the loss may fail: it makes the manager reconnect.
        tests::eventually("a new connection", async || {
            manager.subscribe("news").await.is_ok()
        })
        .await;
        server.wait_for_subscribers_of("news", 1).await;
        server.publish("news", &n.to_string()).await;
        loop {
            let heard = push(&mut pushes).await;
            if heard.kind == PushKind::Message {
                let heard: Vec<String> = redis::from_redis_value(Value::Array(heard.data)).unwrap();
                assert_eq!(heard, ["news", &n.to_string()]);
                break;
            }
        }
    }
}

async fn a_connection_manager_reconnects_after_a_restart(server: Server) {
    let (mut manager, mut pushes) = manager(&server).await;
    manager.subscribe("news").await.unwrap();
    server.stop().await;
    while push(&mut pushes).await.kind != PushKind::Disconnection {}
    server.start_again().await;
    tests::eventually("a new connection", async || {
        manager.subscribe("news").await.is_ok()
    })
    .await;
    server.wait_for_subscribers_of("news", 1).await;
    server.publish("news", "back").await;
    while push(&mut pushes).await.kind != PushKind::Message {}
}

async fn a_multiplexed_connection_receives_pushes_between_its_replies(server: Server) {
    let (sender, mut pushes) = unbounded_channel();
    let config = AsyncConnectionConfig::new().set_push_sender(sender);
    let mut connection: MultiplexedConnection = client(&server)
        .get_multiplexed_async_connection_with_config(&config)
        .await
        .unwrap();
    connection.subscribe("news").await.unwrap();
    let mut publisher = client(&server)
        .get_multiplexed_async_connection()
        .await
        .unwrap();
    for n in 0..100 {
        let count: usize = redis::cmd("PUBLISH")
            .arg("news")
            .arg(n)
            .query_async(&mut publisher)
            .await
            .unwrap();
        assert_eq!(count, 1);
        let echo: u32 = redis::cmd("ECHO")
            .arg(n)
            .query_async(&mut connection)
            .await
            .unwrap();
        assert_eq!(echo, n);
    }
    assert_eq!(push(&mut pushes).await.kind, PushKind::Subscribe);
    for n in 0..100 {
        assert_eq!(
            received(&mut pushes).await,
            (PushKind::Message, words(&["news", &n.to_string()]))
        );
    }
}

async fn credentials_in_the_settings_are_used(server: Server) {
    server.set_password(Some("secret")).await;
    let refused = client(&server)
        .get_multiplexed_async_connection()
        .await
        .map(drop)
        .unwrap_err();
    assert_eq!(refused.code(), Some("NOAUTH"), "{refused}");
    let info = redis::IntoConnectionInfo::into_connection_info(server.url()).unwrap();
    for (password, accepted) in [("secret", true), ("wrong", false)] {
        for protocol in [ProtocolVersion::RESP2, ProtocolVersion::RESP3] {
            let settings = info
                .redis_settings()
                .clone()
                .set_password(password)
                .set_protocol(protocol)
                .set_db(2);
            let client = Client::open(info.clone().set_redis_settings(settings)).unwrap();
            let connected = client.get_multiplexed_async_connection().await;
            assert_eq!(connected.is_ok(), accepted, "{password} {protocol:?}");
        }
    }
}

async fn resp2_pubsub_receives_messages(server: Server) {
    let mut pubsub = Client::open(server.url())
        .unwrap()
        .get_async_pubsub()
        .await
        .unwrap();
    pubsub.subscribe("news").await.unwrap();
    pubsub.psubscribe("n*").await.unwrap();
    assert_eq!(server.publish("news", "hello").await, 2);
    let mut messages = pubsub.on_message();
    for pattern in [None, Some("n*")] {
        let message = within("a message", messages.next()).await.unwrap();
        assert_eq!(message.get_channel_name(), "news");
        assert_eq!(message.get_payload::<String>().unwrap(), "hello");
        assert_eq!(
            message.get_pattern::<Option<String>>().unwrap().as_deref(),
            pattern
        );
    }
}

/// The typed methods of redis-rs. Some send another command than their name says: `hset_multiple` sends
/// `HMSET`.
async fn typed_commands_store_every_type(server: Server) {
    for protocol in [ProtocolVersion::RESP2, ProtocolVersion::RESP3] {
        let info = redis::IntoConnectionInfo::into_connection_info(server.url()).unwrap();
        let settings = info.redis_settings().clone().set_protocol(protocol);
        let client = Client::open(info.set_redis_settings(settings)).unwrap();
        let mut db = client.get_multiplexed_async_connection().await.unwrap();
        store_every_type(&mut db).await.unwrap();
        redis::cmd("FLUSHALL").exec_async(&mut db).await.unwrap();
    }
}

async fn store_every_type(db: &mut MultiplexedConnection) -> redis::RedisResult<()> {
    let () = db.set_ex("session", "ann", 100).await?;
    let () = db.mset(&[("a", 1), ("b", 2)]).await?;
    let ab: (u32, u32, Option<u32>) = db.mget(&["a", "b", "none"]).await?;
    assert_eq!(ab, (1, 2, None));
    assert_eq!(db.incr::<_, _, i64>("a", 5).await?, 6);
    let is_new: bool = db.set_nx("session", "bob").await?;
    assert!(!is_new);
    let left: i64 = db.ttl("session").await?;
    assert!((90..=100).contains(&left), "{left}");
    let session: Option<String> = db.get_del("session").await?;
    assert_eq!(session.as_deref(), Some("ann"));

    let () = db
        .hset_multiple("cart", &[("apples", 3), ("pears", 4)])
        .await?;
    let apples: i64 = db.hincr("cart", "apples", -1).await?;
    assert_eq!(apples, 2);
    let cart: HashMap<String, u32> = db.hgetall("cart").await?;
    assert_eq!(
        cart,
        HashMap::from([("apples".into(), 2), ("pears".into(), 4)])
    );

    let () = db.sadd("room", &["ann", "bob"]).await?;
    let room: HashSet<String> = db.smembers("room").await?;
    assert_eq!(room, HashSet::from(["ann".into(), "bob".into()]));
    let is_there: bool = db.sismember("room", "cid").await?;
    assert!(!is_there);

    let () = db.rpush("log", &["1", "2", "3"]).await?;
    let () = db.ltrim("log", -2, -1).await?;
    let log: Vec<String> = db.lrange("log", 0, -1).await?;
    assert_eq!(log, ["2", "3"]);

    let () = db
        .zadd_multiple("seen", &[(1.5, "ann"), (2.0, "bob")])
        .await?;
    let seen: Vec<(String, f64)> = db.zrange_withscores("seen", 0, -1).await?;
    assert_eq!(seen, [("ann".into(), 1.5), ("bob".into(), 2.0)]);
    let late: Vec<String> = db.zrangebyscore("seen", "(1.5", "+inf").await?;
    assert_eq!(late, ["bob"]);
    let removed: usize = db.zrembyscore("seen", "-inf", 1.5).await?;
    assert_eq!(removed, 1);
    let is_set: bool = db.expire("seen", 100).await?;
    assert!(is_set);
    Ok(())
}

async fn an_atomic_pipeline_is_one_transaction(server: Server) {
    let (mut manager, _pushes) = manager(&server).await;
    let mut pipeline = redis::pipe();
    pipeline
        .atomic()
        .hset("cart", "apples", 3)
        .ignore()
        .expire("cart", 100)
        .ignore()
        .hgetall("cart")
        .publish("carts", "changed");
    let (cart, receivers): (HashMap<String, u32>, usize) =
        pipeline.query_async(&mut manager).await.unwrap();
    assert_eq!(cart, HashMap::from([("apples".into(), 3)]));
    assert_eq!(receivers, 0);
}
