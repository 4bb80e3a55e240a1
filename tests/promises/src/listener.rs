//! A running subject: it subscribes to lanes, and records a stream for each of them.

use std::time::Duration;

use redis_push::{Bytes, EventStream, Handle, Mount};
use tests::within;
use tokio::task::JoinSet;

use crate::context::Context;
use crate::controls::Control;
use crate::stream::{Lane, Stream, recorder};
use crate::subject::Subject;

pub(crate) struct Listener {
    /// What the handlers received, by lane, and then what the library's streams received, by lane.
    pub(crate) streams: Vec<Stream>,
    /// The library's handle. A control has none.
    pub(crate) handle: Option<Handle>,
    _control: Option<Control>,
    /// The owners of the library's streams.
    _readers: JoinSet<()>,
}

/// The settings of a listener.
pub(crate) struct Setting<'a> {
    context: &'a Context,
    lanes: &'a [Lane],
    more: Vec<Mount<()>>,
    commands_every: Option<Duration>,
    has_streams: bool,
}

impl<'a> Setting<'a> {
    pub(crate) fn of(context: &'a Context, lanes: &'a [Lane]) -> Self {
        Self {
            context,
            lanes,
            more: Vec::new(),
            commands_every: None,
            has_streams: false,
        }
    }

    /// Adds a stream beside each handler, if the subject is the library.
    pub(crate) fn with_streams(mut self) -> Self {
        self.has_streams = true;
        self
    }

    /// Adds a handler, if the subject is the library.
    pub(crate) fn and(mut self, mount: Mount<()>) -> Self {
        self.more.push(mount);
        self
    }

    /// Sends commands at this interval, so that they race with faults on the connection, as a
    /// service's own commands would. For the library these are its pings.
    pub(crate) fn with_commands_every(mut self, pause: Duration) -> Self {
        self.commands_every = Some(pause);
        self
    }

    /// Starts the listener, and returns when it is subscribed.
    ///
    /// # Panics
    ///
    /// If it cannot subscribe.
    pub(crate) async fn start(self, url: &str) -> Listener {
        match self.context.subject {
            Subject::Manager | Subject::Wire => self.library(url).await,
            subject => self.control(subject, url).await,
        }
    }

    async fn library(self, url: &str) -> Listener {
        let recorders = self.lanes.iter().map(|lane| recorder(lane.spec()));
        let (mut mounts, mut streams): (Vec<_>, Vec<_>) = recorders.unzip();
        mounts.extend(self.more);
        let mut subscriber = self.context.subscriber(url).handlers(mounts);
        if let Some(pause) = self.commands_every {
            subscriber = subscriber.ping(pause, Duration::from_secs(5));
        }
        let handle = within("the start", subscriber.start()).await;
        let handle = handle.expect("a start");
        let mut readers = JoinSet::new();
        for lane in self.lanes.iter().filter(|_| self.has_streams) {
            streams.push(subscribe(&handle, lane, &mut readers).await);
        }
        Listener {
            streams,
            handle: Some(handle),
            _control: None,
            _readers: readers,
        }
    }

    async fn control(self, subject: Subject, url: &str) -> Listener {
        let streams: Vec<_> = self.lanes.iter().map(|_| Stream::new()).collect();
        let starting = Control::start(subject, url, self.lanes, &streams);
        let mut control = within("the start", starting).await.expect("a start");
        if let Some(pause) = self.commands_every {
            control.send_commands_every(pause);
        }
        Listener {
            streams,
            handle: None,
            _control: Some(control),
            _readers: JoinSet::new(),
        }
    }
}

impl Listener {
    /// Waits until each stream has its last published message, given for each lane. Returns whether
    /// all have it in time.
    pub(crate) async fn catches_up(&self, published: &[u64], bound: Duration) -> bool {
        let end = tokio::time::Instant::now() + bound;
        for (stream, count) in self.streams.iter().zip(published.iter().cycle()) {
            let left = end.saturating_duration_since(tokio::time::Instant::now());
            if *count > 0 && !stream.reaches(count - 1, left).await {
                return false;
            }
        }
        true
    }
}

/// Subscribes to a lane with a stream of the library, which a task reads from now on.
pub(crate) async fn subscribe(handle: &Handle, lane: &Lane, readers: &mut JoinSet<()>) -> Stream {
    // As much as a handler's buffer, so that only a lost connection makes a gap.
    let subscribing = handle.subscribe(lane.subscription.clone()).buffer(65_536);
    let events = within("a stream", subscribing.into_future()).await;
    let stream = Stream::new();
    readers.spawn(record(events.expect("a stream"), stream.clone()));
    stream
}

/// Records what a stream returns.
async fn record(mut events: EventStream<Bytes>, stream: Stream) {
    while let Some(event) = events.next().await {
        match event {
            redis_push::Event::Gap(gap) => stream.add_gap(gap),
            redis_push::Event::Message(payload) => stream.add_message(&payload),
            _ => unreachable!("every payload is bytes"),
        }
    }
}
