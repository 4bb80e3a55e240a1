//! A handler that records what it receives, and the journal in which a test reads that. Also the
//! subscribers of the tests, over the link under test.

use std::cell::Cell;
use std::time::Duration;

use redis_push::{Fault, Gap, GapCause, Handle, Handler, Mount, Push, Spec, Subscriber};
use redis_push::{Missed, Subscription};
use tests::within;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// One entry of a journal.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Seen {
    Message(String, String),
    Gap(Gap),
}

/// A handler that records everything. It panics on the payload `panic`, and fails on `error`.
pub(crate) struct Recorder {
    spec: Spec,
    sender: UnboundedSender<Seen>,
}

impl Handler<()> for Recorder {
    fn spec(&self) -> Spec {
        self.spec.clone()
    }

    async fn handle(&self, push: Push<'_>, _state: &()) -> Result<(), Fault> {
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        let (channel, payload) = (text(push.channel()), text(push.payload()));
        match &*payload {
            "panic" => panic!("asked to panic"),
            "error" => return Err(Fault::Failed("asked to fail".into())),
            _ => {}
        }
        let _ = self.sender.send(Seen::Message(channel, payload));
        Ok(())
    }

    async fn handle_gap(&self, gap: &Gap, _state: &()) -> Result<(), Fault> {
        let _ = self.sender.send(Seen::Gap(gap.clone()));
        Ok(())
    }
}

/// The entries of one recorder, in order.
#[derive(Debug)]
pub(crate) struct Journal(UnboundedReceiver<Seen>);

/// Creates a recorder of one subscription, and its journal.
pub(crate) fn recorder(name: &'static str, subscription: Subscription) -> (Mount<()>, Journal) {
    recorder_of(Spec::new(name).on(subscription))
}

pub(crate) fn recorder_of(spec: Spec) -> (Mount<()>, Journal) {
    let (recorder, journal) = new(spec);
    (Mount::new(recorder), journal)
}

pub(crate) fn new(spec: Spec) -> (Recorder, Journal) {
    let (sender, receiver) = unbounded_channel();
    (Recorder { spec, sender }, Journal(receiver))
}

impl Journal {
    pub(crate) async fn next(&mut self) -> Seen {
        within("the next entry of the journal", self.0.recv())
            .await
            .expect("the handler is alive")
    }

    /// Returns the next entry, if there is one within a time.
    pub(crate) async fn try_next(&mut self, within: Duration) -> Option<Seen> {
        let next = tokio::time::timeout(within, self.0.recv()).await;
        next.ok().flatten()
    }

    /// Asserts that the next entry is this message.
    pub(crate) async fn message(&mut self, channel: &str, payload: &str) {
        assert_eq!(
            self.next().await,
            Seen::Message(channel.to_owned(), payload.to_owned())
        );
    }

    /// Asserts that the next entry is this message, after any number of gaps.
    pub(crate) async fn message_after_gaps(&mut self, channel: &str, payload: &str) {
        loop {
            match self.next().await {
                Seen::Gap(_) => {}
                other => {
                    let message = Seen::Message(channel.to_owned(), payload.to_owned());
                    return assert_eq!(other, message);
                }
            }
        }
    }

    /// Asserts that the next entry is a gap, and returns it.
    pub(crate) async fn gap(&mut self) -> Gap {
        match self.next().await {
            Seen::Gap(gap) => gap,
            other => panic!("expected a gap, got {other:?}"),
        }
    }

    /// Asserts that the next entry is the initial gap, which every handler receives first.
    pub(crate) async fn begins(&mut self) {
        let gap = self.gap().await;
        assert_eq!(gap.cause, GapCause::Initial);
        assert_eq!(gap.missed, Missed::Exactly(0));
    }

    /// Asserts that the next entry is the gap of a lost connection, and returns it.
    pub(crate) async fn lost_connection(&mut self) -> Gap {
        let gap = self.gap().await;
        assert_eq!(gap.cause, GapCause::ConnectionLost, "{gap}");
        assert_eq!(gap.missed, Missed::Unknown);
        gap
    }

    /// Asserts that there are no more entries and that the handler has ended.
    pub(crate) async fn ends(&mut self) {
        let rest = within("the end of the handler", self.0.recv()).await;
        assert_eq!(rest, None);
    }

    /// The entries recorded so far.
    pub(crate) fn so_far(&mut self) -> Vec<Seen> {
        std::iter::from_fn(|| self.0.try_recv().ok()).collect()
    }
}

thread_local! {
    /// Whether the test on this thread uses the wire link.
    static WIRE: Cell<bool> = const { Cell::new(false) };
    /// Whether it uses several links.
    static SEVERAL: Cell<bool> = const { Cell::new(false) };
}

pub(crate) fn over_the_manager() {
    WIRE.set(false);
}

pub(crate) fn over_the_wire() {
    WIRE.set(true);
}

/// How many links there are if there are several.
pub(crate) const LINKS: usize = 3;

pub(crate) fn over_several_links() {
    WIRE.set(true);
    SEVERAL.set(true);
}

pub(crate) fn is_wire() -> bool {
    WIRE.get()
}

/// A subscriber over the link under test.
pub(crate) fn plain(url: impl Into<String>) -> Subscriber {
    linked(Subscriber::new(url))
}

pub(crate) fn linked(subscriber: Subscriber) -> Subscriber {
    let subscriber = if SEVERAL.get() {
        subscriber.links(LINKS)
    } else {
        subscriber
    };
    if WIRE.get() {
        subscriber.wire()
    } else {
        subscriber
    }
}

/// A subscriber over the link under test, with short delays.
pub(crate) fn subscriber(url: impl Into<String>) -> Subscriber {
    plain(url)
        .start_deadline(Duration::from_secs(20))
        .reconnect_delay(Duration::from_millis(10), Duration::from_millis(200))
}

pub(crate) async fn start(
    url: impl Into<String>,
    mounts: impl IntoIterator<Item = Mount<()>>,
) -> Handle {
    within("the start", subscriber(url).handlers(mounts).start())
        .await
        .unwrap()
}
