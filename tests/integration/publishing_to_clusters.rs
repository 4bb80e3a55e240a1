//! Publishers of a cluster: what is published goes to the node that has the slot, is confirmed once, and is
//! never sent twice.

use std::time::Duration;

use redis_push::testing::{Broker, BrokerCluster, TestKit};
use redis_push::{
    BoxError, Credentials, Endpoint, FailureSink, Handle, Publish, Publisher, PushMessage,
    Subscriber, Subscription, handlers, push_handler,
};
use tests::{Cluster, First, RealCluster, eventually, within};
use tokio::time::Instant;

use crate::clustered::running_by;
use crate::support::*;

#[derive(PushMessage)]
#[push(channel = "numbers.{to}", codec = text)]
struct Number {
    to: u64,
    number: u64,
}

#[derive(PushMessage)]
#[push(shard = "steps", codec = text)]
struct Step {
    number: u64,
}

#[derive(PushMessage)]
#[push(shard = "answers", codec = text)]
struct Answer {
    text: String,
}

#[push_handler(channel = "questions")]
async fn on_question(text: &str) -> Publish<Answer> {
    let text = text.to_owned();
    Publish(Answer { text })
}

fn urls(cluster: &Cluster) -> Vec<String> {
    match cluster {
        Cluster::Broker(cluster) => cluster.urls(),
        Cluster::Real(cluster) => cluster.urls(),
    }
}

fn publisher(cluster: &Cluster) -> Publisher {
    Publisher::cluster(urls(cluster)).unwrap()
}

fn subscriber_of(urls: Vec<String>) -> Subscriber {
    Subscriber::cluster(urls)
        .start_deadline(Duration::from_secs(20))
        .topology_interval(Duration::from_millis(100))
        .reconnect_delay(Duration::from_millis(10), Duration::from_millis(200))
}

/// Starts a subscriber, with one journal for each name.
async fn listening(
    cluster: &Cluster,
    names: impl IntoIterator<Item = Subscription>,
) -> (Handle, Vec<Journal>) {
    let (mounts, mut journals): (Vec<_>, Vec<_>) = names
        .into_iter()
        .map(|name| recorder("numbers", name))
        .unzip();
    let subscriber = subscriber_of(urls(cluster)).handlers(mounts);
    let handle = within("the start", subscriber.start()).await.unwrap();
    for journal in &mut journals {
        journal.begins().await;
    }
    (handle, journals)
}

/// Publishes to a sharded channel until a subscriber has heard something.
async fn heard_again(publisher: &Publisher, name: &str, journal: &mut Journal) {
    eventually("a message to be heard", async || {
        let _ = publisher.publish_to_shard(name, "again").await;
        let seen = journal.so_far();
        seen.iter().any(|seen| matches!(seen, Seen::Message(..)))
    })
    .await;
}

pub(crate) async fn messages_reach_names_in_slots_of_all_nodes(cluster: Cluster) {
    let names: Vec<_> = (0..30).map(|number| format!("steps.{number}")).collect();
    let sharded = names.iter().cloned().map(Subscription::shard);
    let (_handle, mut journals) = listening(&cluster, sharded).await;
    // One seed is enough.
    let publisher = Publisher::cluster([&urls(&cluster)[0]]).unwrap();
    for name in &names {
        let published = publisher.publish_to_shard(name, "1");
        assert_eq!(within("a publish", published).await.unwrap(), 1, "{name}");
    }
    for (name, journal) in names.iter().zip(&mut journals) {
        journal.message(name, "1").await;
    }
    // A node that does not have the slot would refuse it.
    for number in 0..2_000 {
        let name = format!("any.{number}");
        let published = publisher.publish_to_shard(name, "1");
        assert_eq!(within("a publish", published).await.unwrap(), 0);
    }
}

pub(crate) async fn many_messages_keep_their_order_and_their_results(cluster: Cluster) {
    let name = |to| format!("numbers.{to}");
    // Every other name has a subscriber, at the node to which its messages go.
    let heard = (0..10).step_by(2).map(name).map(Subscription::channel);
    let (_handle, mut journals) = listening(&cluster, heard).await;
    let publisher = publisher(&cluster);
    let messages = (0..2_500).map(|number| Number {
        to: number % 10,
        number,
    });
    let messages: Vec<_> = messages.collect();
    let published = within("the publishes", publisher.publish_all(&messages)).await;
    let expected: Vec<_> = messages.iter().map(|message| 1 - message.to % 2).collect();
    assert_eq!(published.unwrap(), expected);
    for (index, journal) in journals.iter_mut().enumerate() {
        let to = 2 * index;
        for number in (0..2_500).skip(to).step_by(10) {
            journal.message(&name(to), &number.to_string()).await;
        }
    }
}

