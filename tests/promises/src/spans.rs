//! P16: the span of a gap covers what was lost.

use std::time::{Duration, SystemTime};

use ::tests::{BOUND, Proxy, RealServer, Way, within};
use redis_push::Handle;
use serde_json::json;
use tokio::time::sleep;

use crate::context::{Context, ms};
use crate::figure::Figure;
use crate::publisher::{Publisher, payload};
use crate::stream::{Event, Lane, Stream, recorder, slow_recorder};

const CHANNEL: &str = "a";
const BYTES: usize = 8 * 1024;
/// How much a subscriber may leave unread.
const LIMIT: &str = "pubsub 1mb 0 0";

/// A way to lose messages. The slow handler loses some in every case.
#[derive(Clone, Copy, Debug)]
enum Loss {
    /// The line is slow, and the server drops the subscriber with what it has not read.
    Cut,
    /// The server stops for longer than the subscriber waits, and then handles what has arrived.
    Freeze,
    /// The connection is killed under load.
    Kill,
}

impl Loss {
    const ALL: [(Self, &str); 3] = [
        (Self::Cut, "the server drops a slow subscriber"),
        (Self::Freeze, "the server freezes"),
        (Self::Kill, "the connection is killed"),
    ];

    /// The ping interval and timeout.
    fn ping(self) -> (Duration, Duration) {
        match self {
            Self::Freeze => (Duration::from_millis(100), Duration::from_millis(400)),
            _ => (Duration::from_secs(1), Duration::from_secs(10)),
        }
    }
}

pub(crate) async fn run(context: Context) {
    let rounds = context.pick(2, 12);
    for (loss, name) in Loss::ALL {
        let (fast, slow) = trial(&context, loss, rounds).await;
        record(&context, name, &fast);
        record(&context, &format!("{name}, slow handler"), &slow);
    }
}

fn record(context: &Context, name: &str, spans: &Spans) {
    let what = format!("losses outside of their gap: {name}");
    let figure = Figure::new("P16", what, spans.outside).must_be(0);
    context.record(figure.detail(json!({
        "lost": spans.lost,
        "gaps": spans.gaps,
        "farthest_ms": ms(spans.farthest),
    })));
}

async fn trial(context: &Context, loss: Loss, rounds: u32) -> (Spans, Spans) {
    let server = context.server().await;
    server
        .command(&["CONFIG", "SET", "client-output-buffer-limit", LIMIT])
        .await;
    let proxy = Proxy::start(server.addr(), context.seed).await;
    let lane = Lane::channel(CHANNEL);
    let (fast, fast_stream) = recorder(lane.spec());
    let slow = lane.spec().buffer(8);
    let (slow, slow_stream) = slow_recorder(slow, Duration::from_millis(2));
    let (interval, timeout) = loss.ping();
    let subscriber = context
        .subscriber(proxy.url())
        .ping(interval, timeout)
        .wire_wait(Duration::ZERO)
        .reconnect_delay(Duration::from_millis(20), Duration::from_millis(200))
        .handlers([fast, slow]);
    let handle = within("the start", subscriber.start()).await;
    let handle = handle.expect("a start");
    let mut numbers = Numbers {
        publisher: Publisher::connect(server.addr()).await,
        times: Vec::new(),
    };
    for _ in 0..rounds {
        numbers.publish(100).await;
        let reconnects = handle.stats().feed.reconnects;
        lose(loss, &server, &proxy, &mut numbers).await;
        reconnected(&handle, reconnects).await;
        numbers.publish(10).await;
        for stream in [&fast_stream, &slow_stream] {
            let last = numbers.times.len() as u64 - 1;
            assert!(stream.reaches(last, BOUND).await, "{loss:?}: deaf");
        }
    }
    let spans = |stream: &Stream| Spans::of(&stream.events(), &numbers.times);
    (spans(&fast_stream), spans(&slow_stream))
}

