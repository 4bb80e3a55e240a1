//! A subscriber of a cluster of embedded brokers: what `clustered` tests on servers, one event after another,
//! where nothing is installed.

use std::collections::HashMap;
use std::time::Duration;

use redis_push::testing::{Broker, BrokerCluster};
use redis_push::{
    Event, GapCause, Handle, Mount, NearCache, NodeRole, NodeTopology, Subscriber, Subscription,
};
use tests::{eventually, within};

use crate::logs::listen;
use crate::support::*;

async fn started(mounts: Vec<Mount<()>>) -> (BrokerCluster, Handle) {
    let cluster = Broker::cluster(3).start().await.unwrap();
    cluster.set_key_events("KEA");
    let subscriber = Subscriber::cluster(cluster.urls())
        .topology_interval(Duration::from_millis(100))
        .reconnect_delay(Duration::from_millis(5), Duration::from_millis(50));
    let starting = subscriber.handlers(mounts).start();
    let handle = within("the start", starting).await.unwrap();
    (cluster, handle)
}

/// Waits until the journal has this gap, with nothing but other gaps before it.
async fn gap_of(journal: &mut Journal, cause: GapCause) {
    while journal.gap().await.cause != cause {}
}

pub(crate) async fn a_sharded_name_follows_its_slot_between_brokers() {
    let (mount, mut journal) = recorder("orders", Subscription::shard("orders"));
    let (other, mut untold) = recorder("bills", Subscription::shard("bills"));
    let (cluster, handle) = started(vec![mount, other]).await;
    journal.begins().await;
    untold.begins().await;
    let at = cluster.node_of("orders");
    assert_ne!(at, cluster.node_of("bills"));
    for to in [(at + 1) % 3, at] {
        cluster.move_slot(cluster.slot_of("orders"), to);
        gap_of(&mut journal, GapCause::Moved).await;
        assert_eq!(cluster.publish_shard("orders", "moved"), 1);
        journal.message("orders", "moved").await;
    }
    // Another name has noticed nothing.
    cluster.publish_shard("bills", "still");
    untold.message("bills", "still").await;
    assert!(handle.is_ready());
}

pub(crate) async fn names_follow_a_failover_of_brokers() {
    let (mount, mut sharded) = recorder("sharded", Subscription::shard("orders"));
    let (other, mut classic) = recorder("classic", Subscription::channel("orders"));
    let (cluster, handle) = started(vec![mount, other]).await;
    sharded.begins().await;
    classic.begins().await;
    let old = cluster.node_of("orders");
    cluster.kill(old).await;
    let new = cluster.fail_over(old);
    gap_of(&mut sharded, GapCause::ConnectionLost).await;
    gap_of(&mut classic, GapCause::ConnectionLost).await;
    within("ready again", handle.ready()).await;
    cluster.publish_shard("orders", "sharded");
    cluster.publish("orders", "classic");
    sharded.message("orders", "sharded").await;
    classic.message("orders", "classic").await;
    let topology = handle.topology();
    let address = cluster.node(new).addr().to_string();
    let mut nodes = topology.nodes.iter();
    let node = nodes.find(|node| node.address == address).unwrap();
    assert_eq!(node.role, NodeRole::Primary, "{topology}");
    assert!(node.names > 0 && node.is_connected, "{topology}");
}

pub(crate) async fn key_events_come_from_every_broker() {
    let (mount, mut journal) = recorder("events", Subscription::keyspace("user:{id}").unwrap());
    let (cluster, handle) = started(vec![mount]).await;
    journal.begins().await;
    let mut keys: [Option<String>; 3] = Default::default();
    for number in 0.. {
        let key = format!("user:{number}");
        keys[cluster.node_of(&key)].get_or_insert(key);
        if keys.iter().all(Option::is_some) {
            break;
        }
    }
    let keys = keys.map(Option::unwrap);
    let set = async |node: usize, key: &str| {
        let client = redis::Client::open(cluster.node(node).url()).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let setting = redis::cmd("SET").arg(key).arg(1).to_owned();
        setting.exec_async(&mut connection).await.unwrap();
    };
    for (node, key) in keys.iter().enumerate() {
        set(node, key).await;
        journal
            .message(&format!("__keyspace@0__:{key}"), "set")
            .await;
    }
    let new = cluster.fail_over(1);
    gap_of(&mut journal, GapCause::Moved).await;
    within("ready again", handle.ready()).await;
    set(new, &keys[1]).await;
    journal
        .message(&format!("__keyspace@0__:{}", keys[1]), "set")
        .await;
    set(0, &keys[0]).await;
    journal
        .message(&format!("__keyspace@0__:{}", keys[0]), "set")
        .await;
}

/// Sets a key at the node that has it.
async fn set(cluster: &BrokerCluster, key: &str, value: &str) {
    let url = cluster.node(cluster.node_of(key)).url();
    let client = redis::Client::open(url).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let setting = redis::cmd("SET").arg(key).arg(value).to_owned();
    setting.exec_async(&mut connection).await.unwrap();
}