pub(crate) async fn publishes_follow_a_slot_that_has_moved(cluster: Cluster) {
    let (_handle, mut journals) = listening(&cluster, [Subscription::shard("steps")]).await;
    let journal = &mut journals[0];
    let publisher = publisher(&cluster);
    let publish = async |number| within("it", publisher.publish(&Step { number })).await;
    publish(1).await.unwrap();
    journal.message("steps", "1").await;
    let owner = cluster.node_of("steps").await;
    for (number, to) in [(2, (owner + 1) % 3), (3, (owner + 2) % 3), (4, owner)] {
        cluster.move_slot_of("steps", to).await;
        // The subscriber has followed by itself.
        journal.gap().await;
        assert_eq!(publish(number).await.unwrap(), 1);
        journal
            .message_after_gaps("steps", &number.to_string())
            .await;
    }
    let many: Vec<_> = (5..105).map(|number| Step { number }).collect();
    cluster.move_slot_of("steps", (owner + 1) % 3).await;
    journal.gap().await;
    let published = within("the publishes", publisher.publish_all(&many)).await;
    assert_eq!(published.unwrap(), [1; 100]);
    for number in 5..105 {
        journal
            .message_after_gaps("steps", &number.to_string())
            .await;
    }
}

pub(crate) async fn a_publisher_goes_on_at_the_node_that_takes_over(cluster: Cluster) {
    let (_handle, mut journals) = listening(&cluster, [Subscription::shard("steps")]).await;
    let publisher = publisher(&cluster);
    within("a publish", publisher.publish(&Step { number: 1 }))
        .await
        .unwrap();
    journals[0].message("steps", "1").await;
    let owner = cluster.node_of("steps").await;
    cluster.kill(owner).await;
    // The connection was lost, or could not be made.
    let error = within("an error", publisher.publish(&Step { number: 2 })).await;
    let error = error.unwrap_err();
    assert!(error.is_connection(), "{error}");
    cluster.replace(owner, "steps").await;
    heard_again(&publisher, "steps", &mut journals[0]).await;
}

pub(crate) async fn messages_to_channels_go_to_another_node_while_theirs_is_out_of_reach(
    cluster: Cluster,
) {
    let publisher = publisher(&cluster);
    within("a publish", publisher.publish_to("news", "1"))
        .await
        .unwrap();
    let home = cluster.node_of("news").await;
    cluster.kill(home).await;
    // The connection may be lost with the message in it, whose fate is then unknown.
    let lost = within("an answer", publisher.publish_to("news", "2")).await;
    assert!(lost.is_ok() || lost.is_err_and(|error| error.is_connection()));
    for _ in 0..3 {
        within("a publish", publisher.publish_to("news", "3"))
            .await
            .unwrap();
    }
}

pub(crate) async fn answers_of_handlers_go_to_the_node_of_their_slot(cluster: Cluster) {
    let (mount, mut journal) = recorder("answers", Subscription::shard("answers"));
    let subscriber = subscriber_of(urls(&cluster))
        .handlers([mount])
        .handlers(handlers![on_question]);
    let handle = within("the start", subscriber.start()).await.unwrap();
    journal.begins().await;
    let publisher = publisher(&cluster);
    let owner = cluster.node_of("answers").await;
    for (number, to) in [(1, (owner + 1) % 3), (2, (owner + 2) % 3), (3, owner)] {
        let question = publisher.publish_to("questions", &*number.to_string());
        within("a publish", question).await.unwrap();
        // A slot that moves may be more than one gap, as the nodes learn it one after the other.
        let number = number.to_string();
        journal.message_after_gaps("answers", &number).await;
        cluster.move_slot_of("answers", to).await;
        journal.gap().await;
    }
    let report = within("the end", handle.shutdown(Duration::from_secs(5))).await;
    let mut stats = report.stats.handlers.iter();
    assert!(stats.all(|stats| stats.failed == 0), "{report}");
}

