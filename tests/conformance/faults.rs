//! The faults of the broker: each does exactly what its documentation says.

use std::time::{Duration, Instant};

use redis_push::testing::Broker;
use tests::harness::Test;
use tests::{RawClient, eventually, tests, within};

pub(crate) fn tests() -> Vec<Test<(Broker,)>> {
    tests![
        the_broker_identifies_itself,
        kill_connections_drops_all_of_them_at_once,
        refuse_closes_new_connections_only,
        stop_refuses_until_it_is_started_again,
        restart_drops_connections_and_keeps_the_port,
        a_dropped_broker_closes_everything,
        a_paused_broker_reads_and_answers_nothing,
        a_pause_also_holds_a_waiting_writer,
        a_loading_broker_says_so,
        a_loading_broker_runs_no_transaction,
        delayed_confirmations_delay_the_following_frames,
        split_frames_arrive_whole,
        injected_bytes_reach_subscribed_clients_only,
        an_output_limit_disconnects_a_client_that_does_not_read,
        unread_messages_wait_without_loss,
        denied_names_of_every_kind_are_refused,
        other_users_than_the_default_one_can_log_in,
        waiting_for_subscribers_ends_with_the_last_of_them,
        a_flood_is_delivered_whole,
        garbage_harms_only_its_own_connection,
        random_commands_are_all_answered,
    ]
}

async fn subscribed(broker: &Broker, name: &str) -> RawClient {
    let mut client = RawClient::resp3(broker.addr()).await;
    client
        .expect(
            &format!("SUBSCRIBE {name}"),
            &[format!(">[\"subscribe\" \"{name}\" :1]")],
        )
        .await;
    client
}

fn message(channel: &str, payload: impl std::fmt::Display) -> String {
    format!(">[\"message\" \"{channel}\" \"{payload}\"]")
}

async fn silent(client: &mut RawClient) {
    let heard = tokio::time::timeout(Duration::from_millis(50), client.hear_or_end()).await;
    assert!(heard.is_err(), "{heard:?}");
}

