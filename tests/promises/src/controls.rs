//! Code that services write without this library, for comparison.

use std::future::Future;
use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, PushInfo, PushKind, RedisResult, Value};
use redis_push::{Kind, Subscription};
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::stream::{Event, Lane, Stream};
use crate::subject::Subject;

/// A running control. Dropping it ends it.
pub(crate) struct Control {
    manager: ConnectionManager,
    tasks: JoinSet<()>,
}

impl Control {
    pub(crate) async fn start(
        subject: Subject,
        url: &str,
        lanes: &[Lane],
        streams: &[Stream],
    ) -> RedisResult<Self> {
        let client = Client::open(format!("{url}?protocol=resp3"))?;
        match subject {
            Subject::Seed => Self::seed(client, lanes, streams).await,
            _ => Self::plain(client, lanes, streams).await,
        }
    }

    /// Sends a command periodically, like a service that uses one manager for everything.
    pub(crate) fn send_commands_every(&mut self, pause: Duration) {
        let mut manager = self.manager.clone();
        self.tasks.spawn(async move {
            loop {
                tokio::time::sleep(pause).await;
                let _ = redis::cmd("PING").exec_async(&mut manager).await;
            }
        });
    }

    /// One broadcast channel as the push sender. Each handler receives everything and filters it. A
    /// task subscribes again when redis-rs reports a disconnection.
    async fn seed(client: Client, lanes: &[Lane], streams: &[Stream]) -> RedisResult<Self> {
        let (sender, mut pushes) = broadcast::channel::<PushInfo>(65_536);
        let mut tasks = JoinSet::new();
        for (lane, stream) in lanes.iter().zip(streams) {
            tasks.spawn(filter(sender.subscribe(), lane.clone(), stream.clone()));
        }
        let config = ConnectionManagerConfig::new().set_push_sender(sender);
        let mut manager = client.get_connection_manager_with_config(config).await?;
        subscribe(&mut manager, lanes).await?;
        let (mut again, lanes) = (manager.clone(), lanes.to_vec());
        tasks.spawn(async move {
            loop {
                match pushes.recv().await {
                    Ok(push) if push.kind == PushKind::Disconnection => {
                        // A service would log the error here and continue.
                        let _ = subscribe(&mut again, &lanes).await;
                    }
                    Ok(_) | Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return,
                }
            }
        });
        Ok(Self { manager, tasks })
    }

    /// A manager with automatic resubscription, and one loop that distributes messages.
    async fn plain(client: Client, lanes: &[Lane], streams: &[Stream]) -> RedisResult<Self> {
        let (sender, mut pushes) = mpsc::unbounded_channel::<PushInfo>();
        let config = ConnectionManagerConfig::new()
            .set_push_sender(sender)
            .set_automatic_resubscription();
        let mut manager = client.get_connection_manager_with_config(config).await?;
        subscribe(&mut manager, lanes).await?;
        let both: Vec<_> = lanes.iter().cloned().zip(streams.iter().cloned()).collect();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            while let Some(push) = pushes.recv().await {
                for (lane, stream) in &both {
                    note(&push, lane, stream);
                }
            }
        });
        Ok(Self { manager, tasks })
    }
}

async fn filter(mut pushes: broadcast::Receiver<PushInfo>, lane: Lane, stream: Stream) {
    loop {
        match pushes.recv().await {
            Ok(push) => note(&push, &lane, &stream),
            Err(RecvError::Lagged(count)) => stream.add(Event::Lagged(count)),
            Err(RecvError::Closed) => return,
        }
    }
}

/// Adds a push to the stream of a lane if it concerns the lane.
fn note(push: &PushInfo, lane: &Lane, stream: &Stream) {
    let wanted = match lane.subscription.kind() {
        Kind::Pattern => PushKind::PMessage,
        _ => PushKind::Message,
    };
    if push.kind == PushKind::Disconnection {
        stream.add(Event::Disconnected);
    }
    if push.kind == wanted
        && let [Value::BulkString(name), .., Value::BulkString(payload)] = push.data.as_slice()
        && name == lane.subscription.name().as_bytes()
    {
        stream.add_message(payload);
    }
}

/// Subscribes to each name with its own call.
fn subscribe(
    manager: &mut ConnectionManager,
    lanes: &[Lane],
) -> impl Future<Output = RedisResult<()>> {
    let names: Vec<Subscription> = lanes.iter().map(|lane| lane.subscription.clone()).collect();
    async move {
        for name in names {
            match name.kind() {
                Kind::Pattern => manager.psubscribe(name.name()).await?,
                _ => manager.subscribe(name.name()).await?,
            }
        }
        Ok(())
    }
}