pub(crate) async fn a_sink_writes_to_the_node_that_has_its_key(cluster: Cluster) {
    let (mount, mut journal) = recorder("errors", Subscription::channel("errors"));
    let sink = FailureSink::list(Endpoint::cluster(urls(&cluster)), "failures", 100).unwrap();
    let subscriber = subscriber_of(urls(&cluster))
        .handlers([mount])
        .on_failure(sink);
    let _handle = within("the start", subscriber.start()).await.unwrap();
    journal.begins().await;
    let publisher = publisher(&cluster);
    for count in 1..=3 {
        let owner = cluster.node_of("failures").await;
        within("a publish", publisher.publish_to("errors", "error"))
            .await
            .unwrap();
        eventually("a failure to be written", async || {
            let length = cluster.value(owner, &["LLEN", "failures"]).await;
            length == redis_push::redis::Value::Int(count)
        })
        .await;
        cluster.move_slot_of("failures", (owner + 1) % 3).await;
    }
}

pub(crate) async fn a_slot_that_nobody_serves_is_an_error_in_the_words_of_the_server(
    cluster: Cluster,
) {
    let publisher = publisher(&cluster);
    within("a publish", publisher.publish(&Step { number: 1 }))
        .await
        .unwrap();
    cluster.drop_slot_of("steps").await;
    let error = within("an error", publisher.publish(&Step { number: 2 })).await;
    let error = error.unwrap_err();
    assert!(error.is_connection() && !error.is_denied(), "{error}");
    let text = error.to_string();
    assert!(text.starts_with("not published: "), "{text}");
    assert!(text.contains("CLUSTERDOWN Hash slot not served"), "{text}");
}

/// A cluster of embedded brokers, and a publisher of it.
async fn of_brokers() -> (BrokerCluster, Publisher) {
    let cluster = Broker::cluster(3).start().await.unwrap();
    let publisher = Publisher::cluster(cluster.urls()).unwrap();
    (cluster, publisher)
}

pub(crate) async fn two_nodes_that_name_each_other_are_an_error_until_they_agree() {
    let (cluster, publisher) = of_brokers().await;
    let publish = || publisher.publish_to_shard("a", "1");
    within("a publish", publish()).await.unwrap();
    let owner = cluster.node_of("a");
    let target = (owner + 1) % 3;
    cluster.cut_off(target, true);
    cluster.move_slot(cluster.slot_of("a"), target);
    let error = within("an error", publish()).await.unwrap_err();
    let text = error.to_string();
    assert!(error.is_connection(), "{text}");
    assert!(text.contains("MOVED"), "{text}");
    assert!(!text.contains("not known"), "{text}");
    // They agree while a publish is on its way between them.
    let (published, ()) = tokio::join!(within("a publish", publish()), async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        cluster.cut_off(target, false);
    });
    published.unwrap();
}

pub(crate) async fn a_publish_to_a_silent_node_is_unknown_after_its_timeout() {
    let (cluster, publisher) = of_brokers().await;
    let publisher = publisher.timeout(Duration::from_secs(1));
    within("a publish", publisher.publish_to_shard("a", "1"))
        .await
        .unwrap();
    let owner = cluster.node_of("a");
    cluster.node(owner).pause(true);
    let published = publisher.publish_to_shard("a", "2");
    let error = within("an error", published).await.unwrap_err();
    assert!(error.is_timeout(), "{error}");
    let text = error.to_string();
    assert!(text.starts_with("not known to be published"), "{text}");
    // Those to other nodes do not wait for it.
    let other = (0..).map(|n| n.to_string());
    let other = other
        .clone()
        .find(|name| cluster.node_of(name) != owner)
        .unwrap();
    let published = publisher.publish_to_shard(&other, "3");
    within("a publish", published).await.unwrap();
    cluster.node(owner).pause(false);
    eventually("it to answer", async || {
        publisher.publish_to_shard("a", "4").await.is_ok()
    })
    .await;
}

pub(crate) async fn a_publish_to_a_silent_node_is_unknown_when_it_is_replaced() {
    let (cluster, publisher) = of_brokers().await;
    let publisher = publisher.timeout(Duration::from_secs(3_600));
    within("a publish", publisher.publish_to_shard("a", "1"))
        .await
        .unwrap();
    let owner = cluster.node_of("a");
    cluster.node(owner).pause(true);
    cluster.fail_over(owner);
    let published = publisher.publish_to_shard("a", "2");
    let error = within("an error", published).await.unwrap_err();
    let text = error.to_string();
    assert!(error.is_connection(), "{text}");
    assert!(text.starts_with("not known to be published"), "{text}");
    let address = cluster.node(owner).addr().to_string();
    assert!(text.contains(&address), "{text}");
    within("a publish", publisher.publish_to_shard("a", "3"))
        .await
        .unwrap();
}

