//! A broker, handlers that record what they receive, and bounded waits.

use std::future::Future;
use std::time::Duration;

use redis::PushInfo;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{broadcast, watch};
use tokio::time::{Instant, sleep, timeout};

use crate::tasks::TaskName;
use crate::testing::Broker;
use crate::{Fault, Gap, GapCause, Handle, Handler, HandlerStats, Missed, Mount, Push, Spec};
use crate::{Subscriber, Subscription};

/// How long a test waits for an event before it fails.
const BOUND: Duration = Duration::from_secs(20);

/// Waits for a future, at most [`BOUND`].
#[track_caller]
pub(super) fn within<T>(what: &str, future: impl Future<Output = T>) -> impl Future<Output = T> {
    let caller = std::panic::Location::caller();
    async move {
        match timeout(BOUND, future).await {
            Ok(value) => value,
            Err(_) => panic!("waited {BOUND:?} in vain: {what} ({caller})"),
        }
    }
}

/// Polls a condition until it is true, for at most [`BOUND`].
#[track_caller]
pub(super) fn eventually(
    what: &str,
    mut condition: impl FnMut() -> bool,
) -> impl Future<Output = ()> {
    let caller = std::panic::Location::caller();
    async move {
        let end = Instant::now() + BOUND;
        while !condition() {
            assert!(
                Instant::now() < end,
                "waited {BOUND:?} in vain: {what} ({caller})"
            );
            sleep(Duration::from_millis(1)).await;
        }
    }
}

/// Makes a task panic, and waits until it runs again.
///
/// A request for a panic reaches only a task that waits for one. The runtime of these tests has a
/// single thread, so a restarted task waits for the next request before a test sees the restart.
pub(super) async fn panic_and_restart(handle: &Handle, task: TaskName) {
    let restarts = handle.stats().restarts;
    handle.running.tasks.panic_in(&task);
    eventually("the restart of the task", || {
        handle.stats().restarts > restarts
    })
    .await;
    assert_eq!(handle.stats().restarts, restarts + 1, "{task}");
}

/// The name of the task of a handler's loop.
pub(super) fn handler_loop(name: &'static str) -> TaskName {
    TaskName::Handler {
        name: name.into(),
        is_required: false,
    }
}

#[track_caller]
pub(super) fn assert_accounted(counts: &HandlerStats) {
    assert_eq!(counts.received, counts.accounted(), "{counts:?}");
}

/// A broker, and the link that subscribers use.
pub(super) struct Server {
    broker: Broker,
    is_wire: bool,
}

impl Server {
    pub(super) async fn over_the_default_link() -> Self {
        let broker = Broker::start().await.unwrap();
        let is_wire = false;
        Self { broker, is_wire }
    }

    pub(super) async fn over_the_wire_link() -> Self {
        let is_wire = true;
        Self {
            is_wire,
            ..Self::over_the_default_link().await
        }
    }

    pub(super) fn subscriber(&self) -> Subscriber {
        let subscriber = Subscriber::new(self.broker.url());
        let subscriber = match self.is_wire {
            true => subscriber.wire(),
            false => subscriber,
        };
        with_short_delays(subscriber)
    }

    pub(super) async fn start(&self, mounts: impl IntoIterator<Item = Mount<()>>) -> Handle {
        start(self.subscriber().handlers(mounts)).await
    }

    pub(super) fn publish(&self, channel: &str, payload: impl AsRef<[u8]>) {
        self.broker.publish(channel, payload);
    }

    /// Sets a key over a connection of its own.
    pub(super) async fn set(&self, key: &str) {
        let client = redis::Client::open(self.broker.url()).unwrap();
        let setting = async {
            let mut connection = client.get_multiplexed_async_connection().await?;
            redis::cmd("SET")
                .arg(&[key, "x"])
                .exec_async(&mut connection)
                .await
        };
        within("a key to be set", setting).await.unwrap();
    }

    /// A manager with a push channel, as a service has before it attaches handlers.
    pub(super) async fn manager(&self) -> (ConnectionManager, broadcast::Sender<PushInfo>) {
        let url = format!("{}?protocol=resp3", self.broker.url());
        let (sender, _) = broadcast::channel(1_000);
        let config = ConnectionManagerConfig::new().set_push_sender(sender.clone());
        let client = redis::Client::open(url).unwrap();
        let manager = client.get_connection_manager_with_config(config);
        (within("a manager", manager).await.unwrap(), sender)
    }
}