async fn lose(loss: Loss, server: &RealServer, proxy: &Proxy, numbers: &mut Numbers) {
    const STEPS: u32 = 30;
    match loss {
        Loss::Cut => {
            proxy.black_hole(Way::ToClient, true);
            for _ in 0..STEPS {
                numbers.publish(100).await;
                sleep(Duration::from_millis(30)).await;
            }
            proxy.black_hole(Way::ToClient, false);
        }
        Loss::Freeze => {
            server.freeze(true);
            tokio::join!(numbers.publish(100), async {
                sleep(Duration::from_millis(1_500)).await;
                server.freeze(false);
            });
        }
        Loss::Kill => {
            for step in 0..STEPS {
                numbers.publish(10).await;
                if step == STEPS / 2 {
                    server.command(&["CLIENT", "KILL", "TYPE", "pubsub"]).await;
                }
            }
        }
    }
}

async fn reconnected(handle: &Handle, before: u64) {
    within("the next connection", async {
        while handle.stats().feed.reconnects == before {
            sleep(Duration::from_millis(1)).await;
        }
        handle.ready().await;
    })
    .await;
}

/// When a message was published: between these two times, on this machine's clock.
type Published = (SystemTime, SystemTime);

/// A publisher of numbered messages.
struct Numbers {
    publisher: Publisher,
    times: Vec<Published>,
}

impl Numbers {
    async fn publish(&mut self, count: usize) {
        let first = self.times.len();
        let before = SystemTime::now();
        for number in first..first + count {
            self.publisher
                .publish(CHANNEL, &payload(number as u64, BYTES));
        }
        self.publisher.fence().await;
        let published = (before, SystemTime::now());
        self.times.resize(first + count, published);
    }
}

/// The losses of one handler, and where its gaps are.
#[derive(Debug, Default, PartialEq, Eq)]
struct Spans {
    lost: u64,
    gaps: u64,
    /// Losses that were certainly not published within a gap that was reported between the messages
    /// around the loss.
    outside: u64,
    /// How far the farthest of them is from its gap.
    farthest: Duration,
}

impl Spans {
    fn of(events: &[Event], times: &[Published]) -> Self {
        let mut spans = Self::default();
        let mut gaps = Vec::new();
        let mut next = 0;
        for event in events {
            match event {
                Event::Gap(gap) => gaps.push((gap.since, gap.until)),
                Event::Message(number) if *number >= next => {
                    for lost in next..*number {
                        spans.add(times[lost as usize], &gaps);
                    }
                    spans.gaps += gaps.len() as u64;
                    gaps.clear();
                    next = *number + 1;
                }
                _ => {}
            }
        }
        spans
    }

    fn add(&mut self, (earliest, latest): Published, gaps: &[(SystemTime, SystemTime)]) {
        let after = |a: SystemTime, b: SystemTime| a.duration_since(b).unwrap_or_default();
        let distance = |(since, until): &(SystemTime, SystemTime)| {
            after(*since, latest).max(after(earliest, *until))
        };
        // A loss without any gap is a matter of P2, and is outside too.
        let nearest = gaps.iter().map(distance).min();
        self.lost += 1;
        if nearest != Some(Duration::ZERO) {
            self.outside += 1;
            self.farthest = self.farthest.max(nearest.unwrap_or_default());
        }
    }
}

#[cfg(test)]
mod tests {
    use redis_push::{Gap, GapCause, Missed};

    use super::*;

    #[test]
    fn a_loss_is_outside_if_it_was_published_before_or_after_its_gap() {
        let at = |second| SystemTime::UNIX_EPOCH + Duration::from_secs(second);
        let gap = |since, until| {
            let cause = GapCause::ConnectionLost;
            Event::Gap(Gap::new(cause, Missed::Unknown, at(since), at(until)))
        };
        let times: Vec<_> = (0..10).map(|second| (at(second), at(second + 1))).collect();
        let messages = |gap| [Event::Message(2), gap, Event::Message(6)];
        let lost = |outside: u64, farthest| Spans {
            lost: 2 + 3,
            gaps: 1,
            // The first two were lost before any gap.
            outside: 2 + outside,
            farthest: Duration::from_secs(farthest),
        };
        assert_eq!(Spans::of(&messages(gap(3, 6)), &times), lost(0, 0));
        assert_eq!(Spans::of(&messages(gap(4, 5)), &times), lost(0, 0));
        assert_eq!(Spans::of(&messages(gap(6, 7)), &times), lost(2, 2));
        assert_eq!(Spans::of(&messages(gap(2, 3)), &times), lost(2, 2));
    }
}