pub(crate) async fn a_publisher_leaves_a_node_that_the_others_have_replaced() {
    let cluster = Cluster::Broker(Broker::cluster(3).start().await.unwrap());
    let (_handle, mut journals) = listening(&cluster, [Subscription::shard("a")]).await;
    let Cluster::Broker(cluster) = cluster else {
        unreachable!()
    };
    let endpoint = Endpoint::cluster(cluster.urls());
    let endpoint = endpoint.topology_interval(Duration::from_millis(50));
    let publisher = Publisher::new(endpoint).unwrap();
    within("a publish", publisher.publish_to_shard("a", "1"))
        .await
        .unwrap();
    journals[0].message("a", "1").await;
    // It goes on to accept messages, which nobody hears.
    let owner = cluster.node_of("a");
    cluster.cut_off(owner, true);
    cluster.fail_over(owner);
    heard_again(&publisher, "a", &mut journals[0]).await;
}

pub(crate) async fn a_publish_that_cannot_be_sent_goes_to_the_new_owner_at_once() {
    let (cluster, publisher) = of_brokers().await;
    within("a publish", publisher.publish_to_shard("a", "1"))
        .await
        .unwrap();
    let owner = cluster.node_of("a");
    cluster.kill(owner).await;
    eventually("the loss to be known", async || {
        let published = publisher.publish_to_shard("a", "2").await;
        !published.unwrap_err().to_string().contains("not known")
    })
    .await;
    cluster.fail_over(owner);
    within("a publish", publisher.publish_to_shard("a", "3"))
        .await
        .unwrap();
}

pub(crate) async fn every_node_gets_the_credentials_and_the_name() {
    let (cluster, _) = of_brokers().await;
    for node in cluster.nodes() {
        node.set_user("writer", "s3cret");
        node.set_password(Some("another"));
    }
    let nodes = Endpoint::cluster(cluster.urls())
        .credentials(async || Ok::<_, BoxError>(Credentials::new("writer", "s3cret")));
    let publisher = Publisher::new(nodes).unwrap();
    for name in 0..30 {
        let published = publisher.publish_to_shard(name.to_string(), "1");
        within("a publish", published).await.unwrap();
    }
    let urls = cluster.urls().into_iter();
    let urls = urls.map(|url| url.replace("//", "//writer:wrong-canary@"));
    let wrong = Publisher::cluster(urls).unwrap();
    let error = within("an error", wrong.publish_to_shard("a", "1")).await;
    let error = error.unwrap_err();
    assert!(error.is_auth(), "{error}");
    assert!(!format!("{error} {error:?}").contains("canary"), "{error}");
}

pub(crate) async fn a_publisher_of_one_node_of_a_cluster_says_what_to_use() {
    let (cluster, _) = of_brokers().await;
    let other = cluster.node(cluster.node_of("a") ^ 1);
    let publisher = Publisher::new(other.url()).unwrap();
    let error = within("an error", publisher.publish_to_shard("a", "1")).await;
    let text = error.unwrap_err().to_string();
    assert!(text.contains("`Publisher::cluster`"), "{text}");
    assert!(text.contains("MOVED"), "{text}");
}

pub(crate) async fn mistakes_in_the_nodes_of_a_cluster_are_errors_at_once() {
    for (urls, part) in [
        (vec![], "at least one node"),
        (vec!["redis://127.0.0.1/3"], "no databases but the first"),
        (vec!["redis://127.0.0.1/", "127.0.0.1"], "does not parse"),
        (vec!["redis+unix:///run/redis.sock"], "unix socket"),
    ] {
        let error = Publisher::cluster(urls).unwrap_err();
        assert!(error.is_config(), "{error}");
        assert!(error.to_string().contains(part), "{part}: {error}");
    }
    let server = Broker::start().await.unwrap();
    let publisher = Publisher::cluster([server.url()]).unwrap();
    let error = within("an error", publisher.publish_to("a", "1")).await;
    let error = error.unwrap_err();
    assert!(error.is_config(), "{error}");
    assert!(
        error.to_string().contains("not a node of a cluster"),
        "{error}"
    );
    let nobody = Publisher::cluster(["redis://127.0.0.1:1/"]).unwrap();
    let error = within("an error", nobody.publish_to("a", "1")).await;
    let error = error.unwrap_err();
    assert!(error.is_connection(), "{error}");
    assert!(!error.to_string().contains("not known"), "{error}");
}