pub(crate) async fn a_cache_reads_from_every_broker_and_hears_of_every_change() {
    let (cluster, handle) = started(Vec::new()).await;
    let making = NearCache::<u64, String>::new(&handle, "user:{id}").text();
    let names = within("a cache", async { making.await }).await.unwrap();
    for round in 0..2 {
        for id in 0..20 {
            let name = format!("{round} {id}");
            set(&cluster, &format!("user:{id}"), &name).await;
            let changed = async {
                loop {
                    let cached = names.get(&id).await.unwrap();
                    if cached.is_some_and(|cached| *cached == name) {
                        break;
                    }
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            };
            within("the new name", changed).await;
        }
    }
    let ids: Vec<_> = (0..20).collect();
    let all = names.get_many(&ids).await.unwrap();
    assert!(all.iter().all(Option::is_some));
    cluster.fail_over(0);
    let ready = async {
        while !handle
            .topology()
            .nodes
            .iter()
            .all(|node| node.names == node.confirmed)
            || handle
                .topology()
                .nodes
                .iter()
                .filter(|node| node.names > 0)
                .count()
                < 3
        {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    within("all names", ready).await;
    for id in 0..20 {
        let name = format!("after {id}");
        set(&cluster, &format!("user:{id}"), &name).await;
        let changed = async {
            while names
                .get(&id)
                .await
                .unwrap()
                .is_none_or(|cached| *cached != name)
            {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        within("the new name", changed).await;
    }
}

pub(crate) async fn what_a_link_between_brokers_loses_is_a_gap() {
    let (mount, mut journal) = recorder("news", Subscription::channel("news"));
    let (cluster, handle) = started(vec![mount]).await;
    journal.begins().await;
    // At once: the links are known before a name is subscribed to.
    cluster.reset_bus(cluster.node_of("news"));
    gap_of(&mut journal, GapCause::Bus).await;
    assert!(
        handle
            .topology()
            .nodes
            .iter()
            .any(|node| node.bus_losses > 0)
    );
}

pub(crate) async fn streams_of_a_cluster_of_brokers_come_and_go() {
    let (cluster, handle) = started(Vec::new()).await;
    for name in ["a", "b", "c", "d"] {
        let subscribing = handle.subscribe(Subscription::shard(name));
        let mut stream = within("a stream", async { subscribing.await })
            .await
            .unwrap();
        assert_eq!(cluster.publish_shard(name, "hello"), 1);
        let reading = async {
            loop {
                if let Some(Event::Message(message)) = stream.next().await {
                    return message;
                }
            }
        };
        assert_eq!(within("a message", reading).await, "hello");
    }
}

pub(crate) async fn handlers_of_key_events_are_mounted_on_every_broker() {
    let (cluster, handle) = started(Vec::new()).await;
    for round in 0..2 {
        let (mount, mut journal) = recorder("events", Subscription::keyspace("user:{id}").unwrap());
        let guard = within("the mount", handle.mount([mount]).into_future());
        let guard = guard.await.unwrap();
        journal.begins().await;
        let topology = handle.topology();
        let is_confirmed = |node: &&NodeTopology| node.confirmed == 1;
        assert_eq!(
            topology.nodes.iter().filter(is_confirmed).count(),
            3,
            "{topology}"
        );
        for id in 0..10 {
            let key = format!("user:{round}{id}");
            set(&cluster, &key, "Ada").await;
            // The end of the subscription before may come from one of the nodes after the begin, and is a gap then.
            journal
                .message_after_gaps(&format!("__keyspace@0__:{key}"), "set")
                .await;
        }
        drop(guard);
    }
}

pub(crate) async fn a_broker_that_is_gone_is_let_go_of_and_may_come_back() {
    let (mount, mut journal) = recorder("orders", Subscription::shard("orders"));
    let (mut cluster, handle) = started(vec![mount]).await;
    journal.begins().await;
    let (slot, first) = (cluster.slot_of("orders"), cluster.node_of("orders"));
    let new = cluster.add_node().await.unwrap();
    for round in 0..2 {
        cluster.move_slot(slot, new);
        gap_of(&mut journal, GapCause::Moved).await;
        let text = format!("at the new broker, round {round}");
        cluster.publish_shard("orders", &text);
        journal.message_after_gaps("orders", &text).await;
        assert_eq!(handle.topology().nodes.len(), 4);
        cluster.move_slot(slot, first);
        gap_of(&mut journal, GapCause::Moved).await;
        cluster.kill(new).await;
        eventually("the broker to be let go of", async || {
            handle.topology().nodes.len() == 3
        })
        .await;
        assert!(handle.is_ready());
        cluster.restart(new).await.unwrap();
    }
    cluster.publish_shard("orders", "at the end");
    journal.message_after_gaps("orders", "at the end").await;
}

pub(crate) async fn a_gap_names_what_was_on_the_broker_that_is_lost() {
    let names: Vec<_> = (0..9).map(|number| format!("orders.{number}")).collect();
    let subscriptions = || names.iter().map(|name| Subscription::shard(name.clone()));
    let (mount, mut journal) = recorder("orders", Subscription::shard("orders.0"));
    let (cluster, _handle) = started(vec![subscriptions().fold(mount, Mount::on)]).await;
    journal.begins().await;
    let lost = cluster.node_of("orders.0");
    let on_it = |name: &&Subscription| cluster.node_of(name.name()) == lost;
    let concerned: Vec<_> = subscriptions().collect();
    let concerned: Vec<_> = concerned.iter().filter(on_it).cloned().collect();
    assert!((1..9).contains(&concerned.len()));
    cluster.node(lost).kill_connections();
    let gap = journal.lost_connection().await;
    assert_eq!(gap.names(), Some(&*concerned));
    // One of them moves.
    let slot = cluster.slot_of("orders.0");
    cluster.move_slot(slot, (lost + 1) % 3);
    let moved = [Subscription::shard("orders.0")];
    assert_eq!(journal.gap().await.names(), Some(&moved[..]));
}

pub(crate) async fn a_cluster_that_nobody_tells_of_is_logged() {
    listen();
    let broker = Broker::start().await.unwrap();
    let (mount, _) = recorder("news", Subscription::channel("news"));
    let subscriber = Subscriber::cluster([broker.url()]).handlers([mount]);
    let _handle = within("a handle", async { subscriber.spawn() })
        .await
        .unwrap();
    let address = broker.addr().to_string();
    let is_about = |fields: &HashMap<&'static str, String>| {
        let error = fields.get("error");
        error.is_some_and(|error| error.contains(&address) && error.contains("cluster"))
    };
    eventually("a line about it", async || {
        tests::overheard::events("redis_push").iter().any(is_about)
    })
    .await;
}

pub(crate) async fn a_handler_begins_without_the_names_that_no_broker_serves() {
    let names: Vec<_> = (0..9).map(|number| format!("orders.{number}")).collect();
    let cluster = Broker::cluster(3).start().await.unwrap();
    let lost = cluster.node_of("orders.0");
    let slot = cluster.slot_of("orders.0");
    let here = names.iter().find(|name| cluster.node_of(name) != lost);
    let here = here.unwrap();
    let unserved = names.iter().rfind(|name| cluster.node_of(name) != lost);
    cluster.drop_slot(cluster.slot_of(unserved.unwrap()));
    cluster.kill(lost).await;
    let (mount, mut journal) = recorder("orders", Subscription::shard("orders.0"));
    let mount = names.iter().fold(mount, |mount, name| {
        mount.on(Subscription::shard(name.clone()))
    });
    let subscriber = Subscriber::cluster(cluster.urls())
        .topology_interval(Duration::from_millis(100))
        .reconnect_delay(Duration::from_millis(5), Duration::from_millis(50))
        .handlers([mount]);
    let handle = within("a handle", async { subscriber.spawn() })
        .await
        .unwrap();
    journal.begins().await;
    eventually("a subscriber", async || {
        cluster.publish_shard(here, "heard") == 1
    })
    .await;
    journal.message(here, "heard").await;
    assert!(!handle.is_ready());
    // Another node takes over what the lost one had.
    cluster.move_slot(slot, (lost + 1) % 3);
    let gap = journal.gap().await;
    assert_eq!(gap.names(), Some(&[Subscription::shard("orders.0")][..]));
    assert_eq!(cluster.publish_shard("orders.0", "back"), 1);
    journal.message("orders.0", "back").await;
}

pub(crate) async fn the_error_of_a_start_says_where_each_name_is() {
    let cluster = Broker::cluster(3).start().await.unwrap();
    cluster.set_key_events("KEA");
    let slot = cluster.slot_of("orders");
    cluster.drop_slot(slot);
    let lost = cluster.node_of("bills");
    cluster.kill(lost).await;
    let (orders, _) = recorder("orders", Subscription::shard("orders"));
    let (bills, _) = recorder("bills", Subscription::shard("bills"));
    let (events, _) = recorder("events", Subscription::keyspace("user:{id}").unwrap());
    let subscriber = Subscriber::cluster(cluster.urls())
        .start_deadline(Duration::from_secs(1))
        .topology_interval(Duration::from_millis(100))
        .handlers([orders, bills, events]);
    let error = within("an error", subscriber.start()).await.unwrap_err();
    let address = cluster.node(lost).addr();
    let bill = cluster.slot_of("bills");
    for part in [
        format!("no server answers at {address}"),
        format!("sharded channel `orders` (slot {slot}, at no node that is known), for `orders`"),
        format!("sharded channel `bills` (slot {bill}, at {address}), for `bills`"),
        format!("__:user:{{id}}` (at {address}), for `events`"),
        "3 of 5 subscriptions not confirmed".into(),
    ] {
        assert!(error.to_string().contains(&part), "{part}: {error}");
    }
}