pub(super) fn with_short_delays(subscriber: Subscriber) -> Subscriber {
    subscriber.reconnect_delay(Duration::from_millis(10), Duration::from_millis(200))
}

pub(super) async fn start(subscriber: Subscriber) -> Handle {
    within("the start", subscriber.start()).await.unwrap()
}

/// What a handler received.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Seen {
    Message(String, String),
    Gap(Gap),
}

/// A handler that records what it receives. It fails for the payload `fail`.
struct Recorder {
    spec: Spec,
    sender: UnboundedSender<Seen>,
    message_gate: Gate,
    gap_gate: Gate,
}

/// Open when it holds `true`, and when its sender is gone.
type Gate = watch::Receiver<bool>;

async fn pass(gate: &Gate) {
    let _ = gate.clone().wait_for(|is_open| *is_open).await;
}

impl Handler<()> for Recorder {
    fn spec(&self) -> Spec {
        self.spec.clone()
    }

    async fn handle(&self, push: Push<'_>, _state: &()) -> Result<(), Fault> {
        pass(&self.message_gate).await;
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        let (channel, payload) = (text(push.channel()), text(push.payload()));
        if payload == "fail" {
            return Err(Fault::failed("a test has asked for this failure"));
        }
        let _ = self.sender.send(Seen::Message(channel, payload));
        Ok(())
    }

    async fn handle_gap(&self, gap: &Gap, _state: &()) -> Result<(), Fault> {
        pass(&self.gap_gate).await;
        let _ = self.sender.send(Seen::Gap(gap.clone()));
        Ok(())
    }
}

/// A recorder with one subscription.
pub(super) fn recorder(name: &'static str, subscription: Subscription) -> (Mount<()>, Journal) {
    let (_, open) = watch::channel(true);
    gated(Spec::new(name).on(subscription), open.clone(), open)
}

/// A recorder that holds each message until the gate is opened.
pub(super) fn message_gated(
    name: &'static str,
    subscription: Subscription,
) -> (Mount<()>, Journal, watch::Sender<bool>) {
    let (gate, message_gate) = watch::channel(false);
    let (_, open) = watch::channel(true);
    let (mount, journal) = gated(Spec::new(name).on(subscription), message_gate, open);
    (mount, journal, gate)
}

/// A recorder that holds each gap until the gate is opened.
pub(super) fn gap_gated(
    name: &'static str,
    subscription: Subscription,
) -> (Mount<()>, Journal, watch::Sender<bool>) {
    let (gate, gap_gate) = watch::channel(false);
    let (_, open) = watch::channel(true);
    let spec = Spec::new(name).on(subscription).on_gap("record");
    let (mount, journal) = gated(spec, open, gap_gate);
    (mount, journal, gate)
}

fn gated(spec: Spec, message_gate: Gate, gap_gate: Gate) -> (Mount<()>, Journal) {
    let (sender, receiver) = unbounded_channel();
    let recorder = Recorder {
        spec,
        sender,
        message_gate,
        gap_gate,
    };
    (Mount::new(recorder), Journal(receiver))
}

/// The entries of one recorder, in order.
pub(super) struct Journal(UnboundedReceiver<Seen>);

impl Journal {
    pub(super) async fn next(&mut self) -> Seen {
        within("what the handler gets next", self.0.recv())
            .await
            .expect("the handler is alive")
    }

    /// Expects this message as the next entry.
    pub(super) async fn message(&mut self, channel: &str, payload: &str) {
        assert_eq!(
            self.next().await,
            Seen::Message(channel.to_owned(), payload.to_owned())
        );
    }

    /// Expects a gap as the next entry, and returns it.
    pub(super) async fn gap(&mut self) -> Gap {
        match self.next().await {
            Seen::Gap(gap) => gap,
            other => panic!("expected a gap, got {other:?}"),
        }
    }

    /// Expects the gap that every handler receives first.
    pub(super) async fn begins(&mut self) {
        let gap = self.gap().await;
        assert_eq!(
            (gap.cause, gap.missed),
            (GapCause::Initial, Missed::Exactly(0))
        );
    }

    /// Expects a gap caused by a lost connection.
    pub(super) async fn lost_connection(&mut self) {
        let gap = self.gap().await;
        assert_eq!(
            (gap.cause, gap.missed),
            (GapCause::ConnectionLost, Missed::Unknown)
        );
    }
}