pub(crate) async fn publishers_of_a_cluster_run_in_a_test_kit() {
    let (mount, mut journal) = recorder("a", Subscription::shard("a"));
    // Nobody listens there.
    let nodes = ["redis://127.0.0.1:1/"];
    let app = Subscriber::cluster(nodes).handlers([mount]);
    let kit = TestKit::start(app).await.unwrap();
    journal.begins().await;
    let publisher = Publisher::cluster(nodes).unwrap();
    publisher.publish_to_shard("a", "here").await.unwrap();
    kit.settle().await.unwrap();
    journal.message("a", "here").await;
}

fn of_the_real(cluster: &RealCluster) -> Publisher {
    let endpoint = Endpoint::cluster(cluster.urls()).topology_interval(Duration::from_millis(300));
    let publisher = Publisher::new(endpoint).unwrap();
    publisher.timeout(Duration::from_secs(2))
}

pub(crate) async fn what_is_published_while_slots_move_is_heard_once(cluster: RealCluster) {
    let running = running_by(&cluster, of_the_real(&cluster)).await;
    for first in [First::Target, First::Source, First::Target] {
        for name in ["s.a", "s.b", "c.a"] {
            let (slot, owner) = cluster.place_of(name).await;
            let primaries = cluster.primaries().await;
            let target = primaries.iter().find(|node| **node != owner).unwrap();
            cluster.move_slot(slot, target, first).await;
        }
    }
    let told = running.check().await;
    assert!(told.contains("s.a"), "{told:?}");
}

pub(crate) async fn a_sink_follows_a_key_that_is_on_its_way(cluster: RealCluster) {
    let (mount, mut journal) = recorder("errors", Subscription::channel("errors"));
    let sink = FailureSink::stream(Endpoint::cluster(cluster.urls()), "failures", 100).unwrap();
    let subscriber = subscriber_of(cluster.urls()).handlers([mount]);
    let started = subscriber.on_failure(sink).start();
    let _handle = within("the start", started).await.unwrap();
    journal.begins().await;
    let (slot, owner) = cluster.place_of("failures").await;
    let primaries = cluster.primaries().await;
    let target = primaries.iter().find(|node| **node != owner).unwrap();
    let step = cluster.begin_move(slot..=slot, target).await;
    let publisher = of_the_real(&cluster);
    for _ in 0..3 {
        within("a publish", publisher.publish_to("errors", "error"))
            .await
            .unwrap();
    }
    let mut client = target.raw3().await;
    eventually("the failures to be at the target", async || {
        client.ask("ASKING").await;
        client.ask("XLEN failures").await == ":3"
    })
    .await;
    step.tell_target().await;
    step.tell_source().await;
    within("a publish", publisher.publish_to("errors", "error"))
        .await
        .unwrap();
    eventually("the failure after the move", async || {
        client.ask("XLEN failures").await == ":4"
    })
    .await;
    step.end().await;
}

pub(crate) async fn what_is_published_during_a_planned_failover_is_heard_once(
    cluster: RealCluster,
) {
    let running = running_by(&cluster, of_the_real(&cluster)).await;
    let owner = cluster.node_of("s.a").await;
    cluster.fail_over(&owner).await;
    running.check().await;
}

pub(crate) async fn what_is_published_while_a_primary_is_killed_is_heard_once(
    cluster: RealCluster,
) {
    let running = running_by(&cluster, of_the_real(&cluster)).await;
    let (slot, owner) = cluster.place_of("s.a").await;
    cluster.kill(&owner).await;
    cluster.new_owner(slot, &owner).await;
    running.check().await;
}

pub(crate) async fn what_is_published_while_a_primary_is_frozen_is_heard_once(
    cluster: RealCluster,
) {
    let running = running_by(&cluster, of_the_real(&cluster)).await;
    let (slot, owner) = cluster.place_of("s.a").await;
    cluster.freeze(&owner);
    cluster.new_owner(slot, &owner).await;
    let publisher = of_the_real(&cluster);
    let begun = Instant::now();
    within("a publish", publisher.publish_to_shard("s.a", "0"))
        .await
        .unwrap();
    assert!(begun.elapsed() < Duration::from_secs(2));
    cluster.thaw(&owner);
    running.in_any_order().check().await;
}
