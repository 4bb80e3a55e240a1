//! The clients: redis-push, redis-rs and fred, as their docs say how to use them in a cluster.

use std::any::Any;
use std::time::Duration;

use fred::clients::SubscriberClient;
use fred::prelude::*;
use promises::stream::{Event, Lane, Stream};
use redis::cluster::ClusterClientBuilder;
use redis::cluster_async::ClusterConnection;
use redis::{ProtocolVersion, PushInfo, PushKind};
use redis_push::{Fault, Gap, Handler, Kind, Mount, Push, Spec, Subscriber};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// What keeps a client running.
type Running = Box<dyn Any + Send>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    RedisPush,
    /// `cluster_async` with a push sender.
    RedisRs,
    /// The same, with a command now and then, as it learns of a change when a command fails.
    RedisRsWithCommands,
    Fred,
}

impl Peer {
    pub(super) const ALL: [Self; 4] = [
        Self::RedisPush,
        Self::RedisRs,
        Self::RedisRsWithCommands,
        Self::Fred,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::RedisPush => "redis-push",
            Self::RedisRs => "redis-rs `cluster_async`",
            Self::RedisRsWithCommands => "… with a `GET` every 200 ms",
            Self::Fred => "fred",
        }
    }

    /// Subscribes to the lanes, and returns what keeps the client running.
    pub(super) async fn start(self, urls: Vec<String>, lanes: Vec<(Lane, Stream)>) -> Running {
        match self {
            Self::RedisPush => redis_push(urls, lanes).await,
            Self::RedisRs => redis_rs(urls, lanes, false).await,
            Self::RedisRsWithCommands => redis_rs(urls, lanes, true).await,
            Self::Fred => fred(urls, lanes).await,
        }
    }
}

struct Recorder {
    lane: Lane,
    stream: Stream,
}

impl Handler<()> for Recorder {
    fn spec(&self) -> Spec {
        Spec::new(self.lane.name.clone()).on(self.lane.subscription.clone())
    }

    async fn handle(&self, push: Push<'_>, _state: &()) -> std::result::Result<(), Fault> {
        self.stream.add_message(push.payload());
        Ok(())
    }

    async fn handle_gap(&self, gap: &Gap, _state: &()) -> std::result::Result<(), Fault> {
        self.stream.add_gap(gap.clone());
        Ok(())
    }
}

/// With a look at the topology every half second, as in the program of promises.
async fn redis_push(urls: Vec<String>, lanes: Vec<(Lane, Stream)>) -> Running {
    let mounts = lanes
        .into_iter()
        .map(|(lane, stream)| Mount::new(Recorder { lane, stream }));
    let subscriber = Subscriber::cluster(urls)
        .topology_interval(Duration::from_millis(500))
        .ping(Duration::from_millis(250), Duration::from_secs(1))
        .handlers(mounts.collect::<Vec<_>>());
    Box::new(subscriber.start().await.expect("a start"))
}

async fn redis_rs(urls: Vec<String>, lanes: Vec<(Lane, Stream)>, has_commands: bool) -> Running {
    let (sender, mut pushes) = mpsc::unbounded_channel::<PushInfo>();
    let client = ClusterClientBuilder::new(urls)
        .use_protocol(ProtocolVersion::RESP3)
        .push_sender(sender)
        .build()
        .expect("a client");
    let mut connection = client.get_async_connection().await.expect("a connection");
    subscribe(&mut connection, &lanes).await;
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        while let Some(push) = pushes.recv().await {
            match push.kind {
                PushKind::Disconnection => {
                    for (_, stream) in &lanes {
                        stream.add(Event::Disconnected);
                    }
                }
                PushKind::Message | PushKind::SMessage | PushKind::PMessage => {
                    if let [
                        ..,
                        redis::Value::BulkString(channel),
                        redis::Value::BulkString(payload),
                    ] = push.data.as_slice()
                    {
                        note(&lanes, channel, payload);
                    }
                }
                _ => {}
            }
        }
    });
    if has_commands {
        let mut connection = connection.clone();
        tasks.spawn(async move {
            for number in 0_u64.. {
                tokio::time::sleep(Duration::from_millis(200)).await;
                let mut command = redis::cmd("GET");
                let _ = command.arg(number).exec_async(&mut connection).await;
            }
        });
    }
    Box::new((connection, tasks))
}

async fn subscribe(connection: &mut ClusterConnection, lanes: &[(Lane, Stream)]) {
    for (lane, _) in lanes {
        let name = lane.subscription.name();
        let subscribed = match lane.subscription.kind() {
            Kind::Shard => connection.ssubscribe(name).await,
            Kind::Pattern => connection.psubscribe(name).await,
            _ => connection.subscribe(name).await,
        };
        subscribed.expect("a subscription");
    }
}

async fn fred(urls: Vec<String>, lanes: Vec<(Lane, Stream)>) -> Running {
    let nodes: Vec<_> = urls
        .iter()
        .map(|url| url.trim_start_matches("redis://").trim_end_matches('/'))
        .collect();
    let url = format!(
        "redis-cluster://{}?node={}",
        nodes[0],
        nodes[1..].join("&node=")
    );
    let config = Config::from_url(&url).expect("a config");
    let mut builder = Builder::from_config(config);
    builder
        .with_performance_config(|config| config.broadcast_channel_capacity = 65_536)
        // Without one it does not reconnect.
        .set_policy(ReconnectPolicy::new_constant(0, 100));
    let client: SubscriberClient = builder.build_subscriber_client().expect("a client");
    client.init().await.expect("a connection");
    let resubscribing = client.manage_subscriptions();
    for (lane, _) in &lanes {
        let name = lane.subscription.name();
        let subscribed = match lane.subscription.kind() {
            Kind::Shard => client.ssubscribe(name).await,
            Kind::Pattern => client.psubscribe(name).await,
            _ => client.subscribe(name).await,
        };
        subscribed.expect("a subscription");
    }
    let mut messages = client.message_rx();
    let mut reconnects = client.reconnect_rx();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        loop {
            tokio::select! {
                biased;
                Ok(_) = reconnects.recv() => {
                    for (_, stream) in &lanes {
                        stream.add(Event::Disconnected);
                    }
                }
                message = messages.recv() => match message {
                    Ok(message) => {
                        if let Some(payload) = message.value.as_bytes() {
                            note(&lanes, message.channel.as_bytes(), payload);
                        }
                    }
                    Err(RecvError::Lagged(count)) => {
                        for (_, stream) in &lanes {
                            stream.add(Event::Lagged(count));
                        }
                    }
                    Err(RecvError::Closed) => return,
                },
            }
        }
    });
    Box::new((client, resubscribing, tasks))
}

/// Adds a message to the stream of its lane.
fn note(lanes: &[(Lane, Stream)], channel: &[u8], payload: &[u8]) {
    let is_of = |lane: &Lane| lane.channels.iter().any(|one| one.as_bytes() == channel);
    if let Some((_, stream)) = lanes.iter().find(|(lane, _)| is_of(lane)) {
        stream.add_message(payload);
    }
}
