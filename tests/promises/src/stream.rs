//! A record of what one handler or stream received, in order.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use redis_push::{Fault, Gap, GapCause, Handler, Missed, Mount, Push, Spec, Subscription};
use tokio::sync::watch;

/// One entry of a stream.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The number that a message carries.
    Message(u64),
    /// A gap that the library reported.
    Gap(Gap),
    /// The loss that a broadcast channel reported to its receiver.
    Lagged(u64),
    /// The notice of redis-rs that a connection has ended.
    Disconnected,
}

impl Event {
    /// The entry, with a gap of unknown times in place of a notice or a lag.
    pub(crate) fn or_gap(self) -> Self {
        match self {
            Self::Disconnected | Self::Lagged(_) => Self::Gap(Gap::new(
                GapCause::ConnectionLost,
                Missed::Unknown,
                SystemTime::UNIX_EPOCH,
                SystemTime::now(),
            )),
            other => other,
        }
    }
}

/// The entries of one handler or stream so far. Clones share them.
#[derive(Clone, Debug)]
pub struct Stream {
    events: Arc<Mutex<Vec<Event>>>,
    /// The number after that of the last message.
    next: Arc<watch::Sender<u64>>,
}

impl Stream {
    pub(crate) fn new() -> Self {
        Self {
            events: Arc::default(),
            next: Arc::new(watch::Sender::new(0)),
        }
    }

    /// Adds an entry.
    pub fn add(&self, event: Event) {
        let next = match event {
            Event::Message(number) => Some(number + 1),
            _ => None,
        };
        self.lock().push(event);
        if let Some(next) = next {
            self.next.send_replace(next);
        }
    }

    /// Adds the message with a numbered payload.
    pub fn add_message(&self, payload: &[u8]) {
        if let Some(number) = number(payload) {
            self.add(Event::Message(number));
        }
    }

    /// Adds a gap, unless it stands for the start.
    pub fn add_gap(&self, gap: Gap) {
        if gap.cause != GapCause::Initial {
            self.add(Event::Gap(gap));
        }
    }

    pub(crate) fn events(&self) -> Vec<Event> {
        self.lock().clone()
    }

    /// Waits for a message with this number or a higher one. Returns whether it came in time.
    pub(crate) async fn reaches(&self, number: u64, bound: Duration) -> bool {
        let mut next = self.next.subscribe();
        let reached = next.wait_for(|next| *next > number);
        tokio::time::timeout(bound, reached).await.is_ok()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Event>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The number at the front of a payload.
pub(crate) fn number(payload: &[u8]) -> Option<u64> {
    let word = payload.split(|byte| *byte == b' ').next()?;
    str::from_utf8(word).ok()?.parse().ok()
}

/// Channels that carry one sequence of numbers, and the subscription that covers them.
#[derive(Clone, Debug)]
pub struct Lane {
    /// The name of the handler.
    pub name: String,
    /// What a reader of the lane subscribes to.
    pub subscription: Subscription,
    /// Where its numbers are published, in turn.
    pub channels: Vec<String>,
}

impl Lane {
    pub(crate) fn channel(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            subscription: Subscription::channel(name.to_owned()),
            channels: vec![name.to_owned()],
        }
    }

    pub(crate) fn shard(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            subscription: Subscription::shard(name.to_owned()),
            channels: vec![name.to_owned()],
        }
    }

    /// A pattern over three channels.
    pub(crate) fn pattern(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            subscription: Subscription::pattern(format!("{name}.*")),
            channels: (0..3).map(|index| format!("{name}.{index}")).collect(),
        }
    }

    /// Eight lanes: seven channels and a pattern.
    pub(crate) fn eight() -> Vec<Self> {
        let channels = (0..7).map(|index| Self::channel(&format!("lane{index}")));
        channels.chain([Self::pattern("wide")]).collect()
    }

    pub(crate) fn spec(&self) -> Spec {
        Spec::new(self.name.clone()).on(self.subscription.clone())
    }
}

/// A handler that records its stream, each message after a pause.
struct Recorder {
    spec: Spec,
    stream: Stream,
    pause: Duration,
}

impl Handler<()> for Recorder {
    fn spec(&self) -> Spec {
        self.spec.clone()
    }

    async fn handle(&self, push: Push<'_>, _state: &()) -> Result<(), Fault> {
        if self.pause > Duration::ZERO {
            tokio::time::sleep(self.pause).await;
        }
        self.stream.add_message(push.payload());
        Ok(())
    }

    async fn handle_gap(&self, gap: &Gap, _state: &()) -> Result<(), Fault> {
        self.stream.add_gap(gap.clone());
        Ok(())
    }
}

pub(crate) fn recorder(spec: Spec) -> (Mount<()>, Stream) {
    slow_recorder(spec, Duration::ZERO)
}

pub(crate) fn slow_recorder(spec: Spec, pause: Duration) -> (Mount<()>, Stream) {
    let stream = Stream::new();
    let recorder = Recorder {
        spec,
        stream: stream.clone(),
        pause,
    };
    (Mount::new(recorder), stream)
}

/// The loss that an entry reports, if it reports one.
pub(crate) fn reported_loss(event: &Event) -> Option<Missed> {
    match event {
        Event::Gap(gap) => Some(gap.missed),
        Event::Lagged(count) => Some(Missed::Exactly(*count)),
        Event::Message(_) | Event::Disconnected => None,
    }
}