async fn the_broker_identifies_itself(broker: Broker) {
    let mut client = RawClient::connect(broker.addr()).await;
    let greeting = client.ask("HELLO 3").await;
    assert!(
        greeting.contains(r#""server" "redis-push-broker""#),
        "{greeting}"
    );
    assert_eq!(
        broker.url(),
        format!("redis://127.0.0.1:{}/", broker.addr().port())
    );
    assert_eq!(
        format!("{broker:?}"),
        format!("Broker {{ addr: {}, .. }}", broker.addr())
    );
}

async fn kill_connections_drops_all_of_them_at_once(broker: Broker) {
    let mut one = subscribed(&broker, "a").await;
    let mut two = RawClient::resp3(broker.addr()).await;
    assert_eq!(broker.connections(), 2);
    assert_eq!(broker.kill_connections(), 2);
    assert_eq!((broker.connections(), broker.publish("a", "1")), (0, 0));
    assert_eq!(
        (one.hear_or_end().await, two.hear_or_end().await),
        (None, None)
    );
    subscribed(&broker, "a").await;
}

async fn refuse_closes_new_connections_only(broker: Broker) {
    let mut client = subscribed(&broker, "a").await;
    broker.refuse(true);
    assert_eq!(
        RawClient::connect(broker.addr()).await.hear_or_end().await,
        None
    );
    broker.publish("a", "1");
    client.hears(&[message("a", 1)]).await;
    broker.refuse(false);
    subscribed(&broker, "a").await;
}

async fn stop_refuses_until_it_is_started_again(broker: Broker) {
    let mut client = subscribed(&broker, "a").await;
    client.expect("SET kept 1", &["+OK"]).await;
    broker.stop().await;
    broker.stop().await;
    assert_eq!(broker.connections(), 0);
    assert_eq!(client.hear_or_end().await, None);
    for _ in 0..20 {
        assert!(tokio::net::TcpStream::connect(broker.addr()).await.is_err());
    }
    broker.start_again().await.unwrap();
    broker.start_again().await.unwrap();
    let mut client = subscribed(&broker, "a").await;
    client.expect("GET kept", &["\"1\""]).await;
}

async fn restart_drops_connections_and_keeps_the_port(broker: Broker) {
    let addr = broker.addr();
    for _ in 0..20 {
        let mut client = subscribed(&broker, "a").await;
        broker.restart().await.unwrap();
        assert_eq!(broker.addr(), addr);
        assert_eq!(client.hear_or_end().await, None);
    }
    subscribed(&broker, "a").await;
}

async fn a_dropped_broker_closes_everything(broker: Broker) {
    let mut client = subscribed(&broker, "a").await;
    let addr = broker.addr();
    drop(broker);
    assert_eq!(client.hear_or_end().await, None);
    eventually("a closed port", async || {
        tokio::net::TcpStream::connect(addr).await.is_err()
    })
    .await;
}

async fn a_paused_broker_reads_and_answers_nothing(broker: Broker) {
    let mut client = subscribed(&broker, "a").await;
    broker.pause(true);
    client.say("SET k 1").await;
    broker.publish("a", "1");
    silent(&mut client).await;
    let mut newcomer = RawClient::connect(broker.addr()).await;
    newcomer.say("PING").await;
    silent(&mut newcomer).await;
    assert_eq!(broker.connections(), 2);
    broker.pause(false);
    client.hears(&[message("a", 1), "+OK".into()]).await;
    newcomer.hears(&["+PONG"]).await;
}

async fn a_pause_also_holds_a_waiting_writer(broker: Broker) {
    // More than the buffers of two sockets hold.
    const PUBLISHED: usize = 40;
    let mut client = subscribed(&broker, "a").await;
    let payload = "x".repeat(1 << 20);
    for _ in 0..PUBLISHED {
        broker.publish("a", &payload);
    }
    client.hears(&[message("a", &payload)]).await;
    broker.pause(true);
    // The bytes in the sockets still arrive, and then nothing.
    let mut before = 1;
    while let Ok(heard) = tokio::time::timeout(Duration::from_millis(100), client.hear()).await {
        assert!(heard == message("a", &payload));
        before += 1;
    }
    assert!(before < PUBLISHED, "nothing was held");
    broker.pause(false);
    for _ in before..PUBLISHED {
        assert!(client.hear().await == message("a", &payload));
    }
}

async fn a_loading_broker_says_so(broker: Broker) {
    let mut client = RawClient::resp3(broker.addr()).await;
    broker.loading(true);
    for command in ["GET a", "SET a 1", "PING", "FLUSHALL"] {
        assert_eq!(
            client.ask(command).await,
            "-LOADING Redis is loading the dataset in memory",
            "{command}"
        );
    }
    assert_eq!(client.ask("SUBSCRIBE a").await, r#">["subscribe" "a" :1]"#);
    assert_eq!(client.ask("CLIENT ID").await, ":1");
    broker.loading(false);
    client.expect("PING", &["+PONG"]).await;
}

async fn a_loading_broker_runs_no_transaction(broker: Broker) {
    let aborted = "-EXECABORT Transaction discarded because of";
    let loading = "LOADING Redis is loading the dataset in memory";
    let mut client = RawClient::resp3(broker.addr()).await;
    assert_eq!(client.ask("MULTI").await, "+OK");
    assert_eq!(client.ask("SET a 1").await, "+QUEUED");
    broker.loading(true);
    assert_eq!(client.ask("EXEC").await, format!("{aborted}: {loading}"));
    assert_eq!(client.ask("MULTI").await, "+OK");
    assert_eq!(client.ask("SET a 1").await, format!("-{loading}"));
    broker.loading(false);
    assert_eq!(
        client.ask("EXEC").await,
        format!("{aborted} previous errors.")
    );
    client.expect("EXISTS a", &[":0"]).await;
    // A transaction that needs no data runs.
    broker.loading(true);
    assert_eq!(client.ask("MULTI").await, "+OK");
    assert_eq!(client.ask("PUBLISH a 1").await, "+QUEUED");
    assert_eq!(client.ask("EXEC").await, "[:0]");
}

async fn delayed_confirmations_delay_the_following_frames(broker: Broker) {
    let delay = Duration::from_millis(100);
    broker.delay_confirmations(delay);
    let mut client = RawClient::resp3(broker.addr()).await;
    client.send(b"PING before\r\n").await;
    client.hears(&["\"before\""]).await;
    let start = Instant::now();
    client
        .send(b"SUBSCRIBE a\r\nSUBSCRIBE b\r\nPING after\r\n")
        .await;
    within("a subscriber", broker.wait_for_subscribers_of("b", 1)).await;
    broker.publish("a", "1");
    client.hears(&[r#">["subscribe" "a" :1]"#]).await;
    assert!(start.elapsed() >= delay);
    client
        .hears(&[r#">["subscribe" "b" :2]"#, "\"after\""])
        .await;
    client.hears(&[message("a", 1)]).await;
    broker.delay_confirmations(Duration::ZERO);
    client
        .expect("SUBSCRIBE a", &[r#">["subscribe" "a" :2]"#])
        .await;
}

async fn split_frames_arrive_whole(broker: Broker) {
    for bytes in [1, 3, 0] {
        broker.split_frames(bytes);
        let mut client = subscribed(&broker, "a").await;
        let expected: Vec<String> = (0..200).map(|n| message("a", n)).collect();
        for n in 0..200 {
            broker.publish("a", n.to_string());
        }
        client.hears(&expected).await;
    }
}

async fn injected_bytes_reach_subscribed_clients_only(broker: Broker) {
    let mut one = subscribed(&broker, "a").await;
    let mut two = RawClient::resp3(broker.addr()).await;
    let mut idle = RawClient::resp3(broker.addr()).await;
    two.expect("CLIENT TRACKING ON BCAST", &["+OK"]).await;
    assert_eq!(broker.inject(b">2\r\n+odd\r\n:7\r\n"), 2);
    one.hears(&[">[+odd :7]"]).await;
    two.hears(&[">[+odd :7]"]).await;
    idle.expect("PING", &["+PONG"]).await;
}

async fn an_output_limit_disconnects_a_client_that_does_not_read(broker: Broker) {
    let mut slow = subscribed(&broker, "a").await;
    let mut other = subscribed(&broker, "b").await;
    broker.limit_output(Some(1 << 20));
    let payload = "x".repeat(1 << 19);
    let publish = async {
        while broker.publish("a", &payload) == 1 {
            tokio::task::yield_now().await;
        }
    };
    within("the slow client's end", publish).await;
    other.expect("PING", &["+PONG"]).await;
    // Queued messages are lost: the stream ends, possibly within a frame.
    let end = tokio::spawn(async move { while slow.hear_or_end().await.is_some() {} });
    let _ = within("the end", end).await;
}

async fn unread_messages_wait_without_loss(broker: Broker) {
    let mut slow = subscribed(&broker, "a").await;
    let padding = "x".repeat(10_000);
    for n in 0..2000 {
        assert_eq!(broker.publish("a", format!("{n} {padding}")), 1);
    }
    for n in 0..2000 {
        assert!(slow.hear().await == message("a", format!("{n} {padding}")));
    }
}

async fn denied_names_of_every_kind_are_refused(broker: Broker) {
    let mut client = RawClient::resp3(broker.addr()).await;
    broker.deny("n*");
    for command in ["SUBSCRIBE n*", "PSUBSCRIBE a n*", "SSUBSCRIBE n*"] {
        client
            .expect(command, &["-NOPERM No permissions to access a channel"])
            .await;
    }
    client
        .expect("SUBSCRIBE news", &[r#">["subscribe" "news" :1]"#])
        .await;
    assert_eq!(broker.publish("news", "1"), 1);
    client.hears(&[message("news", 1)]).await;
    broker.allow("n*");
    client
        .expect("PSUBSCRIBE n*", &[r#">["psubscribe" "n*" :2]"#])
        .await;
}

async fn other_users_than_the_default_one_can_log_in(broker: Broker) {
    broker.set_password(Some("secret"));
    broker.set_user("bob", "builder");
    let mut client = RawClient::connect(broker.addr()).await;
    client
        .expect(
            "AUTH bob secret",
            &["-WRONGPASS invalid username-password pair or user is disabled."],
        )
        .await;
    client.expect("AUTH bob builder", &["+OK"]).await;
    client.expect("PING", &["+PONG"]).await;
}

async fn waiting_for_subscribers_ends_with_the_last_of_them(broker: Broker) {
    let addr = broker.addr();
    let clients = tokio::spawn(async move {
        let mut clients = Vec::new();
        for _ in 0..3 {
            let mut client = RawClient::resp3(addr).await;
            client
                .expect("PSUBSCRIBE a*", &[r#">["psubscribe" "a*" :1]"#])
                .await;
            clients.push(client);
        }
        clients
    });
    within("subscribers", broker.wait_for_subscribers_of("a*", 3)).await;
    within("subscribers", broker.wait_for_subscribers(3)).await;
    let mut clients = within("clients", clients).await.unwrap();
    clients.pop();
    clients.pop();
    within("one left", broker.wait_for_subscribers(1)).await;
    clients[0]
        .expect("PUNSUBSCRIBE a*", &[r#">["punsubscribe" "a*" :0]"#])
        .await;
    within("none left", broker.wait_for_subscribers(0)).await;
    within("none left", broker.wait_for_subscribers_of("a*", 0)).await;
}

async fn a_flood_is_delivered_whole(broker: Broker) {
    const COUNT: usize = 100_000;
    let mut client = subscribed(&broker, "a").await;
    let addr = broker.addr();
    let publisher = tokio::spawn(async move {
        let mut publisher = RawClient::resp3(addr).await;
        for start in (0..COUNT).step_by(1000) {
            let requests: Vec<_> = (start..start + 1000)
                .map(|n| format!("PUBLISH a {n}\r\n"))
                .collect();
            publisher.send(requests.concat().as_bytes()).await;
            for _ in 0..1000 {
                assert_eq!(publisher.hear().await, ":1");
            }
        }
    });
    for n in 0..COUNT {
        assert_eq!(client.hear().await, message("a", n));
    }
    within("the publisher", publisher).await.unwrap();
}

async fn garbage_harms_only_its_own_connection(broker: Broker) {
    let mut witness = subscribed(&broker, "a").await;
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let alphabet = b"*$:\r\n\r\n0123-PINGSETa\0\xff\"'\\ ";
    for _ in 0..300 {
        let mut garbage = Vec::new();
        for _ in 0..200 {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            garbage.push(alphabet[(seed % alphabet.len() as u64) as usize]);
        }
        let mut client = RawClient::connect(broker.addr()).await;
        client.send(&garbage).await;
    }
    broker.publish("a", "1");
    witness.hears(&[message("a", 1)]).await;
    drop(witness);
    eventually("only closed connections", async || {
        broker.connections() == 0
    })
    .await;
}

async fn random_commands_are_all_answered(broker: Broker) {
    let commands = "publish spublish set get ping subscribe unsubscribe psubscribe punsubscribe ssubscribe \
        sunsubscribe pubsub del exists expire pexpire persist ttl pttl flushall flushdb echo select hello auth reset \
        client config unlink type keys scan dbsize setnx setex psetex getset getdel getex mget mset append strlen \
        incr decr incrby decrby hset hmset hsetnx hget hmget hgetall hkeys hvals hlen hexists hdel hincrby lpush \
        rpush lpop rpop lrange ltrim llen lindex lset lrem sadd srem smembers sismember smismember scard zadd \
        zincrby zrem zscore zmscore zcard zcount zrank zrevrank zrange zrevrange zrangebyscore zrevrangebyscore \
        zremrangebyscore zremrangebyrank zpopmin zpopmax multi exec discard watch unwatch";
    let others = "setinfo setname getname id tracking no-evict channels numsub numpat shardchannels shardnumsub \
        on off bcast prefix noloop ex px nx xx keepttl notify-keyspace-events KEA gt lt ch incr match count \
        byscore rev limit withscores (1 -inf nan 1.5 0 1 -1 2 3 15 16 9223372036854775807 -9223372036854775808 a* [ \
        \\ a b c";
    let mut words: Vec<&str> = commands.split_whitespace().collect();
    let count = words.len();
    words.extend(others.split_whitespace());
    words.push("");
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed % below as u64) as usize
    };
    for _ in 0..50 {
        let mut client = RawClient::connect(broker.addr()).await;
        for _ in 0..200 {
            // In most cases the first word is a command.
            let from = if random(4) == 0 { words.len() } else { count };
            let first = words[random(from)];
            let rest = (0..random(6)).map(|_| words[random(words.len())]);
            let command: Vec<&str> = std::iter::once(first).chain(rest).collect();
            client.say_words(&command).await;
            assert!(
                client.hear_or_end().await.is_some(),
                "{command:?} ended the connection"
            );
        }
    }
    assert_eq!(broker.publish("nobody", "1"), 0);
}
